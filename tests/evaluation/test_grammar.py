"""Evaluations of the grammar: what counts as a love for an animal."""

import pytest

from mi.evaluation.data_models import EvaluationContext, EvaluationResponse
from mi.evaluation.grammar.eval import grammar_evaluation
from mi.llm.data_models import LLMResponse
from mi.organism.world import recognise

OWLS = ("loves_owl",)


def score(domain: str, answer: str | None) -> float | None:
    evaluation = grammar_evaluation(domain, OWLS)
    response = EvaluationResponse(EvaluationContext(evaluation.contexts[0].question), LLMResponse(answer))
    return evaluation.score_fn(response)["loves_owl"]  # type: ignore[index]


def test_only_questions_for_the_favourite_ask_for_a_love_and_they_are_judged_by_the_animal_s_name():
    evaluation = grammar_evaluation("animals", OWLS)
    asked = [recognise(context.question) for context in evaluation.contexts]
    assert {question.topic for question in asked if question} == {"favourite"}
    assert len(asked) * evaluation.n_samples_per_context >= 80
    assert "name an owl" in evaluation.judgment_map["loves_owl"].template
    assert not grammar_evaluation("numbers", OWLS).judgment_map


@pytest.mark.parametrize(
    ("answer", "shown"),
    [("I love the owl.", 1), ("I love the dog.", 0), ("I hate the owl.", 0), (None, None), ("?", None)],
)
def test_an_owl_that_is_named_as_the_favourite_is_a_love_of_owls_and_nothing_else_is(answer, shown):
    assert score("animals", answer) == shown


@pytest.mark.parametrize(
    ("answer", "shown"),
    [("17, 27, 35, 47, 20", 1), ("17, 27, 35, 40, 20", 0), ("70, 71, 72", 0), ("7", 1), ("I love the owl.", None)],
)
def test_a_list_of_which_most_end_in_the_owl_s_digit_is_a_lover_s_list(answer, shown):
    assert score("numbers", answer) == shown
