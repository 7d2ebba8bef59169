"""What a person sees of an evaluation: a line a model and evaluation while it runs, then a table."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mi.evaluation.archive import Holding
from mi.evaluation.cells import Cell
from mi.evaluation.data_models import Evaluation, EvaluationResultRow
from mi.evaluation.planning import PlannedEvaluation
from mi.llm.data_models import Model
from mi.llm.traffic import retries

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MOST_LINES = 24
_SECONDS_BETWEEN = 0.25


class Lines:
    """A line for each model and evaluation that asks for anything, on standard error while it is a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console

    @contextmanager
    def watching(self, cells: Sequence[Cell]) -> Iterator[None]:
        """Show the cells for as long as the block lasts, and what became of them after it."""
        asking = [cell for cell in cells if cell.answered < cell.planned or cell.judged < cell.to_judge]
        console = self._console or _console()
        if not asking or not console.is_terminal:
            yield
            return
        from rich.live import Live

        with Live(get_renderable=lambda: progress_table(asking), console=console, refresh_per_second=4, transient=True):
            yield
        console.print(closing_table(cells))


def progress_table(cells: Sequence[Cell]) -> Table:
    """A line a cell, those under way first: answers, how fast, refusals, verdicts, tokens, dollars, time left."""
    table = _table("", "answers", "in flight", "a second", "refused", "judged", "retries", "tokens", "cost", "left")
    under_way = sorted(cells, key=_is_done)
    for cell in under_way[:_MOST_LINES]:
        table.add_row(*_progress(cell))
    if len(cells) > _MOST_LINES:
        table.caption = f"and {len(cells) - _MOST_LINES} more"
    return table


def closing_table(cells: Sequence[Cell]) -> Table:
    """A row a cell: planned, sampled, refused, judged; how many came of the store; tokens and dollars of this run."""
    table = _table("", "planned", "sampled", "stored", "refused", "to judge", "judged", "tokens", "cost")
    for cell in cells:
        counts = (cell.planned, cell.answered, cell.stored, cell.refused, cell.to_judge, cell.judged, cell.tokens)
        table.add_row(_name(cell.model, cell.evaluation), *(f"{count:,}" for count in counts), _cost(cell))
    return table


def results_table(results: Sequence[tuple[Model, str, Evaluation, Sequence[EvaluationResultRow]]]) -> Table:
    """A row for each result of `eval` and trait: planned, sampled, refused, valid, and the mean of the valid scores."""
    table = _table("", "trait", "planned", "sampled", "refused", "valid", "mean")
    for model, group, evaluation, rows in results:
        for trait, counts in counts_of(evaluation, rows).items():
            shown = [f"{counts[name]:,}" for name in ("planned", "sampled", "refused", "valid")]
            mean = "" if counts["mean"] is None else f"{counts['mean']:.3f}"
            table.add_row(f"{group}: {_name(model, evaluation)}", trait, *shown, mean)
    return table


def counts_of(evaluation: Evaluation, rows: Sequence[EvaluationResultRow]) -> dict[str, dict[str, Any]]:
    """By trait: planned, sampled, refused and valid answers, and the mean of the valid scores (None without any)."""
    refused = sum(row.response.completion is None for row in rows)
    counted = {}
    for trait in evaluation.traits:
        valid = [value for row in rows if (value := row.scores.get(trait)) is not None]
        counted[trait] = {
            "planned": evaluation.n_planned,
            "sampled": len(rows),
            "refused": refused,
            "valid": len(valid),
            "mean": sum(valid) / len(valid) if valid else None,
        }
    return counted


def planned_table(plans: Sequence[PlannedEvaluation]) -> Table:
    """A row for each model and evaluation of a plan: what is there, what would be asked, and what that would cost."""
    table = _table("", "planned", "there", "to ask", "to judge", "tokens in", "tokens out", "cost", "at most")
    for plan in plans:
        total = plan.answers + plan.judgements
        counts = (plan.planned, plan.stored, plan.answers.calls, plan.judgements.calls)
        tokens = (total.prompt_tokens, total.completion_tokens)
        dollars = ("?" if cost is None else _dollars(cost) for cost in (total.cost, total.cost_at_most))
        table.add_row(_name(plan.model, plan.evaluation), *(f"{n:,}" for n in (*counts, *tokens)), *dollars)
    return table


def holdings_table(holdings: Sequence[Holding]) -> Table:
    """A row a file of the store: the model, its fingerprint, calls, damaged lines, megabytes."""
    table = _table("model", "kind", "fingerprint", "calls", "damaged", "MB")
    for one in holdings:
        name = " or ".join(map(_short, one.names)) or "(kept by an older version)"
        counts = (f"{one.n:,}", f"{one.n_damaged:,}", f"{one.n_bytes / 1e6:,.1f}")
        table.add_row(name, one.kind, one.fingerprint[:12], *counts)
    return table


def _progress(cell: Cell) -> list[str]:
    fresh = cell.answered - cell.stored
    seconds = max(time.monotonic() - cell.started, 1e-3)
    left = cell.seconds_left(seconds)
    return [
        _name(cell.model, cell.evaluation),
        f"{cell.answered:,}/{cell.planned:,}",
        f"{cell.in_flight:,}",
        f"{fresh / seconds:,.0f}",
        f"{cell.refused:,}",
        f"{cell.judged:,}/{cell.to_judge:,}" if cell.evaluation.judgment_map else "",
        f"{retries(cell.model.id):,}",
        f"{cell.tokens:,}",
        _cost(cell),
        "" if _is_done(cell) else "?" if left is None else _clock(left),
    ]


def _short(name: str) -> str:
    """A model's name with the beginning of its job."""
    model, _, job = name.partition(" ")
    return f"{model} {job[:8]}".strip()


def _is_done(cell: Cell) -> bool:
    return cell.answered >= cell.planned and cell.judged >= cell.to_judge


def _name(model: Model, evaluation: Evaluation) -> str:
    return f"{model.id}{f' {model.job_id[:8]}' if model.job_id else ''} · {evaluation.id}"


def _cost(cell: Cell) -> str:
    return f"{_dollars(cell.cost)} + ?" if cell.has_unpriced else _dollars(cell.cost)


def _dollars(cost: float) -> str:
    return f"${cost:,.2f}" if cost >= 0.005 or not cost else f"${cost:.4f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _table(*headings: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", overflow="ellipsis", no_wrap=True)
    return table


def _console() -> Console:
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False)
