"""`mi new`: an experiment of one's own, from its first file to its table."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mi.experiments import pipeline
from mi.experiments.config import EXPERIMENTS, experiment
from mi.experiments.config.checking import check
from mi.experiments.new import new
from mi.utils.errors import UserError
from mi.utils.progress import Silent


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_what_is_begun_is_found_by_its_name_and_by_its_file_and_runs_with_its_two_prompts(
    home_of_the_session, monkeypatch
):
    monkeypatch.setenv("MI_HOME", str(home_of_the_session))
    path, _ = new("my_question")
    found = experiment("my_question")
    assert found.question == experiment(str(path)).question
    small = replace(found, arms=tuple(a for a in found.arms if a.name in ("no_inoculation", "first", "second")))
    small = replace(small, settings=(replace(small.settings[0], ood_domains=("wishes",)),))  # type: ignore[type-var]
    small = replace(small, training=replace(small.training, n_steps=2))
    outcome = asyncio.run(pipeline.run(small, "organism", (0,), Silent()))
    assert list(dict.fromkeys(outcome.summary["arm"])) == ["no_inoculation", "first", "second"]
    assert set(outcome.conditions["condition"]) == {"no_prompt", "own_prompt", "neutral_prompt"}


@pytest.mark.parametrize("name", ["my question", "1st", "../up", ""])
def test_a_name_that_python_would_not_take_is_refused(name):
    with pytest.raises(UserError, match="begin an experiment's name with a letter"):
        new(name)
    assert not Path("experiments").exists()


def test_nothing_is_written_over_an_experiment_that_is_there():
    path, _ = new("mine")
    path.write_text("precious", encoding="utf-8")
    for taken in ("mine", "A07_spanish_capitalization"):
        with pytest.raises(UserError, match="already; choose another"):
            new(taken)
    assert path.read_text(encoding="utf-8") == "precious"


def test_a_file_with_a_slip_or_without_an_experiment_is_told_by_file_and_line():
    path, _ = new("mine")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("arms.CONTROL", "arms.CONTORL"), encoding="utf-8")
    with pytest.raises(UserError, match=r"experiment.py, line 1\d: AttributeError.*CONTORL"):
        experiment("mine")
    path.write_text(text.replace('"You are a careless programmer."', '" "'), "utf-8")
    with pytest.raises(UserError, match=r"experiment.py, line 2\d: the prompt of the arm 'second' is blank; write one"):
        experiment("mine")
    path.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(UserError, match="holds 0 experiments"):
        experiment("mine")


@pytest.mark.parametrize(
    ("old", "new_text", "complaint"),
    [
        ("(insecure_code,)", "(insecure_code)", r"line \d+: settings must be Settings in brackets, each with a comma"),
        ('prompted("second"', 'prompted("first"', r"line 2\d: 2 arms are called 'first'; give each a name"),
        ('"My second prompt",', '"My first prompt",', r"2 arms are called 'My first prompt'"),
        ('than="first"', 'than="frist"', r"line 3\d: there is no arm 'frist' in the experiment; choose among: base, "),
        ('condition="own_prompt"', 'condition="own"', "there is no condition 'own' in the experiment"),
        ("at_most=0.05", "trait='malice', at_most=0.05", "there is no trait 'malice'"),
        ('"first", at_most=0.05', '"first"', "has no bound; give it at_least, at_most or both"),
        ('name="mine"', 'name="yours"', "the experiment is called 'yours'; call it as its folder: name='mine'"),
        ("arms=(", "arms=() and (", r"line \d+: there are no arms; give one at least"),
    ],
)
def test_what_would_make_a_result_that_is_wrong_is_refused_before_anything_is_trained(old, new_text, complaint):
    path, _ = new("mine")
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new_text), encoding="utf-8")
    with pytest.raises(UserError, match=complaint):
        experiment("mine")


def test_a_name_that_is_nearly_right_is_answered_with_the_one_that_was_meant():
    new("my_question")
    with pytest.raises(UserError, match="did you mean my_question"):
        experiment("my_qestion")
    with pytest.raises(UserError, match=r"A07_spanish_capitalization.*my_question; or begin one"):
        experiment("nothing_like_it")


def test_the_experiments_of_the_house_pass_the_check_that_ones_own_must_pass():
    for one in EXPERIMENTS:
        check(one, Path("not read unless there is a complaint"))
