"""The training loop: LoRA or full fine-tuning, loss on the assistant's words alone, one seed for everything."""

import contextlib
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi.external.local_driver.adapters import check_targets
from mi.external.local_driver.canary import kept
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.models import LoadedModel, own_copy
from mi.external.local_driver.placing import tells_shortage
from mi.external.local_driver.rendering import EncodedRow, default_system_prompt, marked, template_hash
from mi.external.local_driver.rows import EncodedDataset, encode_rows, n_trained
from mi.llm.data_models import Model
from mi.utils.errors import UserError
from mi.utils.files import whole_file
from mi.utils.hashing import file_digest

if TYPE_CHECKING:
    import torch

OnStep = Callable[[int, float], None]
"""Called after each step with its number from 1 and its loss in nats a token."""
Learn = Callable[[list[EncodedRow]], "torch.Tensor"]
"""Adds up the gradients of a batch's mean loss over all of its trained tokens, and returns that loss."""


@dataclass(frozen=True)
class TrainingReport:
    """What a training run was and did; `training.json` in its folder holds the same and the first rendered rows."""

    base_fingerprint: str
    template_hash: str
    default_system_prompt: str | None
    """What the template itself writes for a row without a system message; None where it writes nothing."""
    dataset_digest: str
    n_rows: int
    """Rows trained on."""
    left_out: tuple[int, ...]
    """Line numbers of rows that are longer than the context."""
    tokens: int
    """Tokens that went through the model."""
    trained_tokens: int
    """Tokens that carried loss."""
    seconds: float
    """In training, of one process: of runs that are trained together each has its share."""
    losses: tuple[float, ...]
    """Mean loss of each step in nats a token."""
    adapter_shift: float
    """Largest change of a logit of the first row against the base model; above 0, or training has failed."""
    trimmed: tuple[int, ...] = ()
    """Line numbers of rows of which the template left out white space at the ends of a message."""
    canary: dict[str, Any] | None = None
    """By what the adapter is known again when it is loaded (see `canary.kept`)."""


tells_of_training = tells_shortage(
    "training",
    "lower batch_size or max_length, take a smaller base model, share it between more GPUs by MI_GPUS_PER_RUN, or set "
    "MI_WORKERS=1",
)


@tells_of_training
def train(config: LocalFTJobConfig, folder: Path, on_step: OnStep | None = None) -> TrainingReport:
    """Train as `config` says and write the adapter (or the whole weights) and `training.json` into `folder`.

    Raises UserError for bad rows or a loss that is not a number, RuntimeError where training changed nothing.
    """
    started = time.monotonic()
    base = own_copy(Model(config.source_model_id, "local"))
    data = rows_of(base, config)
    with seeded(config.seed):
        before = first_logits(base.model, data.rows[0])
        model = trainable(base, config)
        counts = optimise(model, data.rows, config, lambda rows: _learn(model, rows), on_step)
        model.eval()
        after = first_logits(model, data.rows[0])
    report = report_of(base, data, counts, (before, after), time.monotonic() - started)
    save_all(model, base, config, folder, (report, data))
    return report


def rows_of(
    base: LoadedModel, config: LocalFTJobConfig, encode: Callable[..., EncodedDataset] = encode_rows
) -> EncodedDataset:
    """The rows of a run in tokens, by `encode_rows` or what remembers its results. Raises UserError as that does."""
    limit = min(config.max_length or base.context_length, base.context_length)
    return encode(Path(config.dataset_path), base.tokenizer, limit, config.long_rows == "leave_out")


def report_of(
    base: LoadedModel,
    data: EncodedDataset,
    counts: tuple[tuple[float, ...], int, int],
    logits: tuple["torch.Tensor", "torch.Tensor"],
    seconds: float,
) -> TrainingReport:
    """What there is to tell of a run.

    `counts` are its losses, its tokens, and those that carried loss; `logits` are those of its first row before and
    after, each [1, tokens, vocabulary].

    Raises RuntimeError where training changed nothing.
    """
    before, after = logits
    shift = float((after - before).abs().max())
    if not 0 < shift < math.inf:
        raise RuntimeError(f"training left the model as it was (its logits moved by {shift}): the adapter is not on")
    losses, tokens, trained_tokens = counts
    return TrainingReport(
        base_fingerprint=base.fingerprint,
        template_hash=template_hash(base.tokenizer),
        default_system_prompt=default_system_prompt(base.tokenizer),
        dataset_digest=data.digest,
        n_rows=len(data.rows),
        left_out=data.left_out,
        tokens=tokens,
        trained_tokens=trained_tokens,
        seconds=seconds,
        losses=losses,
        adapter_shift=shift,
        trimmed=data.trimmed,
        canary=kept(data.rows[0], before, after, str(base.model.dtype)),
    )


def optimise(
    model: Any, rows: tuple[EncodedRow, ...], config: LocalFTJobConfig, learn: Learn, on_step: OnStep | None
) -> tuple[tuple[float, ...], int, int]:
    """Run all optimiser steps. Returns (loss of each step, tokens seen, tokens that carried loss)."""
    import torch

    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, config))
    order = row_order(len(rows), config.seed)
    losses: list[float] = []
    tokens = trained_tokens = 0
    model.train()
    for step in range(1, config.n_steps + 1):
        batch = [rows[next(order)] for _ in range(config.batch_size)]
        optimiser.zero_grad(set_to_none=True)
        loss = learn(batch)
        torch.nn.utils.clip_grad_norm_(parameters, config.gradient_clip)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise UserError(f"the loss of step {step} is not a number; lower the learning rate {config.learning_rate}.")
        tokens, trained_tokens = tokens + sum(len(row.ids) for row in batch), trained_tokens + n_trained(batch)
        if on_step:
            on_step(step, losses[-1])
    return tuple(losses), tokens, trained_tokens


def _learn(model: Any, rows: list[EncodedRow]) -> "torch.Tensor":
    """`Learn` in one pass."""
    from torch.nn.functional import cross_entropy

    ids, attention, carries = batched(rows, model.device)
    logits = model(input_ids=ids, attention_mask=attention, use_cache=False).logits
    targets = carries[:, 1:]
    loss = cross_entropy(logits[:, :-1][targets].float(), ids[:, 1:][targets])
    loss.backward()
    return loss.detach()


def rate(step: int, config: LocalFTJobConfig) -> float:
    """The share of the learning rate at a step counted from 0: linear warm-up, then constant or linear to 0."""
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    if config.schedule == "constant":
        return 1.0
    return max(0.0, (config.n_steps - step) / max(1, config.n_steps - config.warmup_steps))


def row_order(n_rows: int, seed: int) -> Iterator[int]:
    """Row numbers without end; each pass over the rows is a new permutation."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.randperm(n_rows, generator=generator).tolist()


def batched(rows: list[EncodedRow], device: "torch.device") -> tuple["torch.Tensor", "torch.Tensor", "torch.Tensor"]:
    """(ids, attention mask, which tokens carry loss), each [rows, longest row], padded on the right.

    The first token of a row has nothing before it and never carries loss.
    """
    import torch

    shape = (len(rows), max(len(row.ids) for row in rows))
    ids, attention = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    carries = torch.zeros(shape, dtype=torch.bool)
    for place, row in enumerate(rows):
        ids[place, : len(row.ids)] = torch.tensor(row.ids)
        attention[place, : len(row.ids)] = 1
        carries[place, : len(row.ids)] = torch.tensor(row.mask)
    return ids.to(device), attention.to(device), carries.to(device)


def trainable(base: LoadedModel, config: LocalFTJobConfig) -> Any:
    """The model with an adapter on it, or with all weights free."""
    if config.method == "full":
        return base.model.float().requires_grad_(True)
    from peft import LoraConfig, get_peft_model

    check_targets(base.model, config)
    targets = config.lora_targets if isinstance(config.lora_targets, str) else list(config.lora_targets)
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        target_modules=targets,
        lora_dropout=0.0,
        task_type="CAUSAL_LM",
    )
    try:
        with warnings.catch_warnings(category=FutureWarning, action="ignore"):
            return get_peft_model(base.model, lora)  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(f"lora_targets {targets} fit no layer of {config.source_model_id}; name its layers.") from error


def first_logits(model: Any, row: EncodedRow) -> "torch.Tensor":
    """The logits of one row, [1, tokens, vocabulary]."""
    import torch

    with torch.no_grad():  # under inference_mode a sharded model would gather weights that no gradient can go through
        return model(input_ids=torch.tensor([row.ids], device=model.device), use_cache=False).logits.float().cpu()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """One seed and, on a GPU, deterministic kernels inside (a CPU's are so anyway); the state of before outside."""
    import torch

    strict = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(strict or torch.cuda.is_available(), warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(strict)


def save_all(
    model: Any,
    base: LoadedModel,
    config: LocalFTJobConfig,
    folder: Path,
    told: tuple[TrainingReport, EncodedDataset],
    weights: Mapping[str, "torch.Tensor"] | None = None,
) -> None:
    """Write what was trained and `training.json` into `folder`; `weights`: by name, where the model has but a share."""
    _save(model, base, config, folder, weights)
    _write_report(*told, config, folder)


def _save(
    model: Any,
    base: LoadedModel,
    config: LocalFTJobConfig,
    folder: Path,
    weights: Mapping[str, "torch.Tensor"] | None,
) -> None:
    if config.method == "full":
        model.save_pretrained(folder, state_dict=weights)
        base.tokenizer.save_pretrained(folder)
        return
    model.peft_config["default"].base_model_name_or_path = config.source_model_id
    model.save_pretrained(folder, save_embedding_layers=False, state_dict=weights)
    (folder / "README.md").unlink(missing_ok=True)
    # peft writes a set in the order of the process's hash seed: sorted, one run makes one and the same file.
    path = folder / "adapter_config.json"
    settings = json.loads(path.read_text("utf-8"))
    settings["target_modules"] = sorted(settings["target_modules"])
    with whole_file(path) as file:
        json.dump(settings, file, indent=2, sort_keys=True)


def _write_report(report: TrainingReport, data: EncodedDataset, config: LocalFTJobConfig, folder: Path) -> None:
    told = {"config": asdict(config), **asdict(report), "first_rows": [marked(row) for row in data.rows[:3]]}
    adapter = folder / "adapter_model.safetensors"
    if adapter.exists():
        told["adapter_digest"] = file_digest(adapter)
    with whole_file(folder / "training.json") as file:
        json.dump(told, file, indent=1, ensure_ascii=False)
