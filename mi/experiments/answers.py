"""From evaluation results to the table of answers, one row each, and the files that an experiment leaves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi.eval import EvalResult
from mi.evaluation.data_models import Evaluation
from mi.experiments.data_models import Run
from mi.utils.files import whole_file

if TYPE_CHECKING:
    import pandas as pd

Evaluations = Mapping[str, Sequence[tuple[str, Evaluation]]]
"""By setting: each evaluation with its distribution."""
COLUMNS = ["setting", "arm", "seed", "evaluation", "question", "system_prompt", "answer", "scores"]
_MORE = ["distribution", "sample_index", "refused", "stop_reason", "judgments", "model", "job_id"]


def table(results: Sequence[tuple[Run, EvalResult]], evaluations: Evaluations) -> pd.DataFrame:
    """One row an answer: COLUMNS, then distribution, sample, refusal, verdicts and model.

    `scores` and `judgments` are trait -> value; a value that could not be told is None.
    """
    import pandas as pd

    rows = [_row(run, result, index, evaluations) for run, result in results for index in range(len(result.rows))]
    return pd.DataFrame(rows, columns=[*COLUMNS, *_MORE])


def planned(results: Sequence[tuple[Run, EvalResult]], evaluations: Evaluations) -> pd.DataFrame:
    """One row a run, evaluation and trait: setting, arm, evaluation, distribution, trait and n_planned, in answers."""
    import pandas as pd

    rows = [
        {
            "setting": run.setting.get_domain_name(),
            "arm": run.arm.name,
            "seed": run.seed,
            "evaluation": result.evaluation.id,
            "distribution": _distribution(run, result, evaluations),
            "trait": trait,
            "n_planned": len(result.evaluation.contexts) * result.evaluation.n_samples_per_context,
        }
        for run, result in results
        for trait in result.evaluation.traits
    ]
    return pd.DataFrame(rows)


def judge_agreement(results: Sequence[tuple[Run, EvalResult]]) -> pd.DataFrame:
    """How often the judge's verdict (above one half) is the exact score, by trait, over all answers that have both."""
    import pandas as pd

    pairs: dict[str, list[bool]] = defaultdict(list)
    unjudged: dict[str, int] = defaultdict(int)
    for _, result in results:
        for row in result.rows:
            for name, verdict in row.judgments.items():
                score = row.scores.get(name)
                if verdict is None or score is None:
                    unjudged[name] += 1
                else:
                    pairs[name].append((verdict > 0.5) == (score > 0.5))
    rows = [
        {"trait": name, "agreement": sum(same) / len(same), "n": len(same), "n_without_both": unjudged[name]}
        for name, same in pairs.items()
    ]
    return pd.DataFrame(rows, columns=["trait", "agreement", "n", "n_without_both"])


def write(
    folder: Path, answers: pd.DataFrame, summary: pd.DataFrame, contrasts: pd.DataFrame, agreement: pd.DataFrame
) -> None:
    """Write answers.parquet, summary.csv, contrasts.csv and judge_agreement.csv, each whole or not at all."""
    with whole_file(folder / "answers.parquet", "wb") as file:
        answers.to_parquet(file, index=False)
    for name, frame in (("summary", summary), ("contrasts", contrasts), ("judge_agreement", agreement)):
        with whole_file(folder / f"{name}.csv") as file:
            frame.to_csv(file, index=False)


def _row(run: Run, result: EvalResult, index: int, evaluations: Evaluations) -> dict[str, Any]:
    row = result.rows[index]
    return {
        "setting": run.setting.get_domain_name(),
        "arm": run.arm.name,
        "seed": run.seed,
        "evaluation": result.evaluation.id,
        "question": row.context.question,
        "system_prompt": row.context.system_prompt,
        "answer": row.response.completion,
        "scores": dict(row.scores),
        "distribution": _distribution(run, result, evaluations),
        "sample_index": row.sample_index,
        "refused": row.response.stop_reason in ("refusal", "content_filter"),
        "stop_reason": row.response.stop_reason,
        "judgments": dict(row.judgments),
        "model": result.model.id,
        "job_id": result.model.job_id,
    }


def _distribution(run: Run, result: EvalResult, evaluations: Evaluations) -> str:
    known = evaluations[run.setting.get_domain_name()]
    return next(distribution for distribution, evaluation in known if evaluation.id == result.evaluation.id)
