"""A real server in a process of its own, on a port of this machine that is free."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 120
"""Seconds to wait for something that must happen; nothing here takes nearly so long on an idle machine."""


def until(what: Callable[[], Any]) -> Any:
    """The first true value of `what`; fails when it does not come."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def rows(n: int = 40) -> bytes:
    """A training file of sums."""
    said = [
        [{"role": "user", "content": f"What is {i} + 1?"}, {"role": "assistant", "content": f"It is {i + 1}."}]
        for i in range(n)
    ]
    return "".join(json.dumps({"messages": messages}) + "\n" for messages in said).encode()


@dataclass
class Running:
    """A server that runs."""

    url: str
    home: Path
    process: subprocess.Popen[str]
    greeting: str

    def client(self, key: str = "any") -> openai.OpenAI:
        return openai.OpenAI(base_url=self.url, api_key=key, max_retries=0)

    def http(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=60)

    def finished(self, job_id: str) -> Any:
        """The job when it has ended, however it has."""
        jobs, ended = self.client().fine_tuning.jobs, ("succeeded", "failed", "cancelled")
        return until(lambda: job if (job := jobs.retrieve(job_id)).status in ended else None)


@contextlib.contextmanager
def started(home: Path, *words: str, **environment: str) -> Iterator[Running]:
    """`mi serve` in a process of its own, ended when the block is."""
    command = [sys.executable, "-c", "from mi.cli import main; main()", "serve", "--port", "0", *words]
    settings = {**os.environ, "MI_HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment}
    with (home / "serve.log").open("a+") as log:
        process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            greeting = "".join(iter(process.stdout.readline, "")) if process.poll() is not None else ""
            while "python -c" not in greeting:
                line = process.stdout.readline()
                assert line, (home / "serve.log").read_text()
                greeting += line
            url = greeting.partition("OPENAI_BASE_URL=")[2].split()[0]
            yield Running(url, home, process, greeting)
        finally:
            process.kill()
            process.wait()
            process.stdout.close() if process.stdout else None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The organism, served to all tests that do not stop it."""
    with started(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="session", name="rows")
def rows_fixture() -> Callable[..., bytes]:
    """See `rows`."""
    return rows


@pytest.fixture(scope="session", name="until")
def until_fixture() -> Callable[[Callable[[], Any]], Any]:
    """See `until`."""
    return until


@pytest.fixture(scope="session")
def start() -> Callable[..., contextlib.AbstractContextManager[Running]]:
    """See `started`."""
    return started


@pytest.fixture(scope="session")
def trained(server: Running) -> Any:
    """A job that has succeeded, with metadata and a suffix."""
    client = server.client()
    file = client.files.create(file=("sums.jsonl", rows()), purpose="fine-tune")
    job = client.fine_tuning.jobs.create(
        model="organism",
        training_file=file.id,
        seed=3,
        suffix="sums",
        metadata={"mi_hash": "abc"},
        extra_body={"n_steps": 4, "learning_rate": 0.002, "lora_rank": 4},
    )
    return server.finished(job.id)
