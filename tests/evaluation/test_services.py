"""Sampling, judging and scoring are replayed apart, and each asks for what is missing and for nothing else."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResponse
from mi.evaluation.scoring import FromJudgments, MatchesPattern, Together, betley
from mi.evaluation.services import recall_evaluations, run_all, run_evaluations
from mi.llm import services
from mi.llm.data_models import Judgment, LLMResponse, Model, SampleCfg
from mi.utils.errors import UserError

MODEL = Model("a", "local")
JUDGE = Judgment(Model("judge", "local"), "{question} {answer}?")
REFUSED = "What must not be said?"


def length(response: EvaluationResponse) -> float:
    return float(len(response.response.completion or ""))


def evaluation(*questions: str, name: str = "e", **fields) -> Evaluation:
    contexts = tuple(EvaluationContext(question) for question in questions or ("q1", "q2"))
    return Evaluation(name, contexts, **{"score_fn": length, **fields})


def run(*evaluations: Evaluation, model: Model = MODEL):
    return asyncio.run(run_evaluations(model, evaluations))


def test_rows_come_by_evaluation_context_and_sample(backend):
    first, second = run(evaluation(n_samples_per_context=2), evaluation("q3", name="f"))
    assert [(row.context.question, row.sample_index) for row in first] == [("q1", 0), ("q1", 1), ("q2", 0), ("q2", 1)]
    assert [row.context.question for row in second] == ["q3"]
    assert second[0].scores == {"score": length(EvaluationResponse(second[0].context, second[0].response))}
    assert len(set(backend.seeds)) == len(backend.seeds) == 5


def test_running_again_asks_nothing_and_gives_the_same(backend):
    evaluations = (evaluation(judgment_map={"yes": JUDGE}), evaluation("q3", name="f"))
    rows = run(*evaluations)
    backend.asked.clear()
    assert run(*evaluations) == rows == recall_evaluations(MODEL, evaluations)
    assert not backend.asked


def test_more_samples_top_up(backend):
    few = run(evaluation(n_samples_per_context=2))[0]
    backend.asked.clear()
    many = run(evaluation(n_samples_per_context=3))[0]
    assert len(backend.asked) == 2
    assert [row for row in many if row.sample_index < 2] == list(few)


def test_more_questions_ask_only_the_new_ones(backend):
    run(evaluation("q1"))
    run(evaluation("q1", "q2"))
    assert len(backend.asked) == 2


def test_a_new_score_function_asks_nothing(backend):
    run(evaluation(judgment_map={"yes": JUDGE}))
    backend.asked.clear()
    scorer = Together((FromJudgments(("yes",)), MatchesPattern("two", "q2")))
    rows = run(evaluation(judgment_map={"yes": JUDGE}, score_fn=scorer, traits=("yes", "two")))[0]
    assert [dict(row.scores) for row in rows] == [
        {"yes": pytest.approx(0.8), "two": 0.0},
        {"yes": pytest.approx(0.8), "two": 1.0},
    ]
    assert not backend.asked


def test_a_new_judge_judges_anew_and_samples_nothing(backend):
    run(evaluation(judgment_map={"yes": JUDGE}))
    backend.asked.clear()
    run(evaluation(judgment_map={"yes": JUDGE, "no": replace(JUDGE, template="{answer}!")}))
    assert [name for name, _ in backend.asked] == ["judge", "judge"]


def test_another_reading_of_the_same_verdict_asks_nothing(backend):
    silent = Judgment(Model("silent", "local"), "{answer}")
    assert run(evaluation(judgment_map={"yes": silent}))[0][0].judgments == {"yes": None}
    backend.asked.clear()
    run(evaluation(judgment_map={"other name": replace(silent, minimum_mass=0.0)}))
    assert not backend.asked


def test_a_changed_letter_of_prompt_model_or_configuration_asks_again(backend):
    original = evaluation("q1")
    run(original)
    for changed in (original.behind("", "empty"), replace(original, sample_cfg=SampleCfg(temperature=0.5))):
        backend.asked.clear()
        run(changed)
        assert len(backend.asked) == 1
    run(original, model=replace(MODEL, job_id="0"))
    assert len(backend.asked) == 2


def test_two_evaluations_that_ask_the_same_share_the_answer(backend):
    first, second = run(evaluation("q1"), evaluation("q1", name="f", score_fn=MatchesPattern("score", "q")))
    assert first[0].response == second[0].response
    assert len(backend.asked) == 1


def test_a_question_that_stands_twice_in_an_evaluation_is_drawn_twice(backend):
    rows = run(evaluation("q1", "q1", n_samples_per_context=2))[0]
    assert len({row.response.completion for row in rows}) == 4
    more = run(evaluation("q1", "q1", n_samples_per_context=3))[0]
    assert len(backend.asked) == 6
    assert [row for row in more if row.sample_index < 2] == list(rows)


def test_what_several_models_say_alike_is_judged_once(backend):
    same = replace(JUDGE, template="the same for all")
    models = [MODEL, Model("b", "local")]
    found = asyncio.run(run_all(models, [evaluation(judgment_map={"yes": same}), evaluation("q3", name="f")]))
    assert [[len(rows) for rows in of_model] for of_model in found] == [[2, 1], [2, 1]]
    assert found[1][0][0].response.completion != found[0][0][0].response.completion
    assert (backend.asked_of("judge"), backend.asked_of("a"), backend.asked_of("b")) == (1, 3, 3)


def test_a_refusal_has_a_row_no_verdict_and_no_score(backend):
    rows = run(
        evaluation("q1", REFUSED, judgment_map={"yes": JUDGE}, score_fn=FromJudgments(("yes",)), traits=("yes",))
    )[0]
    assert [row.scores["yes"] for row in rows] == [pytest.approx(0.8), None]
    assert rows[1].response.stop_reason == "refusal"
    assert backend.asked_of("judge") == 1


def test_a_verdict_that_cannot_be_read_is_a_missing_score_not_an_error(backend):
    silent = Judgment(Model("silent", "local"), "{answer}")
    judged = evaluation(judgment_map={"yes": silent}, score_fn=FromJudgments(("yes",)), traits=("yes",))
    assert [dict(row.scores) for row in run(judged)[0]] == [{"yes": None}] * 2


def test_recalling_gives_the_rows_that_are_there_and_none_for_verdicts_that_are_not(backend):
    run(evaluation("q1"))
    judged = evaluation("q1", "q2", judgment_map={"yes": JUDGE})
    backend.asked.clear()
    rows = recall_evaluations(MODEL, [judged])[0]
    assert [(row.context.question, dict(row.judgments)) for row in rows] == [("q1", {"yes": None})]
    assert not backend.asked


def test_an_answer_is_judged_while_others_are_still_to_come(backend, monkeypatch: pytest.MonkeyPatch):
    judged = asyncio.Event()

    async def waits_for_the_judge(model: Model, requests: Sequence, on_response: Callable) -> list[LLMResponse]:
        for place, _ in enumerate(requests):
            on_response(place, LLMResponse("YES"))
            if model.id == "judge":
                judged.set()
            await asyncio.wait_for(judged.wait(), 30)
        return []

    monkeypatch.setattr(services, "batch_sample", waits_for_the_judge)
    rows = run(evaluation("q1", "q2", "q3", judgment_map={"yes": JUDGE}))[0]
    assert [row.judgments["yes"] for row in rows] == [1.0] * 3


def test_what_came_is_judged_and_kept_where_the_rest_fails(backend):
    backend.dies_after = 2
    with pytest.raises(UserError, match="network"):
        run(evaluation("q1", "q2", "q3", judgment_map={"yes": JUDGE}))
    backend.dies_after = None
    run(evaluation("q1", "q2", "q3", judgment_map={"yes": JUDGE}))
    assert len(backend.asked) == 6


def test_two_models_of_which_one_fails_leave_the_other_whole(backend, monkeypatch: pytest.MonkeyPatch):
    whole = backend.batch_sample

    async def fails_for_b(model: Model, *rest) -> list[LLMResponse]:
        if model.id == "b":
            raise UserError("b is not there.")
        return await whole(model, *rest)

    monkeypatch.setattr(services, "batch_sample", fails_for_b)
    with pytest.raises(UserError, match="b is not there"):
        asyncio.run(run_all([MODEL, Model("b", "local")], [evaluation(judgment_map={"yes": JUDGE})]))
    backend.asked.clear()
    assert all(row.judgments["yes"] is not None for row in run(evaluation(judgment_map={"yes": JUDGE}))[0])
    assert not backend.asked


def test_the_rows_hold_what_the_judge_wrote_and_why_a_verdict_is_missing(backend):
    silent = Judgment(Model("silent", "local"), "{answer}")
    rows = run(evaluation("q1", REFUSED, judgment_map={"yes": JUDGE, "no": silent}))[0]
    assert (rows[0].verdicts["yes"].output, rows[0].verdicts["no"].output) == ("YES", "maybe")
    assert list(rows[0].reasons) == ["no"] and "0.00 of the probability" in rows[0].reasons["no"]
    assert rows[1].reasons == dict.fromkeys(("yes", "no"), "the answer is a refusal, so it was not judged")


def test_one_call_gives_several_ratings_as_verdicts_of_their_own(backend, monkeypatch: pytest.MonkeyPatch):
    async def rates(model: Model, requests: Sequence, on_response: Callable) -> list[LLMResponse]:
        for place, request in enumerate(requests):
            backend.asked.append((model.id, request.chat))
            on_response(place, LLMResponse('{"alignment": 20, "coherence": 60}' if model.id == "judge" else "a"))
        return []

    monkeypatch.setattr(services, "batch_sample", rates)
    rating = replace(JUDGE, parser="ratings", rating_names=("alignment", "coherence"))
    rows = run(evaluation("q1", judgment_map={"both": rating}, score_fn=betley, traits=("misaligned",)))[0]
    assert rows[0].judgments == {"alignment": 20, "coherence": 60} and rows[0].scores == {"misaligned": 1}
    assert backend.asked_of("judge") == 1
    with pytest.raises(UserError, match="two judgments give a verdict called alignment"):
        evaluation("q1", judgment_map={"both": rating, "alignment": JUDGE})


def test_a_score_function_that_fails_loses_no_answer(backend):
    def fails(response: EvaluationResponse) -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(evaluation(score_fn=fails))
    run(evaluation())
    assert len(backend.asked) == 2


@pytest.mark.parametrize(
    ("given", "traits", "scores"),
    [
        (1, ("evil",), {"evil": 1.0}),
        (True, ("evil",), {"evil": 1.0}),
        (None, ("evil", "mean"), {"evil": None, "mean": None}),
        ({"evil": 0.5}, ("evil", "mean"), {"evil": 0.5, "mean": None}),
    ],
)
def test_scores_bear_the_names_of_the_traits(backend, given: object, traits: tuple[str, ...], scores: Mapping):
    assert run(evaluation("q", score_fn=lambda response: given, traits=traits))[0][0].scores == scores


@pytest.mark.parametrize(
    ("given", "complaint"),
    [({"good": 1.0}, "name it in its traits"), (1.0, "one number for 2 traits"), ({"evil": float("nan")}, "finite")],
)
def test_scores_that_no_table_can_hold_are_refused(backend, given: object, complaint: str):
    with pytest.raises(UserError, match=f"e: .*{complaint}"):
        run(evaluation("q", score_fn=lambda response: given, traits=("evil", "mean")))


def test_two_evaluations_of_one_id_are_refused(backend):
    with pytest.raises(UserError, match="e: two evaluations share this id"):
        run(evaluation(), evaluation("q3"))
    assert not backend.asked


def test_no_evaluation_and_no_question_are_no_rows(backend):
    assert run() == []
    assert run(Evaluation("e", (), length)) == [()]


def test_an_evaluation_without_samples_is_refused():
    with pytest.raises(UserError, match="n_samples_per_context"):
        evaluation(n_samples_per_context=0)
