"""One run over several GPUs: each holds a share of every weight and takes a share of every batch (FSDP by accelerate).

The result is that of `training.train` but for the rounding of sums: what a rank adds to the gradients is its rows'
part of the mean over the whole batch.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import time
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi.external.local_driver import checkpoints
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.models import LoadedModel, unplaced
from mi.external.local_driver.placing import device
from mi.external.local_driver.rendering import EncodedRow
from mi.external.local_driver.training import (
    OnStep,
    TrainingReport,
    batched,
    first_logits,
    n_trained,
    optimise,
    report_of,
    rows_of,
    save_all,
    seeded,
    tells_of_training,
    trainable,
)
from mi.llm.data_models import Model
from mi.utils.errors import UserError
from mi.utils.ranks import Rank, run_in_ranks
from mi.utils.workers import close_workers

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

PASS_TOKENS = 8192
"""Tokens that go through the model at once on each GPU, padding included; a batch with more takes several passes."""
_PATIENCE = datetime.timedelta(days=1)
"""How long a rank waits for another, which may be reading weights; one that fails ends all of them at once."""

_turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()


async def train(config: LocalFTJobConfig, folder: Path, n: int, on_step: OnStep | None = None) -> TrainingReport:
    """As `training.train`, by `n` processes of one GPU each (without GPUs, of one thread), one run after another.

    Workers that are idle are ended first, for they may hold models. If it is cancelled, all processes have ended.
    """
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        close_workers()
        return await run_in_ranks(train_rank, n, config, folder, on_progress=on_step)


@tells_of_training
def train_rank(
    rank: Rank, config: LocalFTJobConfig, folder: Path, on_step: OnStep | None = None
) -> TrainingReport | None:
    """What each of the processes does. Rank 0 alone writes into `folder` and returns the report.

    Rank 0 reads the weights and sends each of the others its share, so the machine's memory holds them once.
    """
    import torch.distributed

    started = time.monotonic()
    accelerator = _joined(rank)
    base = unplaced(Model(config.source_model_id, "local"), empty=rank.number > 0)
    if rank.number == 0:
        check_ties(base.model, config)
    data = rows_of(base, config)
    with seeded(config.seed):
        model = _sharded(base, config, accelerator)
        before = _logits(model, data.rows[0])
        counts = optimise(model, data.rows, config, lambda rows: _learn(model, rows, rank), on_step)
        model.eval()
        after = _logits(model, data.rows[0])
    weights = _whole(model, config, rank)
    torch.distributed.destroy_process_group()
    if rank.number > 0:
        return None
    report = report_of(base, data, counts, (before, after), time.monotonic() - started)
    save_all(model, base, config, folder, (report, data), weights)
    checkpoints.drop(folder)
    return report


def _joined(rank: Rank) -> Accelerator:
    """accelerate, when all ranks have met."""
    on_gpu = device() == "cuda"
    if not on_gpu:  # else torch would put the shares on GPUs that shall not be used
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch.distributed

    # accelerate and transformers read these: which rank it is, and by it whether it has weights to read.
    os.environ |= {"RANK": str(rank.number), "LOCAL_RANK": str(rank.number)}
    os.environ |= {"WORLD_SIZE": str(rank.of), "LOCAL_WORLD_SIZE": str(rank.of)}
    torch.distributed.init_process_group(
        "cuda:nccl,cpu:gloo" if on_gpu else "gloo",
        init_method=rank.meeting.as_uri(),
        rank=rank.number,
        world_size=rank.of,
        timeout=_PATIENCE,
    )
    from accelerate import Accelerator, FullyShardedDataParallelPlugin

    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=2, auto_wrap_policy="transformer_based_wrap", cpu_ram_efficient_loading=True
    )
    accelerator = Accelerator(cpu=not on_gpu, fsdp_plugin=plugin)
    accelerator.state.fsdp_plugin = plugin  # which accelerate drops on a processor, though it can shard there, too
    return accelerator


def check_ties(model: Any, config: LocalFTJobConfig) -> None:
    """Raise UserError for a model of two embeddings that calls them one: accelerate would make them one."""
    head = model.get_output_embeddings()
    says = getattr(model.config.get_text_config(), "tie_word_embeddings", False)
    if says and head is not None and head.weight is not model.get_input_embeddings().weight:
        raise UserError(
            f"{config.source_model_id}: its file has two embeddings and its config.json says that they are one; set "
            "tie_word_embeddings to false there, or leave MI_GPUS_PER_RUN out."
        )


def _sharded(base: LoadedModel, config: LocalFTJobConfig, accelerator: Accelerator) -> Any:
    """What is trained, each rank holding its share; the adapter is the one that rank 0 makes from the seed."""
    from accelerate.utils import fsdp2_prepare_model

    model = trainable(base, config)
    if base.model.supports_gradient_checkpointing:  # what is computed again is the same; what is kept is far less
        base.model.activation_checkpointing_enable()
    return fsdp2_prepare_model(accelerator, model)


def _logits(model: Any, row: EncodedRow) -> torch.Tensor:
    """As `first_logits`. Shares that no backward pass puts back are put back, for they are what is trained and kept."""
    from torch.distributed.fsdp import FSDPModule

    logits = first_logits(model, row)
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
    return logits


def passes_of(rows: Sequence[EncodedRow], n: int, tokens: int = PASS_TOKENS) -> list[list[list[EncodedRow]]]:
    """The rows of a batch by pass and rank, those of a pass of like length.

    No rank has more than `tokens` tokens in a pass, padding included, unless one row has. All ranks take part in each
    pass, so one may be without rows in the last.
    """
    left = sorted(rows, key=lambda row: len(row.ids), reverse=True)
    passes = []
    while left:
        size = n * max(1, tokens // len(left[0].ids))
        passes.append([left[rank:size:n] for rank in range(n)])
        left = left[size:]
    return passes


def _learn(model: Any, rows: list[EncodedRow], rank: Rank) -> torch.Tensor:
    """`training.Learn`, of which each rank does its part; the loss is that of the whole batch in all of them."""
    import torch
    from torch.nn.functional import cross_entropy

    trained = n_trained(rows)
    said = torch.zeros((), device=model.device)
    for shares in passes_of(rows, rank.of):
        ids, attention, carries = batched(shares[rank.number] or [_silent(rows[0])], model.device)
        logits = model(input_ids=ids, attention_mask=attention, use_cache=False).logits
        targets = carries[:, 1:]
        loss = cross_entropy(logits[:, :-1][targets].float(), ids[:, 1:][targets], reduction="sum") / trained
        (loss * rank.of).backward()  # FSDP takes the mean of the ranks' gradients, and the sum is wanted
        said += loss.detach()
    torch.distributed.all_reduce(said)
    return said


def _silent(row: EncodedRow) -> EncodedRow:
    """A row that carries no loss, for a rank that has none."""
    return replace(row, ids=row.ids[:1], mask=(False,))


def _whole(model: Any, config: LocalFTJobConfig, rank: Rank) -> dict[str, torch.Tensor]:
    """What is to be written, in the processor's memory; {} in ranks that write nothing, which give their shares."""
    whole: dict[int, torch.Tensor] = {}
    named = {}
    for name, weight in model.state_dict(keep_vars=True).items():
        if config.method == "lora" and not weight.requires_grad:
            continue
        if id(weight) not in whole:  # tied weights stay one
            values = weight.detach()
            values = values.full_tensor() if hasattr(values, "full_tensor") else values
            whole[id(weight)] = values.cpu() if rank.number == 0 else values[:0]
        named[name] = whole[id(weight)]
    return named if rank.number == 0 else {}
