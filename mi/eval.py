"""Evaluate groups of models: run what is missing, read back what is there."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from mi.evaluation.budget import Budget
from mi.evaluation.cells import Watch
from mi.evaluation.data_models import Evaluation, EvaluationResultRow
from mi.evaluation.services import Rows, recall_evaluations, run_all
from mi.evaluation.show import Lines
from mi.llm.data_models import Model
from mi.utils.jsonl import write_jsonl


class EvalResult(NamedTuple):
    """What one evaluation found of one model: one row an answer, `len(contexts) * n_samples_per_context` planned."""

    model: Model
    group: str
    evaluation: Evaluation
    rows: tuple[EvaluationResultRow, ...]

    def __repr__(self) -> str:
        """One line: asyncio.run writes what its task gave into a text that nobody reads, were it 100,000 rows."""
        return f"<EvalResult of {self.model.id} in {self.group}: {self.evaluation.id}, {len(self.rows):,} rows>"


ModelGroups = Mapping[str, Sequence[Model]]


async def eval(
    model_groups: ModelGroups,
    evaluations: Sequence[Evaluation],
    output_dir: Path | str | None = None,
    max_cost: float | Budget | None = None,
    watch: Watch | None = None,
) -> list[EvalResult]:
    """Every evaluation of every model of every group, in this order: groups, models, evaluations.

    Asks for nothing that the store holds; a model that stands in two groups is evaluated once. With `output_dir`,
    the rows are written there, too, one JSONL file for each result. With `max_cost`, in US dollars, it stops before
    more could be spent; one `Budget` given to several calls is a limit for all of them. `watch` shows how far it is;
    by default lines on a terminal, nothing elsewhere.
    Raises UserError for bad input.
    """
    models = list(dict.fromkeys(model for models in model_groups.values() for model in models))
    budget = max_cost if isinstance(max_cost, Budget) else Budget(max_cost)
    found = dict(zip(models, await run_all(models, evaluations, watch or Lines(), budget), strict=True))
    results = _results(model_groups, evaluations, found)
    if output_dir is not None:
        _write(results, Path(output_dir))
    return results


def load_results(model_groups: ModelGroups, evaluations: Sequence[Evaluation]) -> list[EvalResult]:
    """As `eval`, from the store alone: answers that are missing there have no row, and nothing is asked."""
    models = dict.fromkeys(model for models in model_groups.values() for model in models)
    return _results(model_groups, evaluations, {model: recall_evaluations(model, evaluations) for model in models})


def rows_of(result: EvalResult) -> Iterator[dict[str, Any]]:
    """The rows as one reads them: context, answer, verdicts with reasons and what the judges wrote, scores."""
    for row in result.rows:
        yield {
            **asdict(row.context),
            "sample_index": row.sample_index,
            "answer": row.response.completion,
            "stop_reason": row.response.stop_reason,
            "judgments": dict(row.judgments),
            "reasons": row.reasons,
            "judge_outputs": {name: verdict.output for name, verdict in row.verdicts.items()},
            "scores": dict(row.scores),
        }


def _results(
    groups: ModelGroups, evaluations: Sequence[Evaluation], found: Mapping[Model, Sequence[Rows]]
) -> list[EvalResult]:
    return [
        EvalResult(model, group, evaluation, rows)
        for group, models in groups.items()
        for model in models
        for evaluation, rows in zip(evaluations, found[model], strict=True)
    ]


def _write(results: Sequence[EvalResult], folder: Path) -> None:
    for result in results:
        model = "_".join(part for part in (result.model.id, result.model.job_id) if part)
        names = [re.sub(r"[^\w.-]+", "-", name).strip("-.") for name in (result.group, result.evaluation.id, model)]
        write_jsonl(folder / names[0] / names[1] / f"{names[2]}.jsonl", rows_of(result))
