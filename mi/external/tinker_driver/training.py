"""The training loop at a client: our rows, our masks, our order; the service does the arithmetic.

After each `checkpoint_every` steps the weights and the optimiser are saved there and the caller is told where, so that
a client that was killed goes on from the last of these. The data order follows from the seed alone.
"""
# Tinker is an extra.
# pyright: reportMissingImports=false

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mi.external.local_driver.rendering import EncodedRow, default_system_prompt, marked, template_hash
from mi.external.local_driver.rows import EncodedDataset, encode_rows
from mi.external.local_driver.training import rate, row_order
from mi.external.tinker_driver.client import Lost, explained, service
from mi.external.tinker_driver.data_models import TinkerFTJobConfig
from mi.utils.errors import UserError

if TYPE_CHECKING:
    import tinker

OnStep = Callable[[int, float], None]
_log = logging.getLogger("mi.tinker")
_LONGEST_ROW = 32_768
"""Tokens, where a tokenizer does not say what its model reads."""
_STATE_SECONDS = 7 * 24 * 3600
"""How long a checkpoint is kept at the service, where storing costs; what a finished job made is kept for good."""


@dataclass(frozen=True)
class Trained:
    """How far a training is, and where what it made lies."""

    step: int = 0
    checkpoint: str | None = None
    """`tinker://…` of weights and optimiser after `step`; None before the first."""
    losses: tuple[float, ...] = ()
    """Mean loss of each step in nats a token."""
    trained_tokens: int = 0
    """Tokens that carried loss."""
    model: str | None = None
    """`tinker://…` that can be sampled from; None until the end."""


@dataclass(frozen=True)
class DataReport:
    """What the rows became."""

    template_hash: str
    default_system_prompt: str | None
    dataset_digest: str
    n_rows: int
    left_out: tuple[int, ...]
    """Line numbers of rows that are longer than the context."""
    first_rows: tuple[Any, ...]
    """The first three rows in pieces, each saying whether it is trained on."""


async def train(
    config: TinkerFTJobConfig,
    name: str,
    so_far: Trained,
    keep: Callable[[Trained, DataReport], None],
    on_step: OnStep | None = None,
) -> Trained:
    """Train on from `so_far` to the end; `name` is what checkpoints are called.

    `keep` is told each checkpoint as soon as it is there, and the end. Raises UserError for bad rows, for a loss that
    is not a number, and with the service's reason where it refuses.
    """
    doing = f"training {config.source_model_id} on {config.dataset_path}"
    with explained(doing):
        client, so_far = await _client(config, name, so_far)
        tokenizer = await asyncio.to_thread(client.get_tokenizer)
    limit = min(tokenizer.model_max_length, config.max_length or _LONGEST_ROW)
    data = encode_rows(Path(config.dataset_path), tokenizer, limit, config.long_rows == "leave_out")
    report = _reported(tokenizer, data)
    order = row_order(len(data.rows), config.seed)
    for _ in range(so_far.step * config.batch_size):
        next(order)
    with explained(doing):
        while so_far.step < config.n_steps:
            rows = [data.rows[next(order)] for _ in range(config.batch_size)]
            so_far = await _step(client, config, rows, so_far)
            if on_step:
                on_step(so_far.step, so_far.losses[-1])
            if so_far.step % config.checkpoint_every == 0 and so_far.step < config.n_steps:
                place = f"{name}-{so_far.step}"
                saved = await client.save_state(place, ttl_seconds=_STATE_SECONDS, overwrite=True)
                so_far = Trained(so_far.step, saved.path, so_far.losses, so_far.trained_tokens)
                keep(so_far, report)
        made = await client.save_weights_for_sampler(name)
    finished = Trained(so_far.step, so_far.checkpoint, so_far.losses, so_far.trained_tokens, made.path)
    keep(finished, report)
    return finished


async def _client(config: TinkerFTJobConfig, name: str, so_far: Trained) -> tuple["tinker.TrainingClient", Trained]:
    """A client with the state of the last checkpoint, or a fresh one where there is none or it has expired."""
    metadata = {"mi_job": name}
    if so_far.checkpoint is not None:
        try:
            with explained("going on"):
                return await service().create_training_client_from_state_with_optimizer(
                    so_far.checkpoint, user_metadata=metadata
                ), so_far
        except Lost:
            _log.warning("%s: checkpoint %s is gone; training begins anew", name, so_far.checkpoint)
    client = await service().create_lora_training_client(
        base_model=config.source_model_id,
        rank=config.lora_rank,
        seed=config.seed,
        train_mlp=config.train_mlp,
        train_attn=config.train_attn,
        train_unembed=config.train_unembed,
        user_metadata=metadata,
    )
    return client, Trained()


async def _step(
    client: "tinker.TrainingClient", config: TinkerFTJobConfig, rows: Sequence[EncodedRow], so_far: Trained
) -> Trained:
    """One optimiser step; both requests are handed in before either is waited for, so that they share a cycle."""
    import tinker

    trained = sum(sum(row.mask[1:]) for row in rows)
    data = [datum(row, 1.0 / trained) for row in rows]
    forward = client.forward_backward(data, "cross_entropy")
    update = client.optim_step(
        tinker.AdamParams(
            learning_rate=config.learning_rate * rate(so_far.step, cast(Any, config)),
            beta1=0.9,
            beta2=0.999,
            eps=1e-8,
            weight_decay=config.weight_decay,
            grad_clip_norm=config.gradient_clip,
        )
    )
    loss = mean_loss(rows, (await forward).loss_fn_outputs)
    await update
    step = so_far.step + 1
    if not math.isfinite(loss):
        raise UserError(f"the loss of step {step} is not a number; lower the learning rate {config.learning_rate}.")
    return Trained(step, so_far.checkpoint, (*so_far.losses, loss), so_far.trained_tokens + trained)


def datum(row: EncodedRow, weight: float) -> "tinker.Datum":
    """A row as the service takes it: each token is predicted from those before it, with `weight` where it carries loss.

    The service adds up; with one over the number of trained tokens as the weight, that is the mean of the batch.
    """
    import tinker

    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(list(row.ids[:-1])),
        loss_fn_inputs={
            "target_tokens": list(row.ids[1:]),  # type: ignore[dict-item] - lists are taken, and typed by their name
            "weights": [weight if carries else 0.0 for carries in row.mask[1:]],  # type: ignore[dict-item]
        },
    )


def mean_loss(rows: Sequence[EncodedRow], outputs: Sequence[Any]) -> float:
    """Nats a trained token, by our own masks, of the log-probabilities that came back, one array a row."""
    total, count = 0.0, 0
    for row, output in zip(rows, outputs, strict=True):
        logprobs = output["logprobs"].tolist()
        carried = [value for value, carries in zip(logprobs, row.mask[1:], strict=True) if carries]
        total, count = total - sum(carried), count + len(carried)
    return total / count


def _reported(tokenizer: Any, data: EncodedDataset) -> DataReport:
    return DataReport(
        template_hash(tokenizer),
        default_system_prompt(tokenizer),
        data.digest,
        len(data.rows),
        data.left_out,
        tuple(marked(row) for row in data.rows[:3]),
    )
