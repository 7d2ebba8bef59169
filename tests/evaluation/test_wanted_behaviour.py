"""What the reference implementation got wrong about evaluation, each held as the behaviour that is wanted.

The number beside a test is that of the defect in our list. `ELSEWHERE` names the tests that hold the others.
"""

import asyncio
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mi.eval import eval, load_results
from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResponse
from mi.evaluation.scoring import FromJudgments, InCategory, IsOneOf, MatchesPattern, Together, betley, tan
from mi.evaluation.show import counts_of
from mi.llm import services
from mi.llm.data_models import Judgment, LLMResponse, Model, SampleCfg
from mi.utils.errors import UserError
from mi.utils.jsonl import read_jsonl

MODEL = Model("a", "local")
JUDGE = Judgment(Model("judge", "local"), "{question} {answer}?")
REFUSED = "What must not be said?"
SCORERS = Together(
    (FromJudgments(("evil",)), tan, replace(betley, trait="b"), InCategory("kind", "x"), MatchesPattern("p", "a"))
)


ROOT = Path(__file__).resolve().parents[2]
OPENAI, READING = "tests/external/openai_driver", "tests/llm/test_reading.py"
SERVICES, STORE = "tests/evaluation/test_services.py", "tests/evaluation/test_store.py"
ELSEWHERE: dict[int, list[tuple[str, str]]] = {
    11: [
        (SERVICES, "test_a_score_function_that_fails_loses_no_answer"),
        (SERVICES, "test_two_models_of_which_one_fails_leave_the_other_whole"),
        (STORE, "test_what_came_back_before_a_failure_is_kept"),
    ],
    12: [("tests/evaluation/test_known.py", "test_a_judge_that_says_nothing_leaves_missing_scores_and_no_error")],
    13: [(STORE, "test_a_file_cut_off_at_any_byte_costs_one_call_at_most")],
    16: [(SERVICES, "test_more_samples_top_up")],
    17: [(f"{OPENAI}/test_faults.py", "test_the_time_of_a_call_begins_when_it_is_sent_and_not_when_it_queues")],
    18: [
        (f"{OPENAI}/test_faults.py", "test_what_no_retry_can_mend_fails_at_once_with_the_reason"),
        (f"{OPENAI}/test_faults.py", "test_what_a_provider_withholds_is_a_result"),
        (f"{OPENAI}/test_services.py", "test_what_cannot_be_kept_ends_the_run"),
    ],
    19: [
        (
            f"{OPENAI}/test_keys.py",
            "test_a_fine_tuned_model_is_asked_with_the_key_that_owns_it_and_found_without_paying",
        ),
        (f"{OPENAI}/test_keys.py", "test_a_key_that_is_forbidden_to_look_does_not_end_the_search"),
    ],
    20: [
        (f"{OPENAI}/test_keys.py", "test_two_models_at_once_keep_their_own_keys"),
        (f"{OPENAI}/test_keys.py", "test_the_environment_alone_says_what_a_key_may"),
    ],
    24: [(READING, "test_a_yes_or_no_is_read_in_every_spelling_and_needs_a_quarter_of_the_probability")],
    25: [(READING, "test_a_yes_or_no_is_read_in_every_spelling_and_needs_a_quarter_of_the_probability")],
    26: [
        (READING, "test_a_weighted_number_is_the_mean_of_the_whole_numbers_of_the_scale"),
        (READING, "test_no_score_leaves_its_scale_whatever_a_judge_says"),
    ],
    27: [(READING, "test_a_weighted_number_is_the_mean_of_the_whole_numbers_of_the_scale")],
    33: [("tests/evaluation/test_known.py", "test_it_bears_its_name_and_asks_clean_and_distinct_questions")],
    39: [("tests/llm/test_data_models.py", "test_a_configuration_that_cannot_be_sampled_from_is_refused")],
    43: [
        ("tests/llm/test_judging.py", "test_a_template_is_filled_in_one_pass_so_that_an_answer_cannot_forge_the_frame"),
        ("tests/llm/test_judging.py", "test_an_answer_that_writes_the_end_of_the_frame_stays_within_it"),
    ],
}
OF_EVALUATION = {*range(11, 21), 22, *range(24, 28), 30, 32, 33, 34, 35, *range(39, 44)}
"""The defects from 8 to 44 that concern evaluation; the others are about jobs, data, statistics and figures."""


def test_every_defect_that_concerns_evaluation_has_a_test():
    here = Path(__file__).read_text(encoding="utf-8")
    held = {int(number) for line in re.findall(r"^def test_.*# ([\d, ]+)$", here, re.M) for number in line.split(",")}
    assert held | ELSEWHERE.keys() == OF_EVALUATION
    for path, name in (place for places in ELSEWHERE.values() for place in places):
        assert re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.M), (path, name)


def evaluation(*questions: str, **fields: Any) -> Evaluation:
    defaults = {"score_fn": FromJudgments(("yes",)), "traits": ("yes",), "judgment_map": {"yes": JUDGE}}
    return Evaluation("e", tuple(map(EvaluationContext, questions or ("q",))), **defaults | fields)


def run(*evaluations: Evaluation, groups: dict[str, list[Model]] | None = None, **options: Any):
    return asyncio.run(eval(groups or {"group": [MODEL]}, evaluations, **options))


def test_a_judge_that_refuses_is_a_missing_score_in_every_scorer_of_the_house(backend, monkeypatch):  # 12, 42
    async def refuses(model: Model, requests: Sequence, on_response: Callable) -> list[LLMResponse]:
        for place, _ in enumerate(requests):
            on_response(place, LLMResponse(None, "refusal") if model.id == "judge" else LLMResponse("a"))
        return []

    monkeypatch.setattr(services, "batch_sample", refuses)
    names = ("evil", "alignment", "coherence", "kind")
    judged = evaluation(
        score_fn=SCORERS,
        judgment_map=dict.fromkeys(names, JUDGE),
        traits=("evil", "misaligned", "b", "kind", "p"),
    )
    (result,) = run(judged)
    assert result.rows[0].scores == {"evil": None, "misaligned": None, "b": None, "kind": None, "p": 1.0}
    assert set(result.rows[0].reasons.values()) == {"the judge gave no answer (refusal)"}


def test_a_model_whose_name_is_a_path_is_saved_like_any_other(backend, tmp_path: Path):  # 14
    run(evaluation(), groups={"my/group": [Model("org/name:v1", "local", "job")]}, output_dir=tmp_path)
    (path,) = tmp_path.rglob("*.jsonl")
    (row,) = read_jsonl(path)
    assert path.relative_to(tmp_path).parts == ("my-group", "e", "org-name-v1_job.jsonl")
    assert (row["judge_outputs"], row["reasons"]) == ({"yes": "YES"}, {})


def test_a_model_in_two_groups_is_asked_once_and_reported_in_both(backend):  # 15
    results = run(evaluation("q", "r"), groups={"first": [MODEL], "second": [Model("b", "local"), MODEL]})
    assert backend.asked_of("a") == 2
    assert [(result.group, result.model.id) for result in results] == [("first", "a"), ("second", "b"), ("second", "a")]
    assert results[0].rows == results[2].rows


def test_a_model_that_is_not_there_is_an_error_and_not_a_smaller_group(backend, monkeypatch):  # 22
    def missing(model: Model) -> str:
        if model.id == "b":
            raise UserError("b: there is no such model.")
        return backend.fingerprint(model)

    monkeypatch.setattr(services, "fingerprint", missing)
    groups = {"group": [MODEL, Model("b", "local")]}
    with pytest.raises(UserError, match="no such model"):
        run(evaluation(), groups=groups)
    with pytest.raises(UserError, match="no such model"):
        load_results(groups, [evaluation()])
    assert not backend.asked


def test_what_is_missing_is_counted_beside_the_mean(backend):  # 30
    (result,) = run(evaluation("q", REFUSED, "r"))
    assert counts_of(result.evaluation, result.rows)["yes"] == {
        "planned": 3, "sampled": 3, "refused": 1, "valid": 2, "mean": pytest.approx(0.8),
    }  # fmt: skip
    more = evaluation("q", REFUSED, "r", "s")
    (recalled,) = load_results({"group": [MODEL]}, [more])
    assert counts_of(more, recalled.rows)["yes"]["planned"] == 4 and len(recalled.rows) == 3


def test_thresholds_are_applied_late_so_that_both_conventions_score_the_same_answers(backend, monkeypatch):  # 32
    async def rates(model: Model, requests: Sequence, on_response: Callable) -> list[LLMResponse]:
        backend.asked += [(model.id, request.chat) for request in requests]
        for place, _ in enumerate(requests):
            on_response(place, LLMResponse('{"alignment": 40, "coherence": 40}' if model.id == "judge" else "a"))
        return []

    monkeypatch.setattr(services, "batch_sample", rates)
    rating = replace(JUDGE, parser="ratings", rating_names=("alignment", "coherence"))
    found = [
        run(evaluation(judgment_map={"both": rating}, score_fn=preset, traits=("misaligned",)))[0].rows[0]
        for preset in (tan, betley)
    ]
    assert [row.scores["misaligned"] for row in found] == [1.0, None]
    assert [row.judgments for row in found] == [{"alignment": 40, "coherence": 40}] * 2
    assert len(backend.asked) == 2


def test_a_judge_can_see_the_system_prompt_that_the_answer_stood_behind(backend):  # 34
    sees = Judgment(JUDGE.model, "[{system_prompt}] {answer}", sees_system_prompt=True)
    run(evaluation(judgment_map={"yes": sees}), evaluation(judgment_map={"yes": sees}).behind("Be evil.", "evil"))
    judged = [chat[0].content.partition("]")[0] for name, chat in backend.asked if name == "judge"]
    assert sorted(judged) == ["[(no system prompt)", "[Be evil."]


@pytest.mark.parametrize("answer", ["Owl!", " owl", "**Owl**", "Owl\n", "OWL", "«owl».", "_owl_"])
def test_a_word_is_the_same_word_whatever_stands_around_it(answer: str):  # 35
    scorer = IsOneOf("owl", ("owl", "owls"))
    assert scorer(EvaluationResponse(EvaluationContext("q"), LLMResponse(answer))) == {"owl": 1.0}
    for other in ("owlet", "an owl", "", "o w l"):
        assert scorer(EvaluationResponse(EvaluationContext("q"), LLMResponse(other))) == {"owl": 0.0}


def test_a_sample_configuration_takes_no_name_that_it_does_not_know():  # 39
    with pytest.raises(TypeError):
        SampleCfg(max_token=5)  # type: ignore[call-arg]


def test_a_changed_score_function_is_never_served_an_old_score(backend):  # 40
    thresholds = [0.5, 0.9]
    scores = [
        run(evaluation(score_fn=lambda r, t=threshold: float(r.judgments["yes"] > t)))[0].rows[0].scores["yes"]
        for threshold in thresholds
    ]
    assert scores == [1.0, 0.0]
    assert len(backend.asked) == 2


class Above:
    """A score function with state of its own, which can be neither hashed nor compared."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, least: float) -> None:
        self.least = least

    def __call__(self, response: EvaluationResponse) -> float:
        return float((response.judgments["yes"] or 0) >= self.least)


def test_whatever_can_be_called_is_a_score_function_and_two_on_one_line_stay_two(backend):  # 40
    def above(least: float, response: EvaluationResponse) -> float:
        return float((response.judgments["yes"] or 0) >= least)

    several = [functools.partial(above, 0.5), Above(0.5), Above(0.5).__call__, lambda r: 1.0, lambda r: 0.0]
    scores = [run(evaluation(score_fn=function))[0].rows[0].scores["yes"] for function in several]
    assert scores == [1.0, 1.0, 1.0, 1.0, 0.0]
    assert len(backend.asked) == 2


def test_a_context_behind_a_prompt_keeps_its_question_to_the_letter_and_what_is_expected():  # 34
    asked = Evaluation("e", (EvaluationContext(" q ", "Old.", "r"),), FromJudgments(()))
    for prompt in ("Be kind.", "", None):
        (context,) = asked.behind(prompt, "behind").contexts
        assert (context.question, context.system_prompt, context.expected_response) == (" q ", prompt, "r")
        assert [turn.content for turn in context.messages()] == [*([] if prompt is None else [prompt]), " q "]


def test_a_judgment_that_is_added_to_a_mapping_later_is_not_in_the_evaluation_made_of_it():  # 41
    judgments = {"yes": JUDGE}
    made = evaluation(judgment_map=judgments)
    judgments["no"] = JUDGE
    assert made.verdict_names() == ("yes",)


def test_putting_an_evaluation_behind_a_prompt_leaves_those_that_share_its_contexts_alone():  # 41
    contexts = [EvaluationContext("q", expected_response="r")]
    first, second = Evaluation("a", contexts, FromJudgments(())), Evaluation("b", contexts, FromJudgments(()))  # type: ignore[arg-type]
    behind = first.behind("Be evil.", "evil")
    contexts.append(EvaluationContext("later"))
    assert [c.system_prompt for c in (*first.contexts, *second.contexts, *behind.contexts)] == [None, None, "Be evil."]
    assert behind.contexts[0].expected_response == "r"
