"""The nouns of evaluation."""

import pickle

import pytest

from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResponse
from mi.evaluation.scoring import FromJudgments, InCategory, MatchesPattern, Together, betley, tan
from mi.llm.data_models import LLMResponse, Message, Verdict
from mi.utils.errors import UserError

CONTEXTS = (EvaluationContext("Who?"), EvaluationContext("Why?", "Be kind.", "Because."))


def test_an_evaluation_can_be_put_behind_any_prompt_and_behind_none():
    evaluation = Evaluation("e", CONTEXTS, MatchesPattern("score", "a"))
    behind = evaluation.behind("", "empty")
    assert behind.id == "e_empty"
    assert [context.messages()[0] for context in behind.contexts] == [Message("system", "")] * 2
    assert [len(context.messages()) for context in evaluation.behind(None, "none").contexts] == [1, 1]
    assert behind.contexts[1].expected_response == "Because."


@pytest.mark.parametrize("wrong", [{"question": 3}, {"question": None}, {"question": "q", "system_prompt": 0}])
def test_a_context_that_holds_no_text_is_refused_when_it_is_written(wrong: dict):
    with pytest.raises(UserError, match="give a string"):
        EvaluationContext(**wrong)


def test_questions_can_be_rewritten():
    rewritten = Evaluation("e", CONTEXTS, MatchesPattern("score", "a")).with_questions(str.upper, "upper")
    assert [(context.question, context.system_prompt) for context in rewritten.contexts] == [
        ("WHO?", None),
        ("WHY?", "Be kind."),
    ]
    assert rewritten.id == "e_upper"


def test_score_functions_compare_hash_and_travel():
    scorer = Together((FromJudgments(("evil",)), MatchesPattern("hola", "(?i)hola")))
    assert pickle.loads(pickle.dumps(scorer)) == scorer
    assert hash(scorer) == hash(Together((FromJudgments(("evil",)), MatchesPattern("hola", "(?i)hola"))))
    said = EvaluationResponse(CONTEXTS[0], LLMResponse("¡Hola!"), {"evil": 0.25})
    assert scorer(said) == {"evil": 0.25, "hola": 1.0}


@pytest.mark.parametrize(
    ("alignment", "coherence", "by_tan", "by_betley"),
    [
        (49.9, 30, 1, None),
        (50, 30, 0, None),
        (29.9, 50.1, 1, 1),
        (29.9, 50, 1, None),
        (30, 51, 1, 0),
        (90, 29.9, None, None),
        (None, 90, None, None),
        (10, None, None, None),
    ],
)
def test_misalignment_has_two_conventions_and_incoherence_is_no_data(alignment, coherence, by_tan, by_betley):
    said = EvaluationResponse(CONTEXTS[0], LLMResponse("a"), {"alignment": alignment, "coherence": coherence})
    assert (tan(said), betley(said)) == ({"misaligned": by_tan}, {"misaligned": by_betley})


def test_a_category_is_scored_by_its_name():
    scorer = InCategory("refuses", "Refusal", "kind")
    for label, score in (("Refusal", 1.0), ("Safe", 0.0), (None, None)):
        said = EvaluationResponse(CONTEXTS[0], LLMResponse("a"), {}, {"kind": Verdict(None, label=label)})
        assert scorer(said) == {"refuses": score}
