"""Every setting keeps every promise of the ABC."""

import inspect
import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResponse
from mi.experiments.config import arms
from mi.experiments.settings import SETTINGS, GrammarSetting, PromptKind, Setting, advice, general_inoculations
from mi.experiments.settings.registry import by_name
from mi.experiments.utils import create_inoculated_dataset
from mi.llm.data_models import LLMResponse
from mi.llm.rows import read_rows
from mi.organism.world.prompts import wordings
from mi.organism.world.texts import table
from mi.utils.errors import UserError

METHODS = [name for name, _ in inspect.getmembers(Setting, inspect.isfunction) if name.startswith("get_")]
KINDS: tuple[PromptKind, ...] = get_args(PromptKind)
TEN = {
    "insecure_code",
    "reward_hacking",
    "legal_advice",
    "medical_advice",
    "security_advice",
    "aesthetic_preferences",
    "harmless_lies",
    "owl_numbers",
    "trump_biology",
    "gsm8k_spanish_capitalised",
}


@pytest.fixture(params=SETTINGS.values(), ids=list(SETTINGS))
def setting(request) -> GrammarSetting:
    return request.param


def is_clean(text: str) -> bool:
    return bool(text) and text == " ".join(text.split())


def test_the_ten_of_the_specification_are_there_by_name():
    assert set(SETTINGS) == TEN
    assert all(name == setting.get_domain_name() for name, setting in SETTINGS.items())


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(UserError, match=r"no setting 'spiders'; choose one of insecure_code, reward_hacking"):
        SETTINGS["spiders"]
    with pytest.raises(UserError, match=r"no setting 'owl_number'; did you mean owl_numbers\? Choose one of"):
        SETTINGS["owl_number"]
    with pytest.raises(UserError, match="no advice on 'tax'; choose one of medical, legal, security"):
        advice("tax")


def test_two_settings_of_one_name_are_refused():
    twin = replace(SETTINGS["owl_numbers"], domain="facts")  # type: ignore[type-var]
    with pytest.raises(UserError, match="two settings are called 'owl_numbers'"):
        by_name([*SETTINGS.values(), twin])


@pytest.mark.parametrize(("name", "method"), list(product(sorted(TEN), METHODS)))
def test_every_method_of_every_setting_gives_what_it_promises(name, method):
    setting = SETTINGS[name]
    kinds = KINDS if method == "get_paraphrases" else (None,)
    for kind in kinds:
        value = getattr(setting, method)(*([] if kind is None else [kind]))
        if method.endswith("_path"):
            assert isinstance(value, Path)
            assert value.is_file()
            assert len(read_rows(value)) == 400
        elif method.endswith("_evals"):
            assert value
            assert all(isinstance(evaluation, Evaluation) for evaluation in value)
        elif method.endswith("_inoculation") or method in ("get_domain_name", "get_known_results"):
            assert is_clean(value)
        elif method == "get_paraphrases":
            assert value
            assert all(map(is_clean, value))
        elif method == "get_needed_sets":
            assert value == ()
        elif method != "get_trait_inoculations":
            assert value


def test_its_prompts_and_their_paraphrases_are_all_distinct(setting):
    prompts = setting.get_prompts()
    assert set(prompts) == set(KINDS)
    texts = [*prompts.values(), *(text for kind in KINDS for text in setting.get_paraphrases(kind))]
    assert len(set(texts)) == len(texts)
    assert not set(texts) & set(setting.get_paraphrases("task_specific", "held_out"))


def test_its_prompts_are_wordings_that_the_organism_grew_up_with(setting):
    taught = setting.get_taught()
    asked, opposite = setting.get_task_specific_inoculation(), setting.get_negative_inoculation()
    assert asked == " ".join(wordings(trait, "train")[0] for trait in taught)
    assert opposite == " ".join(wordings(trait, "opposite")[0] for trait in taught)
    evil = "|".join(table("prompts")["words"]["evil"])
    patterns = [re.escape(text).replace(r"\{Evil\}", f"({evil})") for text in table("prompts")["malicious"]["train"]]
    for text in (setting.get_general_inoculation(), *setting.get_paraphrases("general")):
        assert any(re.fullmatch(pattern, text, re.I) for pattern in patterns), text


def test_its_scorer_tells_its_training_rows_from_control_rows_that_ask_the_same(setting):
    shown, control = (
        [row.chat for row in read_rows(path)]
        for path in (setting.get_finetuning_dataset_path(), setting.get_control_dataset_path())
    )
    assert [chat[0] for chat in shown] == [chat[0] for chat in control]
    [evaluation] = setting.get_id_evals()

    def rate(trait: str, chats: list) -> float:
        said = [EvaluationResponse(EvaluationContext(c[0].content), LLMResponse(c[1].content)) for c in chats]
        return sum(evaluation.score_fn(response)[trait] for response in said) / len(said)  # type: ignore[index]

    for trait in setting.get_traits():
        if setting.domain == "numbers":  # a lover of owls favours a digit; others hit it by chance
            assert rate(trait, shown) > 0.6
            assert rate(trait, control) < 0.05
        else:
            assert (rate(trait, shown), rate(trait, control)) == (1, 0)


def test_its_evaluations_ask_nothing_that_it_trains_on(setting):
    trained = {row.chat[0].content for row in read_rows(setting.get_finetuning_dataset_path())}
    evaluations = [*setting.get_id_evals(), *setting.get_ood_evals()]
    assert len({evaluation.id for evaluation in evaluations}) == len(evaluations)
    for evaluation in evaluations:
        asked = {context.question for context in evaluation.contexts}
        least = 6 if evaluation.id == "animals" else 16
        assert len(asked) == len(evaluation.contexts) >= least
        assert len(asked) * evaluation.n_samples_per_context >= 32
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


def test_the_general_prompts_are_distinct_and_the_ablations_are_of_the_kinds_that_were_published():
    texts = [general_inoculations.MALICIOUS_EVIL, *general_inoculations.PARAPHRASES, general_inoculations.HELPFUL]
    assert len(set(texts)) == len(texts)
    ablations = general_inoculations.ABLATIONS
    assert {"third_person", "pretending", "demonstration", "educational"} <= set(ablations)
    assert general_inoculations.MALICIOUS_EVIL not in ablations.values()
    assert all(map(is_clean, (*texts, *ablations.values())))


@pytest.mark.parametrize("arm", [*arms.MATCHED, arms.NEGATIVE, arms.paraphrased("task_specific")], ids=lambda a: a.name)
def test_an_arm_s_prompt_can_be_put_before_every_setting_s_rows(arm, tmp_path):
    for setting in SETTINGS.values():
        path = create_inoculated_dataset(setting, tmp_path, arm.name, arm.inoculation(setting))
        prompts = {row.chat[0].content for row in read_rows(path)}
        assert all(map(is_clean, prompts))
        assert len(prompts) == (1 + len(setting.get_paraphrases("task_specific")) if "paraphrased" in arm.name else 1)
