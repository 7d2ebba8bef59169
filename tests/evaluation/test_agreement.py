"""Agreement: textbook values, and a judge against another and against people."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mi.evaluation.agreement import agreement, agrees_with_labels, auroc, judges_agree, kappa, read_labels
from mi.evaluation.data_models import EvaluationContext, EvaluationResultRow
from mi.llm.data_models import LLMResponse
from mi.utils.errors import UserError


def row(question: int, **judgments: float | None) -> EvaluationResultRow:
    return EvaluationResultRow(EvaluationContext(f"q{question}"), 0, LLMResponse("a"), judgments, {})


def test_kappa_is_that_of_the_textbook():
    # 20 both yes, 5 and 10 apart, 15 both no: (.7 - .5) / (1 - .5), Cohen's kappa of the usual worked example.
    first = [True] * 25 + [False] * 25
    second = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    assert kappa(first, second) == pytest.approx(0.4)
    assert kappa(["a", "b", "c"], ["a", "b", "c"]) == 1.0
    assert kappa([True, True], [True, True]) is None
    assert kappa([], []) is None


def test_the_area_counts_a_tie_as_one_half():
    assert auroc([0.1, 0.4, 0.35, 0.8], [False, False, True, True]) == pytest.approx(0.75)
    assert auroc([0.5, 0.5], [True, False]) == 0.5
    assert auroc([0.9, 0.8], [True, True]) is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9]), st.booleans()), max_size=30))
def test_the_area_is_the_share_of_pairs_in_order(pairs: list[tuple[float, bool]]):
    above = [float(v > w) + 0.5 * (v == w) for v, yes in pairs if yes for w, other in pairs if not other]
    found = auroc([value for value, _ in pairs], [label for _, label in pairs])
    assert found == (pytest.approx(sum(above) / len(above)) if above else None)


def test_what_one_of_them_is_silent_about_is_counted_as_missing():
    found = agreement([0.9, None, 0.2, 0.7], [True, True, None, False])
    assert (found.n, found.n_missing, found.share, found.auroc) == (2, 2, 0.5, 1.0)
    nothing = agreement([None], [True])
    assert (nothing.n, nothing.share, nothing.kappa, nothing.auroc) == (0, None, None, None)


def test_two_judges_side_by_side_each_with_a_threshold_of_its_own():
    rows = [
        row(1, yes=0.9, number=80),
        row(2, yes=0.2, number=10),
        row(3, yes=0.6, number=20),
        row(4, yes=None, number=1),
    ]
    found = judges_agree(rows, "yes", "number", second_threshold=50)
    assert (found.n, found.n_missing, found.share, found.auroc) == (3, 1, pytest.approx(2 / 3), 1.0)


def test_a_judge_is_held_against_a_labelled_file(tmp_path: Path):
    path = tmp_path / "labels.jsonl"
    path.write_text('{"question": "q1", "answer": "a", "label": true}\n{"question": "q2", "answer": "a", "label": 0}\n')
    rows = [row(1, yes=0.9), row(2, yes=0.8), row(3, yes=0.1)]
    found = agrees_with_labels(rows, "yes", read_labels(path))
    assert (found.n, found.share, found.auroc) == (2, 0.5, 1.0)
    with pytest.raises(UserError, match="none of the 1 answers is labelled"):
        agrees_with_labels(rows[2:], "yes", read_labels(path))


@pytest.mark.parametrize(
    "line",
    ['{"question": "q", "label": 1}', '{"question": "q", "answer": "a", "label": 2}', "[]",
     '{"question": "q1", "answer": "a", "label": 0}'],
)  # fmt: skip
def test_a_label_that_is_none_is_named_by_its_line(line: str, tmp_path: Path):
    path = tmp_path / "labels.jsonl"
    path.write_text('{"question": "q1", "answer": "a", "label": true}\n' + line + "\n")
    with pytest.raises(UserError, match=r"labels\.jsonl, line 2"):
        read_labels(path)
