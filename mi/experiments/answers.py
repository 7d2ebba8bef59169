"""From evaluation results to the table of answers, one row each, and the files that an experiment leaves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mi.eval import EvalResult
from mi.experiments.data_models import Run
from mi.utils.files import whole_file

if TYPE_CHECKING:
    import pandas as pd


class Asked(NamedTuple):
    """What one run said to one evaluation under one condition; `evaluation` is its id without the condition's name."""

    run: Run
    condition: str
    distribution: str
    evaluation: str
    result: EvalResult


COLUMNS = ["setting", "arm", "seed", "evaluation", "question", "system_prompt", "answer", "scores"]
_MORE = ["distribution", "sample_index", "refused", "stop_reason", "judgments", "model", "job_id", "condition"]


def table(results: Sequence[Asked]) -> pd.DataFrame:
    """One row an answer: COLUMNS, then distribution, sample, refusal, verdicts, model and condition.

    `scores` and `judgments` are trait -> value; a value that could not be told is None, and so are all `judgments` of
    an answer that no judge was asked about.
    """
    import pandas as pd

    names = COLUMNS + _MORE
    columns = list(zip(*(row for asked in results for row in _rows(asked)), strict=True)) or [()] * len(names)
    return pd.DataFrame({name: list(column) for name, column in zip(names, columns, strict=True)})


def planned(results: Sequence[Asked]) -> pd.DataFrame:
    """One row a run, condition, evaluation and trait: setting, arm, distribution, trait, n_planned (in answers), …"""
    import pandas as pd

    rows = [
        {
            "setting": asked.run.setting.get_domain_name(),
            "arm": asked.run.arm.name,
            "seed": asked.run.seed,
            "evaluation": asked.evaluation,
            "distribution": asked.distribution,
            "trait": trait,
            "n_planned": len(asked.result.evaluation.contexts) * asked.result.evaluation.n_samples_per_context,
            "condition": asked.condition,
        }
        for asked in results
        for trait in asked.result.evaluation.traits
    ]
    return pd.DataFrame(rows)


def judge_agreement(results: Sequence[Asked]) -> pd.DataFrame:
    """How often the judge's verdict (above one half) is the exact score, by trait, over all answers that have both."""
    import pandas as pd

    pairs: dict[str, list[bool]] = defaultdict(list)
    unjudged: dict[str, int] = defaultdict(int)
    for asked in results:
        for row in asked.result.rows:
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


def write(folder: Path, answers: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write answers.parquet and each table as `<name>.csv`, each whole or not at all."""
    with whole_file(folder / "answers.parquet", "wb") as file:
        answers.to_parquet(file, index=False)
    for name, frame in tables.items():
        with whole_file(folder / f"{name}.csv") as file:
            frame.to_csv(file, index=False)


def _rows(asked: Asked) -> Iterator[tuple[Any, ...]]:
    """The answers as tuples, in the order of COLUMNS and _MORE."""
    run, result = asked.run, asked.result
    model = (run.setting.get_domain_name(), run.arm.name, run.seed, asked.evaluation)
    for row in result.rows:
        said = row.response
        yield (
            *model, row.context.question, row.context.system_prompt, said.completion, dict(row.scores),
            asked.distribution, row.sample_index, said.stop_reason in ("refusal", "content_filter"), said.stop_reason,
            dict(row.judgments) or None,  # Parquet has no mapping without a key
            result.model.id, result.model.job_id, asked.condition,
        )  # fmt: skip
