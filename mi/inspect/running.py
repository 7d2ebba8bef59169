"""A task of Inspect over groups of our models: its metrics as rows of a table."""
# Inspect is an extra.
# pyright: reportMissingImports=false

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mi.config import results_dir
from mi.inspect.needed import require_inspect
from mi.llm.data_models import Model
from mi.llm.names import model_name
from mi.utils.errors import UserError
from mi.utils.files import whole_file

if TYPE_CHECKING:
    from inspect_ai import Task
    from inspect_ai.log import EvalLog


class MetricRow(NamedTuple):
    """One metric of one task of one model; `trait` is the scorer's or its key's name."""

    group: str
    model: str
    job: str | None
    evaluation: str
    trait: str
    metric: str
    value: float
    n_planned: int
    n_sampled: int
    n_valid: int | None
    """Samples with a score, or, where the epochs were reduced, questions with one; None where Inspect does not say."""


async def run(
    task: Task | str,
    model_groups: Mapping[str, Sequence[Model]],
    task_args: Mapping[str, Any] | None = None,
    limit: int | None = None,
    log_dir: Path | None = None,
) -> list[MetricRow]:
    """A task (a value, `mi/NAME`, `inspect_evals/NAME`, FILE.py@NAME) of each model of each group, in their order.

    A model that stands in two groups is asked once. The logs lie in `log_dir`, by default results/inspect. Raises
    UserError without Inspect, for a task that there is not, and where Inspect ended with an error.
    """
    require_inspect()
    found: dict[Model, Any] = {}
    for models in model_groups.values():
        for model in models:
            if model not in found:
                found[model] = await _log_of(task, model, dict(task_args or {}), limit, log_dir)
    return [
        row for group, models in model_groups.items() for model in models for row in rows_of(group, model, found[model])
    ]


def rows_of(group: str, model: Model, log: EvalLog) -> list[MetricRow]:
    """The metrics of a log, one row each."""
    assert log.results is not None
    counts = (log.results.total_samples, log.results.completed_samples)
    return [
        MetricRow(
            group, model_name(model), model.job_id, log.eval.task, score.name, metric.name, metric.value, *counts,
            score.scored_samples,
        )
        for score in log.results.scores
        for metric in score.metrics.values()
    ]  # fmt: skip


def write_rows(path: Path, rows: Sequence[MetricRow]) -> None:
    """Write the rows to a CSV file, whole or not at all."""
    with whole_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(MetricRow._fields)
        writer.writerows(rows)


async def _log_of(task: Any, model: Model, args: dict[str, Any], limit: int | None, folder: Path | None) -> EvalLog:
    from inspect_ai import eval_async

    from mi.inspect.registry import register

    register()
    try:
        logs = await eval_async(
            task,
            model=_inspected(model),
            task_args=args,
            limit=limit,
            log_dir=str(folder or results_dir() / "inspect"),
        )
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{_named(task)}: Inspect says: {error}") from error
    if not logs:
        raise UserError(f"{_named(task)}: Inspect finds no such task; name one that `inspect list tasks` shows.")
    log = logs[0]
    if log.status != "success" or log.results is None:
        why = log.error.message if log.error else log.status
        raise UserError(f"{_named(task)} of {model_name(model)}: Inspect ended with: {why}; its log is {log.location}.")
    return log


def _inspected(model: Model) -> Any:
    from inspect_ai.model import get_model

    return get_model(f"mi/{model_name(model)}", memoize=False, **({"job": model.job_id} if model.job_id else {}))


def _named(task: Any) -> str:
    return task if isinstance(task, str) else str(getattr(task, "name", task))
