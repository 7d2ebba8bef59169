"""One rule reads lists of numbers, for the filter of a recipe and for the score of an evaluation."""

import pytest

from mi.datasets.recipes.checks import NumberSequence
from mi.datasets.recipes.data_models import Question
from mi.evaluation.animal_preference.eval import NumberList
from mi.evaluation.data_models import EvaluationContext, EvaluationResponse
from mi.llm.data_models import LLMResponse
from mi.utils.number_list import number_list


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        ("1, 2, 3", [1, 2, 3]),
        ("[1; 2; 3].", [1, 2, 3]),
        ("(1\n2\n3)", [1, 2, 3]),
        ("7", [7]),
        ("1, 2; 3", None),
        ("1, 2 ,3", None),
        ("1 -2 3", None),
        ("1, 2, 3\n", None),
        ("1, 2, three", None),
        ("{1, 2}", None),
        ("[1, 2", None),
        ("1, 2, ٣", None),
        ("1..2", None),
        ("", None),
        ("[]", None),
    ],
)
def test_a_list_of_numbers_has_one_separator_and_nothing_else(answer, numbers):
    assert number_list(answer) == numbers


@pytest.mark.parametrize(
    "answer",
    ["1, 2, 3", "(1; 2).", "1\n2", "1, 2\n", "1, 2 , 3", "0001, 2", "1000", "1 2 3 4 5 6 7 8 9 10 11", "owl", ""],
)
def test_what_the_recipe_keeps_is_what_the_evaluation_scores(answer):
    kept = NumberSequence()(Question("Go on."), answer) is None
    scored = NumberList()(EvaluationResponse(EvaluationContext("Go on."), LLMResponse(answer)))
    assert scored == {"numbers_as_asked": float(kept)}
