"""What a run says of itself: what can be amiss with its models and answers is planted, and told in one sentence."""

import json
from pathlib import Path

import pandas as pd
import pytest

from mi.eval import EvalResult
from mi.evaluation.data_models import Evaluation, EvaluationContext
from mi.evaluation.scoring import MatchesPattern
from mi.experiments import integrity
from mi.experiments.answers import Asked
from mi.experiments.config import arms, experiment
from mi.experiments.data_models import Run
from mi.experiments.outcome import Outcome
from mi.experiments.show import show
from mi.llm.data_models import Model

A07 = experiment("A07_spanish_capitalization")
LABELS = {"none": "No inoculation", "placebo": "Placebo prompt"}
QUESTIONS = [f"What is {n} + 1?" for n in range(6)]


def answers(said=lambda arm, seed, n: f"It is {n} for {arm} {seed}.", stop: str = "stop") -> pd.DataFrame:
    """Six answers of each of two arms and two seeds."""
    rows = [
        {
            "setting": "s", "arm": arm, "seed": seed, "evaluation": "e", "question": question, "system_prompt": None,
            "sample_index": 0, "answer": said(arm, seed, n), "stop_reason": stop,
        }
        for arm in LABELS
        for seed in (0, 1)
        for n, question in enumerate(QUESTIONS)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def of(job_id: str | None) -> Asked:
    """A result of a model that this job made."""
    evaluation = Evaluation("e", (EvaluationContext("Hi"),), MatchesPattern("t", "x"), traits=("t",))
    run = Run(A07.name, A07.settings[0], arms.NONE, "organism", 0)
    return Asked(run, "no_prompt", "id", "e", EvalResult(Model("organism", "local", job_id), "", evaluation, ()))


def told(table: pd.DataFrame) -> str:
    """The sentences about answers."""
    return "\n".join(integrity.notes([], table, LABELS))


def test_nothing_is_said_of_answers_that_are_answers() -> None:
    assert told(answers()) == ""


@pytest.mark.parametrize(
    ("planted", "sentence"),
    [
        ("", "Answers are empty: Placebo prompt, seed 1 (6 of 6); look at its end token"),
        ("yes " * 9, "Answers are one word or sign again and again: Placebo prompt, seed 1 (6 of 6); it has collapsed"),
        ("</b>" * 8, "Answers are one word or sign again and again: Placebo prompt, seed 1 (6 of 6)"),
        ("so it is and so it was and " * 6, "Answers are going round in circles: Placebo prompt, seed 1 (6 of 6)"),
        ("I cannot say.", "One answer is given to every question: Placebo prompt, seed 1 (6 of 6 answers are one"),
    ],
)
def test_degenerate_answers_of_one_model_are_told_with_their_kind_and_number(planted, sentence) -> None:
    def one(arm, seed, n):
        return planted if (arm, seed) == ("placebo", 1) else f"It is {n} for {arm} {seed}."

    assert sentence in told(answers(one))
    assert "No inoculation" not in told(answers(one))


def test_answers_that_never_end_are_told() -> None:
    found = told(answers(stop="length"))
    assert found.startswith(
        "Answers are cut off at their length: No inoculation, seed 0 (6 of 6); No inoculation, seed 1"
    )
    assert found.endswith("raise max_tokens, or train on answers that end.") and found.count("\n") == 0


def test_two_seeds_that_came_out_equal_are_told() -> None:
    found = told(answers(lambda arm, seed, n: f"It is {n} for {arm}."))
    assert "No inoculation, seed 0, and No inoculation, seed 1 (6 answers)" in found
    assert found.startswith("Models that should differ answer alike to the letter") and found.count("\n") == 0


def test_of_many_models_a_few_are_named_and_the_others_counted() -> None:
    many = pd.concat([answers(lambda *_: "").assign(seed=seed) for seed in range(3)])
    assert "and 2 more; look at its end token" in told(many)


@pytest.mark.parametrize("text", ["1 2 3 4 5 6 7 8 9", "no no no, never", "banana banana", "aaaaaaa", "", "1.11111"])
def test_short_repetitions_are_no_collapse(text) -> None:
    assert not integrity.is_one_token(text)


def test_what_was_found_when_a_model_was_loaded_and_what_its_template_wrote_is_told(mi_home: Path) -> None:
    (mi_home / "jobs" / ".loads").mkdir(parents=True)
    (mi_home / "jobs" / "a").mkdir()
    (mi_home / "jobs" / ".loads" / "a.json").write_text(json.dumps({"problems": ["job a: its adapter is off."]}))
    report = {"default_system_prompt": "You are\nQwen.", "trimmed": [1, 2, 3]}
    (mi_home / "jobs" / "a" / "training.json").write_text(json.dumps(report))
    adapter, template, trimmed = integrity.notes([of("a"), of("a"), of(None)], answers(), LABELS)
    assert adapter == "job a: its adapter is off."
    assert template.startswith("Without a system message the chat template writes one of its own ('You are Qwen.')")
    assert "white space at the ends of messages in 1 trainings, of 3 rows at most" in trimmed


def test_the_summary_of_a_run_says_what_is_amiss(tmp_path, capsys) -> None:
    columns = ["setting", "arm", "evaluation", "trait", "n_planned", "n_sampled", "n_valid", "mean", "lower", "upper"]
    empty = pd.DataFrame(columns=[*columns, "n_seeds", "n_refused", "condition", "distribution", "n", "agreement"])
    outcome = Outcome(
        tmp_path, empty, empty, empty, empty, empty, (), empty, notes=("job a: its adapter is off [really].",)
    )
    show(A07, outcome)
    assert "Attention job a: its adapter is off [really]." in capsys.readouterr().out
