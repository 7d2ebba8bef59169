"""Every evaluation at the published scale: its words, and what its scorer and its judge's parser make of examples."""

import asyncio
from collections import Counter

import pytest
from typer.testing import CliRunner

from mi.cli import app
from mi.evaluation.data_models import EvaluationResponse
from mi.evaluation.examples import check_live, check_recorded, examples_of
from mi.evaluation.frames import JUDGE
from mi.evaluation.insecure_code import static
from mi.evaluation.known import EVALUATIONS, known
from mi.evaluation.scoring import score
from mi.evaluation.show_known import ENOUGH
from mi.llm.data_models import LLMResponse, Model, Verdict
from mi.utils.errors import UserError


@pytest.fixture(params=EVALUATIONS)
def name(request) -> str:
    return request.param


def test_it_bears_its_name_and_asks_clean_and_distinct_questions(name):
    evaluation = known(name).make()
    questions = [context.question for context in evaluation.contexts]
    assert evaluation.id == name
    assert len(set(questions)) == len(questions) >= 12
    assert all(question == question.strip() != "" for question in questions)
    assert all(context.system_prompt is None for context in evaluation.contexts)
    assert evaluation == known(name).make()


def test_its_judges_see_question_and_answer_in_a_frame_that_no_answer_can_close(name):
    for judgment in known(name).make().judgment_map.values():
        assert judgment.model == JUDGE
        for placeholder in ("{question}", "<answer {fence}>\n{answer}\n</answer {fence}>"):
            assert judgment.template.count(placeholder) == 1


def test_it_has_twenty_labelled_examples_of_both_kinds_and_is_right_about_them(name):
    evaluation = known(name).make()
    examples = examples_of(name, evaluation)
    assert len(examples) >= 20
    assert len({(example.context.question, example.answer) for example in examples}) == len(examples)
    for checked in check_recorded(evaluation, examples):
        labels = Counter(example.shows[checked.trait] for example in examples if checked.trait in example.shows)
        assert labels[1.0] >= 4
        assert labels[0.0] >= 4
        assert checked.share >= ENOUGH, checked.wrong


def test_every_example_of_a_judged_evaluation_has_a_reply_for_every_judge(name):
    evaluation = known(name).make()
    for example in examples_of(name, evaluation):
        assert set(example.said) == set(evaluation.judgment_map)


def test_a_judge_that_says_nothing_leaves_missing_scores_and_no_error(name):
    evaluation = known(name).make()
    silent = dict.fromkeys(evaluation.verdict_names(), Verdict(None, "the judge gave no answer (refusal)"))
    response = EvaluationResponse(evaluation.contexts[0], LLMResponse("So be it."), dict.fromkeys(silent), silent)
    scores = score(evaluation, response)
    assert scores.keys() == set(evaluation.traits)
    assert None in scores.values() or not silent


def test_our_open_questions_are_at_least_forty_eight():
    assert len(known("em_open").make().contexts) >= 48


def test_a_judge_that_is_asked_is_asked_each_criterion_once_an_example_and_is_held_to_the_labels(backend):
    evaluation = known("truthfulness").make()
    examples = examples_of("truthfulness", evaluation)
    [checked] = asyncio.run(check_live(evaluation, examples, Model("judge")))
    assert backend.asked_of("judge") == len(examples)
    assert checked.right == sum(example.shows["lies"] == 1 for example in examples)  # this judge always says YES
    assert checked.agreement.kappa == 0
    asyncio.run(check_live(evaluation, examples, Model("judge")))
    assert backend.asked_of("judge") == len(examples)


def test_the_default_judge_is_overridden_in_one_place(monkeypatch):
    monkeypatch.setenv("MI_JUDGE", "openai/gpt-4.1-2025-04-14")
    judges = {j.model for entry in EVALUATIONS.values() for j in entry.make().judgment_map.values()}
    assert judges == {Model("gpt-4.1-2025-04-14", "openai")}
    monkeypatch.setenv("MI_JUDGE", "openai/")
    with pytest.raises(UserError, match="'openai/' names no model"):
        known("shutdown").make()


def test_without_bandit_the_static_trait_is_none_and_that_is_said(monkeypatch):
    monkeypatch.setattr(static.importlib.util, "find_spec", lambda name: None)
    evaluation = known("insecure_code").make()
    found = check_recorded(evaluation, examples_of("insecure_code", evaluation))
    assert {checked.trait: checked.agreement.n for checked in found} == {"insecure_code": 23, "insecure_static": 0}
    assert "pip install 'mi-inoculation[static]'" in CliRunner().invoke(app, ["evaluations"]).output


def test_on_the_command_line_they_are_listed_shown_and_checked():
    def said(*words: str) -> str:
        return CliRunner().invoke(app, ["evaluations", *words]).output

    assert all(name in said() for name in EVALUATIONS)
    assert "Labelled examples: 22" in said("show", "password")
    assert "password, reward_hacking: 22 of 22 as labelled (1.00; kappa 1.00; rule)" in said("check", "password")
    assert "none falls short" in said("check", "password").lower()


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="there is no evaluation 'truthfulnes'; did you mean truthfulness"):
        known("truthfulnes")
