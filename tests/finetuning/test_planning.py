"""A plan says what is trained already and what the rest takes; the table says of every job how it is."""

import asyncio
import json
from dataclasses import replace

import pytest
from rich.console import Console

from mi.config import jobs_dir
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.openai_driver.data_models import OpenAIFTJobConfig
from mi.finetuning import local
from mi.finetuning.configs import config_for
from mi.finetuning.data_models import JobInfo, TrainingProgress
from mi.finetuning.planning import plan
from mi.finetuning.records import unreadable
from mi.finetuning.services import find_job, get_job_info, launch_or_retrieve_job, list_jobs, poll_job
from mi.finetuning.show import duration, plan_table, status_table, summary
from mi.finetuning.watching import look_at, watched


def text_of(table) -> str:
    console = Console(width=220, record=True, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


@pytest.fixture
def at_openai(monkeypatch: pytest.MonkeyPatch, tmp_path, write_file) -> OpenAIFTJobConfig:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    rows = write_file(tmp_path / "long.jsonl", answers=tuple(f"{number:0400}" for number in range(1000)))
    return OpenAIFTJobConfig("gpt-4.1", str(rows), 0, n_epochs=2)


def test_a_plan_for_openai_has_tokens_money_and_the_days_on_which_things_end_and_needs_no_key(at_openai):
    [item] = plan([find_job(at_openai)])
    assert item.trained_tokens == 2 * item.row_tokens == 2 * 101_500
    assert item.money == pytest.approx(0.203 * 25)
    assert any("takes no new fine-tuning jobs on 2027-01-06" in note for note in item.notes)
    assert any("gpt-4.1 is shut down on 2027-01-14" in note for note in item.notes)


def test_epochs_that_are_left_open_are_said_to_be_assumed(at_openai):
    planned = plan([find_job(replace(at_openai, n_epochs="auto"))])
    assert planned[0].trained_tokens == 3 * planned[0].row_tokens
    assert "3 epochs are assumed" in summary(planned)


def test_rows_that_openai_would_refuse_are_in_the_plan(at_openai, write_file, tmp_path):
    short = replace(at_openai, dataset_path=str(write_file(tmp_path / "short.jsonl")))
    assert "2 rows, but openai asks for at least 10" in summary(plan([find_job(short)])).lower()


def test_a_plan_knows_what_is_trained_and_counts_a_job_once(server, remote):
    done = asyncio.run(launch_or_retrieve_job(remote))
    planned = plan([done, done, find_job(replace(remote, seed=8))])
    assert [item.is_to_do for item in planned] == [False, True]
    told = summary(planned)
    assert "2 jobs, 1 trained already, 1 to train." in told
    assert "No price is known for 1." in told
    assert done.id[:8] not in text_of(plan_table(planned))


def test_the_time_of_local_jobs_is_told_by_those_that_were_trained_here(monkeypatch, tmp_path, write_file):
    monkeypatch.setattr(local, "fingerprint", lambda model: "base")
    config = LocalFTJobConfig("base", str(write_file(tmp_path / "rows.jsonl")), 0, n_steps=10, batch_size=2)
    assert "is known once" in summary(plan([find_job(config)]))
    done = jobs_dir() / find_job(config).id
    done.mkdir(parents=True)
    (done / "job.json").write_text(json.dumps({"id": done.name, "config": vars(config)}))
    (done / "training.json").write_text(json.dumps({"seconds": 40, "losses": [2.0, 1.0], "trained_tokens": 7}))
    [item] = plan([find_job(replace(config, seed=1, n_steps=5))])
    assert item.seconds == 20


def test_a_local_configuration_is_sent_whole_to_a_server_of_ones_own(server):
    training = LocalFTJobConfig("", "rows.jsonl", 4, n_steps=60, batch_size=16, learning_rate=6e-3)
    config = config_for(f"openai/organism@{server.url}", training)
    assert isinstance(config, OpenAIFTJobConfig)
    assert (config.source_model_id, config.endpoint, config.seed, config.batch_size) == ("organism", server.url, 4, 16)
    assert config.server_options["n_steps"] == 60
    assert config.server_options["learning_rate"] == 6e-3
    assert config_for("organism", training) == replace(training, source_model_id="organism")


def test_openai_itself_is_sent_no_hyper_parameter_that_it_does_not_know(at_openai):
    config = config_for("openai/gpt-4.1", LocalFTJobConfig("", "rows.jsonl", 4))
    assert config == OpenAIFTJobConfig("gpt-4.1", "rows.jsonl", 4)


def test_the_table_shows_state_step_loss_and_the_last_event_and_survives_a_restart(server, remote):
    job = asyncio.run(launch_or_retrieve_job(remote, wait=False))
    server.script = ("running",)
    server.events["ftjob-1"] = [
        {"id": "e2", "object": "fine_tuning.job.event", "created_at": 110, "level": "info", "type": "metrics",
         "message": "Step 20/100: training loss=0.51", "data": {"step": 20, "train_loss": 0.51, "total_steps": 100}},
        {"id": "e1", "object": "fine_tuning.job.event", "created_at": 100, "level": "info", "type": "metrics",
         "message": "Step 10/100: training loss=0.90", "data": {"step": 10, "train_loss": 0.9, "total_steps": 100}},
    ]  # fmt: skip
    asyncio.run(poll_job(job))
    shown = text_of(status_table([get_job_info(each) for each in list_jobs()]))
    for words in (job.id[:8], "base at 127.0.0.1", "running", "20/100", "0.510", "80 s", "Step 20/100"):
        assert words in shown


def test_each_outcome_is_in_the_table_with_its_reason(server, remote):
    configs = [replace(remote, seed=seed) for seed in range(5)]
    told = [
        {},
        {"status": "failed", "error": {"code": "server_error", "message": "no GPU"}},
        {"status": "failed", "error": {"code": "moderation", "message": "blocked [by policy]"}},
        {"status": "cancelled"},
        {"status": "paused"},
    ]
    server.outcome = lambda job: told[job["seed"]]
    server.script = ("paused",)

    async def launched():
        await asyncio.gather(
            *(launch_or_retrieve_job(config, wait=False) for config in configs), return_exceptions=True
        )

    asyncio.run(launched())
    shown = text_of(status_table([get_job_info(each) for each in list_jobs()]))
    for words in ("queued", "failed", "no GPU", "refused", "blocked [by policy]", "cancelled", "paused", "censored"):
        assert words in shown


def test_a_torn_record_has_a_row_and_hides_no_other_job(server, remote):
    job = asyncio.run(launch_or_retrieve_job(remote))
    (jobs_dir() / f"{'0' * 32}.json").write_text("{")
    shown = text_of(status_table([get_job_info(each) for each in list_jobs()], list(unreadable())))
    assert job.id[:8] in shown
    assert "00000000" in shown
    assert "no whole record" in shown


def test_a_job_that_cannot_be_asked_for_is_shown_as_it_was_with_the_reason(server, remote, monkeypatch):
    job = asyncio.run(launch_or_retrieve_job(remote, wait=False))
    monkeypatch.delenv("OPENAI_API_KEY")
    [info] = asyncio.run(look_at([job]))
    assert info.status == "queued"
    assert "belongs to the key openai, which is not set here" in (info.reason or "")


def test_what_is_watched_is_shown_while_it_goes_on_and_once_it_has_ended(server, remote):
    job, seen = find_job(remote), []
    result = asyncio.run(
        watched(launch_or_retrieve_job(remote), [job], lambda infos: seen.append(infos[0].status), seconds=0.01)
    )
    assert result == job
    assert seen[0] == "unknown"
    assert seen[-1] == "finished"


def test_money_is_shown_where_the_server_tells_tokens_and_a_price_is_known(at_openai):
    info = JobInfo(
        find_job(at_openai),
        "finished",
        jobs_dir(),
        {"server": "openai", "base": "gpt-4.1-2025-04-14"},
        progress=TrainingProgress(trained_tokens=2_000_000),
    )
    assert "$50.00" in text_of(status_table([info]))


@pytest.mark.parametrize(("seconds", "said"), [(40, "40 s"), (720, "12 min"), (12600, "3.5 h")])
def test_a_time_is_said_as_people_say_it(seconds, said):
    assert duration(seconds) == said
