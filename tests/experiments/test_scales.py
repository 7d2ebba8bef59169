"""Two scales, one contract: what the twins share, what a published setting says where its sets are not here."""

import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from mi.cli import app
from mi.datasets import catalogue
from mi.experiments.config import EXPERIMENTS
from mi.experiments.settings import PUBLISHED, SETTINGS, PromptKind, at_scale, scale_of, settings_for
from mi.experiments.settings.checking import check
from mi.experiments.settings.data_models import Setting
from mi.experiments.settings.describe import description, listing
from mi.utils.errors import UserError

METHODS = sorted(Setting.__abstractmethods__)
KINDS: tuple[PromptKind, ...] = get_args(PromptKind)


@pytest.fixture(params=PUBLISHED.values(), ids=list(PUBLISHED))
def setting(request) -> Setting:
    return request.param


def test_the_ten_are_there_at_both_scales_by_the_same_names():
    assert list(PUBLISHED) == list(SETTINGS)
    assert all(name == setting.get_domain_name() for name, setting in PUBLISHED.items())


@pytest.mark.parametrize(("name", "method"), list(product(PUBLISHED, METHODS)))
def test_without_its_sets_every_method_gives_what_it_promises_or_says_which_set_to_fetch(name, method):
    setting = PUBLISHED[name]
    try:
        value = getattr(setting, method)()
    except UserError as error:
        found = re.search(r"is not fetched; run `mi datasets fetch (\S+)`\.$", str(error))
        assert found is not None
        assert method.endswith(("_path", "_evals"))
        assert found[1] in setting.get_needed_sets()
        return
    assert not method.endswith("_path")
    if method.endswith("_evals"):
        assert value
    else:
        assert value == " ".join(value.split()) != ""


def test_its_prompts_and_their_paraphrases_are_clean_and_all_distinct(setting):
    prompts = setting.get_prompts()
    assert set(prompts) == set(KINDS)
    assert all(setting.get_paraphrases(kind) for kind in KINDS)
    texts = [*prompts.values(), *(text for kind in KINDS for text in setting.get_paraphrases(kind))]
    assert len(set(texts)) == len(texts)
    assert all(text == " ".join(text.split()) != "" for text in texts)


def test_twins_share_their_prompts_and_what_is_known_of_them(setting):
    twin = SETTINGS[setting.get_domain_name()]
    assert setting.get_prompts() == twin.get_prompts()
    assert setting.get_trait_inoculations() == twin.get_trait_inoculations()
    assert setting.get_known_results() == twin.get_known_results() != ""


def test_the_sets_that_it_needs_are_in_the_catalogue_for_that_purpose(setting):
    training, control, *questions = (catalogue.entry(name) for name in setting.get_needed_sets())
    assert training.purpose == "training"
    assert control.purpose == "control" or control.name == "gsm8k/train"
    assert all(entry.purpose in ("evaluation", "training") for entry in questions)


def test_it_prints_compares_and_hashes(setting):
    assert setting.get_domain_name() in repr(setting)
    assert len({setting, replace(setting)}) == 1


def test_a_check_names_all_missing_sets_in_one_command(setting):
    with pytest.raises(UserError, match=re.escape(f"`mi datasets fetch {' '.join(setting.get_needed_sets())}`")):
        check(setting)


def test_it_can_be_listed_and_shown_before_anything_is_fetched(setting):
    assert setting.get_domain_name() in listing(PUBLISHED)
    text = description(setting)
    for said in (
        setting.get_task_specific_inoculation(),
        "is not fetched; run `mi datasets fetch",
        *setting.get_eval_ids()[1],
    ):
        assert said in text


@pytest.mark.parametrize(
    ("model", "scale"),
    [
        ("organism", "organism"),
        ("openai/organism", "organism"),
        ("ft:organism:me::abc", "organism"),
        ("openai/gpt-4.1-2025-04-14", "published"),
        ("Qwen/Qwen2.5-7B-Instruct", "published"),
    ],
)
def test_the_scale_follows_from_the_base_model(model, scale):
    assert scale_of(model) == scale
    assert settings_for(model) is (SETTINGS if scale == "organism" else PUBLISHED)


def test_an_organism_of_one_s_own_is_known_by_its_recipe(tmp_path: Path):
    assert scale_of(str(tmp_path)) == "published"
    (tmp_path / "training.json").write_text('{"recipe": {"seed": 1}}', encoding="utf-8")
    assert scale_of(str(tmp_path)) == "organism"


@pytest.mark.parametrize("known", EXPERIMENTS, ids=lambda e: e.name)
def test_an_experiment_runs_on_a_large_model_with_the_large_twins_and_unchanged_otherwise(known):
    large = known.on("openai/gpt-4.1-2025-04-14")
    assert [s.get_domain_name() for s in large.settings] == [s.get_domain_name() for s in known.settings]
    assert all(s is PUBLISHED[s.get_domain_name()] for s in large.settings)
    assert replace(large, settings=known.settings) == known
    assert large.on("organism") == known == known.on("organism")


@pytest.mark.parametrize("known", EXPERIMENTS, ids=lambda e: e.name)
def test_every_arm_and_condition_of_an_experiment_has_its_prompt_at_both_scales(known):
    for small, large in zip(known.settings, known.on("Qwen/Qwen2.5-7B-Instruct").settings, strict=True):
        for arm in known.arms:
            prompts = [arm.inoculation(setting) for setting in (small, large)]
            assert prompts[0] == prompts[1] or not isinstance(prompts[0], str)  # pools of paraphrases are others
            for condition in known.conditions:
                assert condition.prompt(small, arm) == condition.prompt(large, arm)


def test_a_setting_of_one_s_own_is_the_same_at_every_scale():
    mine = replace(SETTINGS["owl_numbers"], domain_name="mine")  # type: ignore[type-var]
    assert at_scale(mine, "published") is mine


def test_on_the_command_line_both_scales_are_known():
    run = CliRunner().invoke
    assert "em_first_plot" in run(app, ["settings", "--scale", "published"]).output
    assert "em_first_plot" not in run(app, ["settings"]).output
    assert "is not fetched" in run(app, ["settings", "show", "trump_biology", "--scale", "published"]).output
    result = run(app, ["settings", "check", "--all", "--scale", "published"])
    assert isinstance(result.exception, UserError)
    assert "insecure_code: 5 of its published sets are not here" in str(result.exception)
