"""A launch that is killed at any moment, here or at the server, is taken up: one job, one file, none orphaned."""

import asyncio
import json
import subprocess
import sys
import threading

import pytest

from mi.config import jobs_dir
from mi.finetuning.services import find_job, get_job_info, launch_or_retrieve_job

LAUNCH = """
import asyncio, sys
from dataclasses import replace
from mi.external.openai_driver.data_models import OpenAIFTJobConfig
from mi.finetuning import launching
from mi.finetuning.services import get_finetuned_model, launch_or_retrieve_job
launching.PACE = replace(launching.PACE, poll=0.01, settle=(0.01, 0.02), file=0.2)
job = asyncio.run(launch_or_retrieve_job(OpenAIFTJobConfig("base", sys.argv[1], 3)))
print(get_finetuned_model(job).id)
"""


def start(config) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", LAUNCH, config.dataset_path]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_at(server, config, moment) -> None:
    """Launch in another process, and kill -9 it when the server says (when, number, "METHOD /path") of `moment`."""
    go, dead = threading.Event(), threading.Event()

    def on_request(when, number, path):
        if moment(when, number, path) and not go.is_set():
            go.set()
            assert dead.wait(10)

    server.on_request = on_request
    with start(config) as process:
        assert go.wait(30), process.communicate()
        process.kill()
        process.wait()
        dead.set()
    server.on_request = lambda when, number, path: None


def assert_one_of_each(server, config) -> None:
    job = asyncio.run(launch_or_retrieve_job(config))
    assert (len(server.files), len(server.jobs)) == (1, 1)
    assert get_job_info(job).report["remote_id"] == "ftjob-1"
    assert not list(jobs_dir().glob("*.json.*"))


@pytest.mark.parametrize(
    ("when", "request_line"),
    [
        ("after", "POST /files"),
        ("before", "POST /fine_tuning/jobs"),
        ("after", "POST /fine_tuning/jobs"),
        ("after", "GET /fine_tuning/jobs/ftjob-1"),
    ],
)
def test_a_launch_that_is_killed_is_taken_up_where_it_was(server, remote, when, request_line):
    kill_at(server, remote, lambda now, number, line: (now, line) == (when, request_line))
    assert_one_of_each(server, remote)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 11))
def test_a_launch_that_is_killed_at_any_request_is_taken_up(server, remote, when, number):
    server.script = ("queued", "queued", "running", "running", "running", "succeeded")
    kill_at(server, remote, lambda now, count, line: (now, count) == (when, number))
    assert_one_of_each(server, remote)


def test_two_processes_that_launch_one_job_make_one(server, remote):
    with start(remote) as one, start(remote) as other:
        said = [process.communicate()[0].strip() for process in (one, other)]
    assert said == ["ft:base:us::ftjob-1"] * 2
    assert (len(server.files), len(server.jobs)) == (1, 1)


def test_a_record_is_whole_at_each_moment_at_which_the_server_is_asked(server, remote):
    seen = []

    def look(when, number, line):
        path = jobs_dir() / f"{job_id}.json"
        seen.append((line, json.loads(path.read_text())["attempts"][-1] if path.exists() else None))

    job_id = find_job(remote).id
    server.on_request = look
    asyncio.run(launch_or_retrieve_job(remote))
    made = [attempt for line, attempt in seen if line == "POST /fine_tuning/jobs"]
    assert all(attempt["creating"] and attempt["file_id"] == "file-1" and attempt["key"] for attempt in made)
    sent = [attempt for line, attempt in seen if line == "POST /files"]
    assert all(attempt["key"] and not attempt["creating"] for attempt in sent)


def test_ctrl_c_while_waiting_loses_nothing(server, remote):
    server.script = ("running",)
    waits = threading.Event()
    server.on_request = lambda when, number, line: waits.set() if line.startswith("GET /fine_tuning/jobs/") else None
    with start(remote) as process:
        assert waits.wait(30)
        process.send_signal(2)
        process.communicate()
    server.script = ("succeeded",)
    assert_one_of_each(server, remote)
