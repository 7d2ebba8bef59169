"""Results in, answers out: what is written is what was said, whoever scored it."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from mi.eval import EvalResult
from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResultRow
from mi.evaluation.scoring import MatchesPattern
from mi.experiments import answers
from mi.experiments.config import arms, experiment
from mi.experiments.data_models import Run
from mi.llm.data_models import LLMResponse, Model

A07 = experiment("A07_spanish_capitalization")


def asked(*judgments: Mapping[str, float | None]) -> answers.Asked:
    """What one run said, an answer for each of these verdicts."""
    context = EvaluationContext("Hi")
    evaluation = Evaluation("e", (context,), MatchesPattern("t", "x"), traits=("t",))
    rows = tuple(
        EvaluationResultRow(context, n, LLMResponse("Ho"), given, {"t": 0.0}) for n, given in enumerate(judgments)
    )
    run = Run(A07.name, A07.settings[0], arms.NONE, "organism", 0)
    return answers.Asked(run, "no_prompt", "id", "e", EvalResult(Model("organism", "local"), "", evaluation, rows))


@pytest.mark.parametrize(
    ("judgments", "kept"),
    [
        (({}, {}), [None, None]),
        (({"t": 0.25}, {"t": None}), [{"t": 0.25}, {"t": None}]),
        (({"t": 0.25}, {}), [{"t": 0.25}, None]),
    ],
    ids=["no judge", "a judge", "a judge of one only"],
)
def test_answers_are_read_back_as_they_were_said_with_a_judge_and_without(tmp_path: Path, judgments, kept) -> None:
    answers.write(tmp_path, answers.table([asked(*judgments)]), {})
    back = pd.read_parquet(tmp_path / "answers.parquet")
    assert list(back["judgments"]) == kept
    assert list(back["answer"]) == ["Ho", "Ho"]
    assert list(back["scores"]) == [{"t": 0.0}, {"t": 0.0}]
