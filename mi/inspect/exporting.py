"""Evaluations as files and commands for Inspect, and its metrics as a table for a terminal."""
# Inspect is an extra.
# pyright: reportMissingImports=false

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mi.evaluation.data_models import Evaluation
from mi.evaluation.known import EVALUATIONS
from mi.utils.errors import UserError
from mi.utils.files import whole_file

if TYPE_CHECKING:
    from rich.table import Table

    from mi.inspect.running import MetricRow

_FILE = '''\
"""{id}: {n} questions, scored for {traits}. Made by `mi inspect export`; change it as you like."""

from inspect_ai import Task, task

from mi.inspect.catalogue import evaluation_named
from mi.inspect.tasks import task_of


@task
def {function}(judge: str | None = {judge!r}) -> Task:
    return task_of(evaluation_named({name!r}, judge))
'''


def command(name: str, judge: str | None = None) -> str:
    """What to type so that Inspect runs the evaluation of that name."""
    task = f"mi/{name}" if name in EVALUATIONS else f"mi/evaluation -T name={name}"
    return f"inspect eval {task} --model mi/organism{f' -T judge={judge}' if judge else ''}"


def write_task(path: Path, name: str, evaluation: Evaluation, judge: str | None = None) -> None:
    """Write a file with the evaluation as a task. Raises UserError where there is a file already."""
    if path.suffix != ".py":
        raise UserError(f"{path}: Inspect takes tasks from .py files; give a name that ends so.")
    if path.exists():
        raise UserError(f"{path}: is there already; choose another name, or remove it.")
    function = re.sub(r"\W", "_", evaluation.id)
    with whole_file(path) as file:
        file.write(
            _FILE.format(
                id=evaluation.id, n=len(evaluation.contexts), traits=", ".join(evaluation.traits),
                function=function if function.isidentifier() else f"task_{function}", judge=judge, name=name,
            )
        )  # fmt: skip


def metrics_table(rows: Sequence[MetricRow]) -> Table:
    """A row for each metric: model, task, trait, planned and sampled answers, those with a score, the value."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, heading in enumerate(("", "trait", "metric", "planned", "sampled", "valid", "value")):
        table.add_column(heading, justify="right" if number > 2 else "left", overflow="fold")
    for row in rows:
        model = f"{row.model} {row.job[:8]}" if row.job else row.model
        valid = "" if row.n_valid is None else f"{row.n_valid:,}"
        table.add_row(
            f"{row.group}: {model} · {row.evaluation}", row.trait, row.metric,
            f"{row.n_planned:,}", f"{row.n_sampled:,}", valid, f"{row.value:.3f}",
        )  # fmt: skip
    return table
