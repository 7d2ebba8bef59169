"""Fine-tuning at the command line: plan, train, status, and what is done with jobs that failed."""

import json

import pytest
from typer.testing import CliRunner

from mi.cli import app
from mi.config import jobs_dir
from mi.finetuning.services import list_jobs
from mi.utils.errors import UserError


@pytest.fixture
def mi(server, remote):
    """`mi WORDS` in this process: what it printed. A UserError comes through, as it does to `mi.cli.main`."""

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_without_jobs_the_status_says_so(mi):
    assert mi("status") == "No jobs yet.\n"


def test_a_file_is_planned_trained_at_the_server_and_found_again(mi, server, remote):
    command = (remote.dataset_path, "--model", "openai/base", "--seeds", "2")
    assert "2 jobs, 0 trained already, 2 to train." in mi("plan", *command)
    told = mi("train", *command, "--wait")
    assert told.count("finished") == 3  # each row, and the sum
    assert mi("train", *command, "--wait") == told
    assert len(server.jobs) == 2
    assert "2 jobs, 2 trained already, 0 to train." in mi("plan", *command)
    assert "2 finished." in mi("status")


def test_without_waiting_the_jobs_go_on_and_the_status_asks_for_them(mi, remote):
    assert "mi status" in mi("train", remote.dataset_path, "--model", "openai/base")
    assert "queued" in mi("jobs", "list")
    assert "finished" in mi("status", "--watch")


def test_hyper_parameters_are_sent(mi, server, remote):
    options = ("--epochs", "2", "--lr-multiplier", "0.5", "--batch-size", "auto")
    mi("train", remote.dataset_path, "--model", "openai/base", *options)
    [job] = server.jobs.values()
    assert (job["hyperparameters"]["n_epochs"], job["hyperparameters"]["learning_rate_multiplier"]) == (2, 0.5)


def test_a_failed_job_is_shown_retried_cancelled_and_forgotten_by_the_beginning_of_its_id(mi, server, remote):
    server.outcome = lambda job: {"status": "failed", "error": {"code": "server_error", "message": "no GPU"}}
    with pytest.raises(UserError, match="no GPU"):
        mi("train", remote.dataset_path, "--model", "openai/base")
    short = list_jobs()[0].id[:8]
    assert json.loads(mi("jobs", "show", short))["attempts"][0]["reason"] == "no GPU (server_error)"
    server.outcome = lambda job: {}
    assert "queued" in mi("jobs", "retry", short)
    assert "cancelled" in mi("jobs", "cancel", short)
    assert "forgotten" in mi("jobs", "forget", short)
    assert mi("status") == "No jobs yet.\n"
    assert len(server.jobs) == 2


def test_an_experiment_is_planned_at_a_server_without_asking_it(mi, server):
    told = mi("plan", "A07_spanish_capitalization", "--model", "openai/organism", "--seeds", "1")
    assert "7 jobs, 0 trained already, 7 to train." in told
    assert not server.asked


def test_a_local_job_is_stopped_where_it_runs_and_forgotten_by_deleting_it(mi):
    job = jobs_dir() / ("ab" * 16)
    job.mkdir(parents=True)
    config = {"source_model_id": "organism", "dataset_path": "rows.jsonl", "seed": 0}
    (job / "job.json").write_text(json.dumps({"id": job.name, "config": config}))
    (job / "training.json").write_text(json.dumps({"losses": [1.0]}))
    for verb, mend in (
        ("cancel", "Ctrl-C"),
        ("forget", "delete .*abab"),
        ("retry", "only what has failed at a server"),
    ):
        with pytest.raises(UserError, match=mend):
            mi("jobs", verb, "abab")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("jobs", "show", "ffff"), "ffff: no job of this name"),
        (("train", "A99"), "A99"),
        (("train", "none.jsonl"), "none.jsonl: cannot be read"),
        (("train", "FILE", "--epochs", "2"), "n_epochs are for jobs at a server"),
        (("train", "FILE", "--model", "openai/base", "--epochs", "many"), "--epochs is 'many'"),
        (("train", "FILE", "--model", "openai/base", "--epochs", "0"), "n_epochs is 0"),
        (("plan", "FILE", "--seeds", "0"), "--seeds must be at least 1"),
        (("train", "A07_spanish_capitalization", "--epochs", "2"), "its own hyper-parameters"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(mi, remote, words, said):
    with pytest.raises(UserError, match=said):
        mi(*(remote.dataset_path if word == "FILE" else word for word in words))
    assert not list(jobs_dir().glob("*.json"))


def test_a_torn_record_is_told_by_status_and_by_its_name(mi):
    jobs_dir().mkdir(parents=True)
    (jobs_dir() / f"{'cd' * 16}.json").write_text("{")
    assert "unreadable" in mi("status")
    with pytest.raises(UserError, match="no whole record"):
        mi("jobs", "show", "cdcd")
