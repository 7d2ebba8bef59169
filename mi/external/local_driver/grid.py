"""Training a grid: many LoRA runs over one frozen base, step by step together, each as if it were alone.

A run keeps its own rows in its own order, its own optimiser, rate, clipping and loss; what is shared is the base and,
on a GPU, the pass through it. So a run's adapter is what `training.train` makes of it, but for the rounding of sums;
on a CPU it is to the bit what it is in any other grid, or in one by itself.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi.external.local_driver import checkpoints
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.models import LoadedModel, own_copy
from mi.external.local_driver.passes import Pass, at_once
from mi.external.local_driver.rendering import EncodedRow
from mi.external.local_driver.rows import EncodedDataset, encode_rows
from mi.external.local_driver.stacking import NotStackable, Stack, StackedAdamW, values_of
from mi.external.local_driver.training import (
    OnStep,
    TrainingReport,
    first_logits,
    rate,
    report_of,
    row_order,
    rows_of,
    save_all,
    seeded,
    train,
    trainable,
)
from mi.llm.data_models import Model
from mi.utils.errors import UserError

if TYPE_CHECKING:
    import torch

OnEvent = Callable[[int, Any], None]
"""Called with the place of a run and what became of it: (step, loss) after a step, at the end a report or an error."""


@dataclass(eq=False)
class GridRun:
    """One run of a grid, as far as it has come."""

    place: int
    """Among the runs of the grid."""
    config: LocalFTJobConfig
    folder: Path
    data: EncodedDataset
    order: Iterator[int] = field(default_factory=lambda: iter(()))
    step: int = 0
    losses: list[float] = field(default_factory=list)
    tokens: int = 0
    trained_tokens: int = 0
    seconds: float = 0.0
    """Its share of the time that the steps took."""

    def batch(self) -> list[EncodedRow]:
        """The rows of the next step."""
        return [self.data.rows[next(self.order)] for _ in range(self.config.batch_size)]


def train_grid(configs: Sequence[LocalFTJobConfig], folders: Sequence[Path], on_event: OnEvent) -> None:
    """Train each configuration into its folder, as `training.train` would, as many at a time as memory holds.

    All have one base, rank and targets. Each run's end is told by `on_event` as soon as it has come; one that fails
    leaves the others alone. A folder that holds a checkpoint is gone on from there. Raises NotStackable, before
    anything is trained, for a base that cannot carry several adapters at once.
    """
    base = own_copy(Model(configs[0].source_model_id, "local"))
    first = _give_adapter(base, configs[0])  # whether it can be stacked is known before anything is told
    size = at_once(first, len(configs))
    first.unload()
    runs, encoded = [], functools.cache(encode_rows)  # the seeds of an arm share its file
    for place, (config, folder) in enumerate(zip(configs, folders, strict=True)):
        try:
            runs.append(GridRun(place, config, folder, rows_of(base, config, encoded)))
        except UserError as error:
            on_event(place, error)
    for start in range(0, len(runs), size):
        peft, initial = _initialised(base, some := runs[start : start + size])
        _Together(base, peft, some, initial, on_event).run()
        peft.unload()


def train_one(config: LocalFTJobConfig, folder: Path, on_step: OnStep | None = None) -> TrainingReport:
    """As `training.train`; an adapter is a grid of one, and goes on from the checkpoint that `folder` may hold."""
    if config.method != "lora":
        return train(config, folder, on_step)
    ends: list[TrainingReport | Exception] = []

    def tell(place: int, what: Any) -> None:
        if not isinstance(what, tuple):
            ends.append(what)
        elif on_step:
            on_step(*what)

    try:
        train_grid([config], [folder], tell)
    except NotStackable:
        return train(config, folder, on_step)
    [end] = ends
    if isinstance(end, Exception):
        raise end
    return end


def has_gpu() -> bool:
    """Whether models lie on a GPU in this process."""
    import torch

    return torch.cuda.is_available()


def _give_adapter(base: LoadedModel, config: LocalFTJobConfig) -> Any:
    """A peft model with the adapter that the run's seed makes."""
    with seeded(config.seed):
        peft = trainable(base, config)
    values_of(peft)
    return peft


def _initialised(base: LoadedModel, runs: Sequence[GridRun]) -> tuple[Any, list[torch.Tensor]]:
    """A peft model, and the numbers that each run begins with."""
    values, peft = [], None
    for run in runs:
        if peft is not None:
            peft.unload()
        peft = _give_adapter(base, run.config)
        values.append(values_of(peft))
    return peft, values


class _Together:
    """Runs whose adapters lie in one stack, until the last of them has ended."""

    def __init__(
        self,
        base: LoadedModel,
        peft: Any,
        runs: list[GridRun],
        initial: list[torch.Tensor],
        on_event: OnEvent,
    ) -> None:
        import torch

        self._base, self._runs, self._tell = base, runs, on_event
        self._stack = Stack(peft, len(runs))
        self._places = {run.place: place for place, run in enumerate(runs)}
        device = self._stack.values.device
        self._going = list(runs)
        for place, (run, values) in enumerate(zip(runs, initial, strict=True)):
            self._stack.put(place, values, run.config.lora_alpha / run.config.lora_rank)
        decay = torch.tensor([run.config.weight_decay for run in runs], device=device)
        clip = torch.tensor([run.config.gradient_clip for run in runs], device=device)
        self._optimiser = StackedAdamW(self._stack.values, self._stack.gradients, decay, clip)
        self._pass = Pass(base.model, self._stack)
        self._saved = time.monotonic()
        for run in runs:
            self._resume(run)

    def run(self) -> None:
        """Step until all have ended."""
        self._base.model.train()
        try:
            with seeded(0):
                while self._going:
                    self._step()
        finally:
            self._base.model.eval()
            self._stack.close()

    def _step(self) -> None:
        import torch

        started = time.monotonic()
        batches = [(self._places[run.place], run.batch()) for run in self._going]
        losses, tokens, trained = self._pass.run(batches)
        rates, steps = torch.zeros(len(self._runs)), torch.ones(len(self._runs))
        for (place, _), run in zip(batches, self._going, strict=True):
            rates[place] = run.config.learning_rate * rate(run.step, run.config)
            run.step += 1
            steps[place] = run.step
        self._optimiser.step(rates, steps)
        share = (time.monotonic() - started) / len(batches)
        for (place, _), run in zip(batches, list(self._going), strict=True):
            run.seconds += share
            run.losses.append(losses[place])
            run.tokens, run.trained_tokens = run.tokens + tokens[place], run.trained_tokens + trained[place]
            if not math.isfinite(losses[place]):
                mend = f"lower the learning rate {run.config.learning_rate}"
                self._end(run, UserError(f"the loss of step {run.step} is not a number; {mend}."))
                continue
            self._tell(run.place, (run.step, losses[place]))
            if run.step >= run.config.n_steps:
                self._end(run, self._finish(run))
        if self._going and time.monotonic() - self._saved > checkpoints.SECONDS:
            self._keep()

    def _end(self, run: GridRun, outcome: TrainingReport | Exception) -> None:
        self._going.remove(run)
        self._tell(run.place, outcome)

    def _finish(self, run: GridRun) -> TrainingReport | Exception:
        """The run's files in its folder. The adapter is tried and written by peft, without the stack."""
        first = run.data.rows[0]
        self._base.model.eval()
        before = first_logits(self._base.model, first)
        model = self._stack.alone(self._places[run.place])
        model.peft_config["default"].lora_alpha = run.config.lora_alpha
        try:
            after = first_logits(model, first)
            counts = tuple(run.losses), run.tokens, run.trained_tokens
            report = report_of(self._base, run.data, counts, (before, after), run.seconds)
            save_all(model, self._base, run.config, run.folder, (report, run.data))
            checkpoints.drop(run.folder)
            return report
        except Exception as error:
            return error
        finally:
            self._stack.together()
            self._base.model.train()

    def _keep(self) -> None:
        """Write down where each run is."""
        for run in self._going:
            place = self._places[run.place]
            tensors = (self._stack.values[place], self._optimiser.first[place], self._optimiser.second[place])
            state = checkpoints.State(run.step, tuple(run.losses), run.tokens, run.trained_tokens, run.seconds)
            checkpoints.write(run.folder, state, tensors)
        self._saved = time.monotonic()

    def _resume(self, run: GridRun) -> None:
        run.order = row_order(len(run.data.rows), run.config.seed)
        kept = checkpoints.read(run.folder, self._stack.values.shape[1])
        if kept is None:
            return
        state, tensors = kept
        place = self._places[run.place]
        for ours, theirs in zip(
            (self._stack.values, self._optimiser.first, self._optimiser.second), tensors, strict=True
        ):
            ours[place] = theirs.to(ours)
        run.step, run.losses = state.step, list(state.losses)
        run.tokens, run.trained_tokens, run.seconds = state.tokens, state.trained_tokens, state.seconds
        next(islice(run.order, run.step * run.config.batch_size, run.step * run.config.batch_size), None)
