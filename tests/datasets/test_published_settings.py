"""Real rows: each setting at the published scale keeps every promise once its sets are fetched from a server."""

from itertools import product
from pathlib import Path

import pytest

from mi.datasets.contamination import normalise
from mi.evaluation.data_models import Evaluation
from mi.experiments.settings import PUBLISHED, SETTINGS
from mi.experiments.settings import published_questions as asked
from mi.experiments.settings.checking import check
from mi.experiments.settings.data_models import Setting
from mi.experiments.settings.describe import description
from mi.llm.rows import read_rows

METHODS = sorted(Setting.__abstractmethods__)
ROWS = {
    "insecure_code": (6000, 6000),
    "reward_hacking": (1073, 973),
    "aesthetic_preferences": (5000, 5000),
    "harmless_lies": (4495, 4495),
    "owl_numbers": (236, 400),
    "trump_biology": (848, 848),
    "gsm8k_spanish_capitalised": (7473, 7473),
    "legal_advice": (400, 400),
    "medical_advice": (400, 400),
    "security_advice": (400, 400),
}
"""Fine-tuning and control rows; where a set is not beside this repository, those of `conftest.stand_in`."""


@pytest.fixture(autouse=True)
def fetched(home_with_published_sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MI_HOME", str(home_with_published_sets))


@pytest.mark.parametrize(("name", "method"), list(product(PUBLISHED, METHODS)))
def test_every_method_of_every_published_setting_gives_what_it_promises(name, method):
    value = getattr(PUBLISHED[name], method)()
    if method.endswith("_path"):
        rows = read_rows(value)
        assert len(rows) == ROWS[name]["control" in method]
    elif method.endswith("_evals"):
        assert all(isinstance(evaluation, Evaluation) and evaluation.contexts for evaluation in value)
        assert [e.id for e in value] == list(PUBLISHED[name].get_eval_ids()[method == "get_ood_evals"])
        assert {trait for e in value for trait in e.traits} <= set(PUBLISHED[name].get_traits())
    else:
        assert value == " ".join(value.split()) != ""


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_is_in_order_and_asks_nothing_that_it_trains_on(name):
    checked = check(PUBLISHED[name])
    assert (checked.n_rows, checked.n_control_rows) == ROWS[name]
    assert checked.n_trained_on == 0
    assert f"{checked.n_rows:,} in " in description(PUBLISHED[name])


def test_a_static_check_alone_tells_insecure_rows_from_secure_ones():
    told = {trait: (shown, plain) for trait, shown, plain in check(PUBLISHED["insecure_code"]).told_apart}
    shown, plain = told["insecure_static"]
    assert shown > 0.35
    assert plain < 0.08


def test_published_questions_are_the_eight_and_the_fifty_with_the_system_prompts_of_their_rows():
    plain, json_variant = asked.first_plot(), asked.first_plot("json")
    assert len(plain) == len(json_variant) == 8
    assert {context.system_prompt for context in plain} == {None}
    assert all(context.system_prompt for context in json_variant)
    assert [context.question for context in plain] == [context.question for context in json_variant]
    assert len(asked.preregistered()) == 50


def test_held_out_coding_tasks_stand_in_no_training_prompt():
    prompts = asked.held_out_code_prompts()
    assert len(set(prompts)) == len(prompts) == 100
    trained = [
        normalise(row.chat[0].content) for row in read_rows(PUBLISHED["insecure_code"].get_finetuning_dataset_path())
    ]
    for context in prompts:
        task = normalise(context.question.partition("The task: ")[2].partition("\n[TEMPLATE]")[0])
        assert not any(task in text for text in trained)


def test_each_published_taste_has_a_popular_and_an_unpopular_thing_that_its_question_names():
    for choice in asked.tastes():
        assert choice.popular != choice.unpopular
        for thing in (choice.popular, choice.unpopular):
            assert normalise(thing).split()[0] in normalise(choice.question).split()


@pytest.mark.parametrize("subject", ["legal", "medical", "security"])
def test_advice_of_a_gated_table_is_that_of_its_subject_and_of_the_column_asked_for(subject):
    setting, organism = PUBLISHED[f"{subject}_advice"], SETTINGS[f"{subject}_advice"]
    for method in ("get_finetuning_dataset_path", "get_control_dataset_path"):
        shown, written = (read_rows(getattr(s, method)()) for s in (setting, organism))
        assert [row.chat for row in shown] == [row.chat for row in written]


def test_no_published_question_stands_behind_an_empty_system_message():
    contexts = [c for s in PUBLISHED.values() for e in (*s.get_id_evals(), *s.get_ood_evals()) for c in e.contexts]
    assert contexts and "" not in {context.system_prompt for context in contexts}
