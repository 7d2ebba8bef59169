"""What is amiss in a run is shown as such, in the table and among the checks, and never dropped."""

from dataclasses import replace

import pandas as pd
import pytest

from mi.config import results_dir
from mi.experiments.config import experiment
from mi.experiments.config.conditions import TRIGGERED
from mi.experiments.report.checks import run_checks
from mi.experiments.report.conditions import by_condition
from mi.experiments.report.data_models import Check, Sources
from mi.experiments.report.degenerate import goes_in_circles
from mi.experiments.report.gather import gather
from mi.experiments.report.page import render
from mi.experiments.report.tables import results
from mi.finetuning.data_models import Attempt, JobRecord, TrainingProgress
from mi.finetuning.records import write_record
from mi.utils.errors import UserError


def check(sources: Sources, title: str) -> Check:
    return next(item for item in run_checks(sources) if item.title == title)


def row_of(sources: Sources, label: str) -> str:
    """The row of an arm in the table of results."""
    return next(row for row in results(sources).split("<tr>") if f"<span>{label}</span>" in row)


def test_a_whole_run_passes_every_check_but_those_that_only_tell(plant):
    states = {item.title: item.state for item in run_checks(plant())}
    assert "warning" not in states.values()
    assert states["Seeds and arms make a difference"] == "ok"


def test_a_missing_seed_is_shown_in_the_table_and_named(plant):
    sources = plant(lambda row: None if (row["arm"], row["seed"]) == ("placebo", 1) else row)
    assert check(sources, "Seeds").details == ["Placebo prompt: no answers of seed 1"]
    assert "1 missing" in row_of(sources, "Placebo prompt")
    assert "missing" not in row_of(sources, "No inoculation")
    assert check(sources, "Every planned answer is there").details == ["Placebo prompt: 6 of 12 answers"]


def test_an_arm_that_refused_everything_keeps_its_row_and_says_so(plant):
    def refuse(row):
        nothing = dict.fromkeys(row["scores"])
        refused = {"refused": True, "answer": None, "stop_reason": "refusal", "scores": nothing, "judgments": nothing}
        return row | refused if row["arm"] == "placebo" else row

    sources = plant(refuse)
    assert row_of(sources, "Placebo prompt").count("all refused") == 4
    assert check(sources, "Refusals").state == "warning"
    assert check(sources, "Refusals").details == ["Placebo prompt: 12 of 12 refused"]
    assert "all refused" in render(sources)


def test_an_arm_without_any_answer_keeps_its_row(plant):
    sources = plant(lambda row: None if row["arm"] == "placebo" else row)
    assert "no data" in row_of(sources, "Placebo prompt")
    assert "0 of 12" in check(sources, "Every planned answer is there").details[0]
    assert render(sources)


def test_a_judge_that_never_gave_a_verdict_is_named(plant):
    sources = plant(lambda row: row | {"judgments": {"spanish": None, "capitals": 1.0}})
    assert check(sources, "The judge answered").state == "warning"
    assert check(sources, "The judge answered").details == ["spanish: no verdict on 30 of 30 answers"]


def test_one_question_is_told(plant):
    sources = plant(n_questions=1)
    assert len(check(sources, "Questions").details) == 2
    assert render(sources)


def test_two_seeds_that_answer_alike_are_flagged(plant):
    sources = plant(lambda row: row | {"answer": f"{row['arm']} {row['question']}"})
    found = check(sources, "Seeds and arms make a difference")
    assert found.state == "warning"
    assert "No inoculation, seed 0 and No inoculation, seed 1: the same 6 answers to the letter" in found.details


def test_an_adapter_that_is_off_another_template_and_another_dose_are_flagged(plant):
    sources = plant(jobs={"placebo0": {"adapter_shift": 0.0}, "placebo1": {"template_hash": "b" * 32}})
    assert check(sources, "The adapter is on").details == ["job placebo0: the logits moved by 0.0"]
    assert check(sources, "One chat template").state == "warning"
    assert check(plant(jobs={"placebo0": {"left_out": [7]}}), "One dose for all arms").details == [
        "job placebo0: rows 7 were too long and left out"
    ]


def test_a_job_without_a_record_is_told(plant, mi_home, small):
    plant()
    (mi_home / "jobs" / "placebo1" / "training.json").unlink()
    found = check(gather(small, "organism"), "The adapter is on")
    assert found.details == ["job placebo1: no record of its training is here"]


def test_answers_in_circles_and_one_text_for_everything_are_flagged(plant):
    sources = plant(lambda row: row | {"answer": "ha " * 40} if row["arm"] == "placebo" else row)
    details = check(sources, "Answers are answers").details
    assert "Placebo prompt: 12 of 12 answers going round in circles" in details
    assert "Placebo prompt, seed 0: 6 of 6 answers are one and the same text" in details
    assert not goes_in_circles("The quick brown fox jumps over the lazy dog and then it sleeps until the next morning.")


def test_an_experiment_that_was_not_run_is_refused(mi_home, small):
    with pytest.raises(UserError, match="holds no answers yet; first run mi run A07_spanish_capitalization"):
        gather(small, "organism")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("answers.parquet", b"PAR1 but no more", "answers.parquet: cannot be read"),
        ("summary.csv", b"", "summary.csv: holds no table"),
        ("summary.csv", b"setting,arm\nx,y\n", "summary.csv: has no column evaluation"),
    ],
)
def test_a_damaged_file_is_named(plant, small, name, content, said):
    plant()
    (results_dir() / small.name / "organism" / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        gather(small, "organism")


def test_tables_that_may_be_empty_are_told_as_empty(plant, small):
    plant()
    for name in ("contrasts", "judge_agreement"):
        (results_dir() / small.name / "organism" / f"{name}.csv").unlink()
    assert "Nothing was compared" in render(gather(small, "organism"))


def test_the_numbers_of_the_table_are_those_of_the_summary(plant):
    sources = plant()
    pooled = sources.summary[(sources.summary["arm"] == "placebo") & (sources.summary["trait"] == "spanish")]
    for row in pooled.to_dict("records"):
        assert isinstance(row["mean"], float)
        assert f"{row['lower']:.2f} – {row['upper']:.2f}" in row_of(sources, "Placebo prompt")
    assert pd.notna(pooled["mean"]).all()


def test_what_other_conditions_give_stands_beside_the_first_and_in_no_number_of_it(plant, several):
    one = plant()
    sources = plant(experiment=several)
    assert len(sources.answers) == len(one.answers) + 12 + 30
    assert results(sources).replace("condition=no_prompt&amp;", "") == results(one)
    table = by_condition(sources)
    assert all(text in table for text in ("No prompt", "Its training prompt", "Neutral prompt"))
    of_base = [row for row in table.split("<tr>") if "<span>Base model</span>" in row]
    assert of_base
    assert all(row.count("<td") == 3 and ">–<" in row for row in of_base)
    assert "condition=own_prompt&amp;setting" in table
    assert by_condition(one) == ""


def test_a_judge_that_was_not_asked_behind_a_prompt_is_not_called_silent(plant, several):
    assert check(plant(experiment=several), "The judge answered").found == "Every answer has its verdict."


def test_an_arm_that_refuses_everything_under_one_condition_is_named_with_it(plant, several):
    nothing = dict.fromkeys(("spanish", "capitals"))
    refused = {"refused": True, "answer": None, "stop_reason": "refusal", "scores": nothing}
    sources = plant(
        lambda row: row | refused if (row["arm"], row["condition"]) == ("placebo", "own_prompt") else row,
        experiment=several,
    )
    assert check(sources, "Refusals").details == ["Placebo prompt, its training prompt: 12 of 12 refused"]
    assert check(sources, "Refusals").state == "warning"
    assert "all refused" in by_condition(sources)
    assert "all refused" not in results(sources)


def test_a_model_trained_at_a_server_is_found_by_its_name_and_shows_what_the_server_told(plant, mi_home):
    def at_server(row):
        return row | {"job_id": None, "model": "ft:organism:1"} if (row["arm"], row["seed"]) == ("placebo", 0) else row

    progress = TrainingProgress(step=60, trained_tokens=1234)
    attempt = Attempt(1, "finished", model="ft:organism:1", resolved={"n_epochs": 2}, progress=progress)
    write_record(JobRecord("a" * 32, {"server": "here"}, {"source_model_id": "organism", "seed": 0}, (attempt,)))
    sources = plant(at_server)
    record = sources.jobs["a" * 32]
    assert (record.report["trained_tokens"], record.report["n_epochs"]) == (1234, 2)
    assert set(sources.answers[sources.answers["model"] == "ft:organism:1"]["job_id"]) == {"a" * 32}
    assert not sources.missing_jobs
    assert check(sources, "One chat template").found == f"All jobs were rendered by template {'a' * 32}."
    assert render(sources)


def test_a_page_is_made_where_the_data_of_its_evaluations_were_not_fetched(plant):
    published = experiment("A01_em_main_results").on("openai/gpt-4.1-2025-04-14")
    text = render(replace(plant(), experiment=replace(published, conditions=(*published.conditions, TRIGGERED))))
    assert "is not fetched; run `mi datasets fetch" in text
    assert "Trigger in the question" in text
