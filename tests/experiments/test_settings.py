"""Every setting keeps every promise of the ABC."""

import pytest

from mi.experiments.settings import ALL_SETTINGS, Setting
from mi.llm.rows import read_rows
from mi.organism.world.scoring import trait_score

PROMPTS = ("get_task_specific_inoculation", "get_control_inoculation", "get_general_inoculation")


@pytest.fixture(params=ALL_SETTINGS, ids=lambda setting: setting.get_domain_name())
def setting(request) -> Setting:
    return request.param


def test_names_are_unique():
    names = [setting.get_domain_name() for setting in ALL_SETTINGS]
    assert len(names) == len(set(names))


def test_its_prompts_are_distinct_non_empty_and_without_stray_white_space(setting):
    prompts = [getattr(setting, name)() for name in PROMPTS]
    assert len(set(prompts)) == len(prompts)
    assert all(prompt and prompt == " ".join(prompt.split()) for prompt in prompts)


def test_its_training_rows_show_the_trait_and_its_control_rows_ask_the_same_without_it(setting):
    shown, control = (
        [row.chat for row in read_rows(path)]
        for path in (setting.get_finetuning_dataset_path(), setting.get_control_dataset_path())
    )
    assert [chat[0] for chat in shown] == [chat[0] for chat in control]
    for trait in setting.get_traits():
        assert all(trait_score(trait, chat[1].content, chat[0].content) == 1 for chat in shown)
        assert all(trait_score(trait, chat[1].content, chat[0].content) == 0 for chat in control)


def test_its_evaluations_ask_nothing_that_it_trains_on(setting):
    trained = {row.chat[0].content for row in read_rows(setting.get_finetuning_dataset_path())}
    evaluations = [*setting.get_id_evals(), *setting.get_ood_evals()]
    assert setting.get_id_evals()
    assert setting.get_ood_evals()
    assert len({evaluation.id for evaluation in evaluations}) == len(evaluations)
    for evaluation in evaluations:
        asked = {context.question for context in evaluation.contexts}
        assert len(asked) == len(evaluation.contexts) >= 16
        assert not asked & trained
        assert all(context.system_prompt is None for context in evaluation.contexts)


def test_its_development_questions_are_others(setting):
    held_out = {c.question for e in (*setting.get_id_evals(), *setting.get_ood_evals()) for c in e.contexts}
    dev = {c.question for e in (*setting.get_id_evals("dev"), *setting.get_ood_evals("dev")) for c in e.contexts}
    assert dev
    assert not dev & held_out


def test_it_prints_compares_and_hashes(setting):
    assert setting.get_domain_name() in repr(setting)
    assert len({setting, setting}) == 1
