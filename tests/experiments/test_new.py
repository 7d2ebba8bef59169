"""`mi new`: an experiment of one's own, from its first file to its table."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mi.experiments import pipeline
from mi.experiments.config import experiment
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
    path.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(UserError, match="holds 0 experiments"):
        experiment("mine")
