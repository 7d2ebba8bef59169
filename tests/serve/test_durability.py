"""A server that is killed or stopped goes on where it was: no job is lost, and none is trained twice."""

import contextlib
import random
import signal
import subprocess

import openai
import pytest


def launch(client, rows, n_steps: int, name: str = "train.jsonl", **options):
    """A job of so many steps."""
    file = client.files.create(file=(name, rows()), purpose="fine-tune")
    return client.fine_tuning.jobs.create(
        model="organism", training_file=file.id, seed=1, extra_body={"n_steps": n_steps}, **options
    )


def trained_folders(home) -> list[str]:
    """The jobs that were trained to their end."""
    return sorted(path.name for path in (home / "jobs").iterdir() if not path.name.startswith("."))


def test_a_killed_server_takes_up_its_queue_where_it_was(start, tmp_path, rows, until):
    with start(tmp_path) as running:
        client = running.client()
        long, waiting, paused = (launch(client, rows, n_steps=steps) for steps in (40, 3, 4))
        assert client.fine_tuning.jobs.pause(paused.id).status == "paused"
        until(lambda: client.fine_tuning.jobs.retrieve(long.id).estimated_finish)
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
    with start(tmp_path) as running:
        jobs = running.client().fine_tuning.jobs
        assert running.finished(long.id).status == running.finished(waiting.id).status == "succeeded"
        assert jobs.retrieve(paused.id).status == "paused"
        assert [job.id for job in jobs.list()] == [paused.id, waiting.id, long.id]
        said = [event.message for event in jobs.list_events(long.id)]
        assert "The server was stopped while this job was running; the job is back in the queue" in said
        assert said.count("The job has successfully completed") == 1
        assert len(trained_folders(tmp_path)) == 2


@pytest.mark.slow
def test_a_server_killed_twenty_times_trains_each_job_once_and_loses_none(start, tmp_path, rows):
    chance, wanted = random.Random(0), {}
    for _ in range(20):
        with start(tmp_path) as running, contextlib.suppress(openai.OpenAIError):
            number = len(wanted)
            wanted[number] = launch(running.client(), rows, n_steps=5 + number, metadata={"number": str(number)}).id
            pause = chance.uniform(0, 12)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(timeout=pause)
            running.process.send_signal(signal.SIGKILL)
            running.process.wait()
    with start(tmp_path) as running:
        jobs = running.client().fine_tuning.jobs
        listed = list(jobs.list())
        assert sorted(job.id for job in listed) == sorted(wanted.values())
        for job in listed:
            assert running.finished(job.id).status == "succeeded"
            said = [event.message for event in jobs.list_events(job.id)]
            assert said.count("The job has successfully completed") == 1
    assert len(trained_folders(tmp_path)) == len(wanted) == 20


def test_equal_jobs_are_trained_once_and_keep_their_own_names(server, rows):
    client = server.client()
    one, other = (server.finished(launch(client, rows, 3, name).id) for name in ("one.jsonl", "other.jsonl"))
    assert one.fine_tuned_model != other.fine_tuned_model and one.trained_tokens == other.trained_tokens
    steps = [e.data["step"] for e in client.fine_tuning.jobs.list_events(other.id) if e.type == "metrics"]
    assert steps == []


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_stopped_server_ends_cleanly_and_queues_what_it_was_training(start, tmp_path, rows, until, number):
    with start(tmp_path) as running:
        client = running.client()
        job = launch(client, rows, n_steps=5000)
        until(lambda: client.fine_tuning.jobs.retrieve(job.id).status == "running")
        running.process.send_signal(number)
        running.process.wait(timeout=60)
        left = subprocess.run(["pgrep", "-g", str(running.process.pid)], capture_output=True, text=True).stdout
    log = (tmp_path / "serve.log").read_text()
    assert "Traceback" not in log and not left
    assert not list((tmp_path / "jobs").glob(".*.partial"))
    with start(tmp_path) as running:
        jobs = running.client().fine_tuning.jobs
        assert jobs.retrieve(job.id).status in ("queued", "running")
        assert "The server is stopping; the job is back in the queue" in [e.message for e in jobs.list_events(job.id)]


def test_two_servers_do_not_share_a_folder(server):
    import os
    import sys
    from pathlib import Path

    words = [sys.executable, "-c", "from mi.cli import main; main()", "serve", "--port", "0"]
    settings = {**os.environ, "MI_HOME": str(server.home), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(words, env=settings, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "another `mi serve` works here" in done.stderr and "Traceback" not in done.stderr
