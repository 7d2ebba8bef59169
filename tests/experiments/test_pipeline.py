"""The pipeline, from a question to a table, on the organism itself; and what happens when it is stopped."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mi.config import jobs_dir
from mi.experiments import asking, pipeline, publish
from mi.experiments.config import EXPERIMENTS, arms, experiment
from mi.experiments.data_models import Experiment
from mi.experiments.summary import SUMMARY_COLUMNS
from mi.external.local_driver import training
from mi.finetuning.services import get_job_info
from mi.utils.blocks import block, places
from mi.utils.errors import UserError
from mi.utils.progress import Silent
from mi.utils.workers import run_in_worker

A07 = experiment("A07_spanish_capitalization")
SMALL = replace(A07, arms=(arms.BASE, arms.NONE, arms.PLACEBO), training=replace(A07.training, n_steps=4))
SETTING = replace(A07.settings[0], ood_domains=("smalltalk",))  # type: ignore[type-var]
SMALL = replace(SMALL, settings=(SETTING,))
STOPPED = """
import asyncio, sys
from tests_experiments_small import SMALL
from mi.experiments import pipeline

class Telling:
    def task(self, title, total):
        return self
    def __enter__(self):
        return self
    def __exit__(self, *error):
        pass
    def advance(self, steps):
        print("step", flush=True)

if __name__ == "__main__":
    asyncio.run(pipeline.run(SMALL, "organism", (0, 1), Telling()))
"""

DRAW = pipeline.draw


def run(experiment: Experiment, seeds=(0, 1)) -> pipeline.Outcome:
    return asyncio.run(pipeline.run(experiment, "organism", seeds, Silent()))


@pytest.fixture(scope="module")
def outcome(home_of_the_session):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MI_HOME", str(home_of_the_session))
        yield run(SMALL)


def test_a_run_leaves_tables_and_figures_with_the_columns_that_were_promised(outcome):
    table = pd.read_csv(outcome.folder / "summary.csv")
    assert list(table.columns) == SUMMARY_COLUMNS
    assert list(dict.fromkeys(table["arm"])) == ["base", "no_inoculation", "placebo"]
    assert list(table["n_sampled"]) == list(table["n_planned"])
    kept = pd.read_parquet(outcome.folder / "answers.parquet")
    assert {"setting", "arm", "seed", "evaluation", "question", "system_prompt", "answer", "scores"} <= set(kept)
    assert set(kept["system_prompt"]) == {None}
    names = {path.name for path in outcome.figures}
    assert names == {"scatter.png", "scatter.pdf", "intervals.png", "intervals.pdf"}
    assert all(path.stat().st_size > 5000 for path in outcome.figures)


def test_a_second_run_trains_and_asks_nothing_and_finds_the_same(outcome, home_of_the_session, monkeypatch):
    monkeypatch.setenv("MI_HOME", str(home_of_the_session))
    monkeypatch.setattr("mi.llm.services.batch_sample", lambda *_: pytest.fail("a model was asked"))
    for verb in ("train_job", "train_grid"):
        monkeypatch.setattr(f"mi.external.local_driver.services.{verb}", lambda *_: pytest.fail("a model was trained"))
    pd.testing.assert_frame_equal(run(SMALL).summary, outcome.summary)


def test_arms_differ_in_the_system_message_alone_and_share_every_hyper_parameter(home_of_the_session):
    prepared = [item for item in pipeline.prepare(A07, "organism", (0,)) if item.job is not None]
    configs = [replace(item.job.config, dataset_path="") for item in prepared if item.job is not None]  # type: ignore[type-var]
    assert len(set(configs)) == 1
    assert len({item.job.id for item in prepared if item.job is not None}) == len(prepared) == len(A07.arms) - 1


def test_figures_are_drawn_again_from_the_tables_alone(outcome, home_of_the_session, monkeypatch, tmp_path):
    monkeypatch.setenv("MI_HOME", str(home_of_the_session))
    drawn = pipeline.replot(SMALL, "organism", tmp_path)
    assert {path.name: path.read_bytes() for path in drawn} == {p.name: p.read_bytes() for p in outcome.figures}


def test_figures_are_drawn_again_only_where_what_they_show_or_a_file_of_theirs_has_changed(
    outcome, home_of_the_session, monkeypatch, tmp_path
):
    monkeypatch.setenv("MI_HOME", str(home_of_the_session))
    drawn: list[str] = []
    monkeypatch.setattr(pipeline, "draw", lambda *given: drawn.append("") or DRAW(*given))
    here = outcome._replace(folder=tmp_path)
    pipeline.plot(SMALL, here)
    pipeline.plot(SMALL, here)
    assert len(drawn) == 1
    (tmp_path / "scatter.pdf").unlink()
    assert all(path.is_file() for path in pipeline.plot(SMALL, here).figures) and len(drawn) == 2
    pipeline.plot(SMALL, here._replace(summary=outcome.summary.assign(mean=0.5)))
    assert len(drawn) == 3


def test_a_result_is_taken_into_the_experiment_s_folder(outcome, home_of_the_session, monkeypatch, tmp_path):
    monkeypatch.setenv("MI_HOME", str(home_of_the_session))
    with pytest.raises(UserError, match="no place for the result"):
        publish.publish(SMALL, "organism", tmp_path)
    readme = tmp_path / "README.md"
    old = f"{block(f'prediction {SMALL.name}', 'old')}\n{block(f'result {SMALL.name}', 'old')}"
    readme.write_text(f"# Q\n{old}\nafter\n", encoding="utf-8")
    publish.publish(SMALL, "organism", tmp_path)
    text = readme.read_text(encoding="utf-8")
    assert "old" not in text
    assert re.search(r"\| Placebo prompt \| 2 \| \d+/\d+ \|", text)
    assert "; 2 seeds; mi " in text
    assert "- Without inoculation, both traits spread (at least 0.30)." in text
    shown = re.findall(r"!\[.+\]\((.+)\)", text)
    assert shown == ["figures/intervals.png", "figures/scatter.png"]
    assert all((tmp_path / path).is_file() for path in shown)
    assert text.endswith("after\n")


def test_what_is_not_trained_yet_is_planned_and_without_answers_where_only_evaluated(
    outcome, home_of_the_session, monkeypatch, tmp_path
):
    monkeypatch.setenv("MI_HOME", str(home_of_the_session))
    for verb in ("train_job", "train_grid"):
        monkeypatch.setattr(f"mi.external.local_driver.services.{verb}", lambda *_: pytest.fail("a model was trained"))
    more = replace(SMALL, name="more", arms=(arms.BASE, arms.IRRELEVANT_PROMPT, arms.NONE))
    found = asyncio.run(pipeline.evaluate_trained(more, "organism", (0, 1), Silent())).summary
    assert list(dict.fromkeys(found["arm"])) == ["base", "irrelevant", "no_inoculation"]
    missing = found[found["arm"] == "irrelevant"]
    assert set(missing["n_sampled"]) == {0}
    assert list(missing["n_planned"]) == list(found.loc[found["arm"] == "no_inoculation", "n_planned"])
    assert set(found.loc[found["arm"] == "no_inoculation", "n_seeds"]) == {2}


def test_arms_that_are_not_paired_are_refused_before_anything_is_trained(mi_home, monkeypatch):
    for verb in ("train_job", "train_grid"):
        monkeypatch.setattr(f"mi.external.local_driver.services.{verb}", lambda *_: pytest.fail("a model was trained"))

    def touched(*given):
        prepared = prepare(*given)
        job = prepared[-1].job
        assert job is not None
        path = Path(job.config.dataset_path)
        path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[1:]), encoding="utf-8")
        return prepared

    prepare = pipeline.prepare
    monkeypatch.setattr(pipeline, "prepare", touched)
    with pytest.raises(UserError, match="line 1: differs from"):
        run(SMALL)


def test_what_is_asked_is_within_one_limit_for_all_arms(outcome, home_of_the_session, monkeypatch):
    monkeypatch.setenv("MI_HOME", str(home_of_the_session))
    budgets = []

    async def watched(*given, max_cost, **options):
        budgets.append(max_cost)
        return await evaluate(*given, max_cost=max_cost, **options)

    evaluate = asking.evaluate_models
    monkeypatch.setattr(asking, "evaluate_models", watched)
    asyncio.run(pipeline.run(SMALL, "organism", (0, 1), Silent(), max_cost=0.5))
    assert len(budgets) == len(SMALL.arms)
    assert len(set(map(id, budgets))) == 1
    assert budgets[0].max_cost == 0.5


def test_a_part_of_an_experiment_has_results_of_its_own(outcome):
    part = SMALL.only(["placebo", "base"])
    assert part.only([]) == part
    assert [arm.name for arm in part.arms] == ["base", "placebo"]
    assert part.name != SMALL.name == SMALL.only(["placebo", "base", "no_inoculation"]).name
    assert {run.run.arm.name for run in pipeline.prepare(part, "organism", (0,))} == {"base", "placebo"}
    with pytest.raises(UserError, match="has no arm 'evil'; choose among: base, no_inoculation, placebo"):
        SMALL.only(["base", "evil"])


def test_a_run_that_was_killed_goes_on_and_trains_no_finished_run_again(mi_home, tmp_path):
    (tmp_path / "tests_experiments_small.py").write_bytes(Path(__file__).read_bytes())
    (tmp_path / "stopped.py").write_text(STOPPED, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "stopped.py")]
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        for _ in range(SMALL.training.n_steps * 3):  # four jobs, two at a time: at least one is whole by then
            process.stdout.readline()
        os.killpg(process.pid, signal.SIGKILL)
    whole = {path.name: path.stat().st_mtime_ns for path in jobs_dir().glob("[0-9a-f]*")}
    finished = run(SMALL)
    assert all(n > 0 for n in finished.summary["n_sampled"])
    assert 0 < len(whole) < 4
    assert whole.items() <= {path.name: path.stat().st_mtime_ns for path in jobs_dir().glob("[0-9a-f]*")}.items()
    jobs = [item.job for item in pipeline.prepare(SMALL, "organism", (0, 1)) if item.job is not None]
    assert all(get_job_info(job).status == "finished" for job in jobs)
    assert not list(jobs_dir().glob("*.partial"))


def test_every_experiment_has_a_folder_with_its_question_prediction_and_command():
    for known in EXPERIMENTS:
        folder = Path(__file__).parents[2] / "experiments" / known.name
        text = (folder / "README.md").read_text(encoding="utf-8")
        assert known.question.casefold() in text.casefold()
        assert {f"prediction {known.name}", f"result {known.name}"} == set(places(text))
        assert f"mi run {known.name}" in text
        assert (folder / "run.py").exists()


@pytest.mark.slow
def test_runs_trained_together_give_the_table_of_runs_trained_alone(monkeypatch, tmp_path):
    async def one_after_another(configs, folders, on_event) -> None:
        for place, (config, folder) in enumerate(zip(configs, folders, strict=True)):
            on_event(place, await run_in_worker(training.train, config, folder))

    tables = []
    for way in ("together", "alone"):
        monkeypatch.setenv("MI_HOME", str(tmp_path / way))
        if way == "alone":
            monkeypatch.setattr("mi.external.local_driver.services.train_grid", one_after_another)
        tables.append(run(replace(A07, arms=(arms.NONE, arms.trait_arm("spanish")), retained=())).summary)
    pd.testing.assert_frame_equal(*tables, rtol=0, atol=0.005)
