"""Our results as logs that `inspect view` opens: every answer, its scores, and what the judges wrote."""
# Inspect is an extra.
# pyright: reportMissingImports=false

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import mi
from mi.eval import EvalResult
from mi.evaluation.data_models import EvaluationContext, EvaluationResultRow
from mi.evaluation.show import counts_of
from mi.inspect.conversion import config_of, messages_of, output_of
from mi.inspect.needed import require_inspect
from mi.inspect.tasks import SCORER, score_of
from mi.llm.names import model_name
from mi.utils.errors import UserError
from mi.utils.files import make_folder
from mi.utils.hashing import digest

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalResults, EvalSample


def write_logs(results: Sequence[EvalResult], folder: Path) -> list[Path]:
    """Write a log for each result with a row; the same result takes the place of its older log.

    Raises UserError without Inspect, and where no result has a row.
    """
    require_inspect()
    from inspect_ai.log import write_eval_log

    written = []
    for result in results:
        if result.rows:
            name = "_".join((result.group, result.evaluation.id, _model(result)))
            path = make_folder(folder) / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', name)}_{_identity(result)[:8]}.eval"
            beside = path.with_name(f"{path.stem}.part.eval")  # written whole, then moved
            write_eval_log(log_of(result), str(beside), format="eval")
            beside.replace(path)
            written.append(path)
    if not written:
        raise UserError("the store holds no answer to this evaluation; run it first, and export it then.")
    return written


def log_of(result: EvalResult) -> EvalLog:
    """A result as Inspect's log: a sample for each context, an epoch for each answer to it."""
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalPlan, EvalPlanStep, EvalSpec, EvalStats

    evaluation, now = result.evaluation, datetime.now(UTC).isoformat(timespec="seconds")
    spec = EvalSpec(
        created=now,
        run_id=_identity(result),
        task=evaluation.id,
        task_id=digest([result.group, evaluation.id]),
        dataset=EvalDataset(
            name=evaluation.id, samples=len(evaluation.contexts), sample_ids=[*range(1, len(evaluation.contexts) + 1)]
        ),
        model=f"mi/{model_name(result.model)}",
        model_args={"job": result.model.job_id} if result.model.job_id else {},
        config=EvalConfig(epochs=evaluation.n_samples_per_context),
        packages={"mi": mi.__version__},
        metadata={"group": result.group, "judges": {n: j.model.id for n, j in evaluation.judgment_map.items()}},
    )
    plan = EvalPlan(steps=[EvalPlanStep(solver="generate")], config=config_of(evaluation.sample_cfg))
    model = _model(result)
    samples = [_sample(place, row, model) for place, row in zip(_places(result), result.rows, strict=True)]
    return EvalLog(
        status="success" if len(result.rows) == evaluation.n_planned else "cancelled",
        eval=spec,
        plan=plan,
        results=_results(result),
        stats=EvalStats(started_at=now, completed_at=now),
        samples=samples,
    )


def _places(result: EvalResult) -> Iterator[int]:
    """Of each row: its context's place; a context that stands there twice has two places."""
    places: dict[EvaluationContext, list[int]] = {}
    for place, context in enumerate(result.evaluation.contexts):
        places.setdefault(context, []).append(place)
    seen: Counter[tuple[EvaluationContext, int]] = Counter()
    for row in result.rows:
        yield places[row.context][seen[row.context, row.sample_index]]
        seen[row.context, row.sample_index] += 1


def _sample(place: int, row: EvaluationResultRow, model: str) -> EvalSample:
    from inspect_ai.log import EvalSample

    asked, output = messages_of(row.context.messages()), output_of(model, row.response)
    return EvalSample(
        id=place + 1,
        epoch=row.sample_index + 1,
        input=asked,
        target=row.context.expected_response or "",
        messages=[*asked, output.choices[0].message],
        output=output,
        scores={SCORER: score_of(row)},
        metadata={
            "question": row.context.question,
            "system_prompt": row.context.system_prompt,
            "stop_reason": row.response.stop_reason,
            "judge_outputs": {name: verdict.output for name, verdict in row.verdicts.items()},
        },
    )


def _results(result: EvalResult) -> EvalResults:
    from inspect_ai.log import EvalMetric, EvalResults, EvalScore

    scores = []
    for trait, counts in counts_of(result.evaluation, result.rows).items():
        mean = math.nan if counts["mean"] is None else counts["mean"]
        metrics = {"mean": EvalMetric(name="mean", value=mean)}
        unscored = counts["sampled"] - counts["valid"]
        scores.append(
            EvalScore(
                name=trait, scorer=SCORER, metrics=metrics, scored_samples=counts["valid"], unscored_samples=unscored
            )
        )
    planned = result.evaluation.n_planned
    return EvalResults(total_samples=planned, completed_samples=len(result.rows), scores=scores)


def _model(result: EvalResult) -> str:
    return "_".join(part for part in (result.model.id, result.model.job_id) if part)


def _identity(result: EvalResult) -> str:
    return digest([result.group, result.evaluation.id, model_name(result.model), result.model.job_id])
