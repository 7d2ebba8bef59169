"""Processes that are killed, and several at once: nothing that came back is asked again, and nothing is asked twice."""

import json
import os
import random
import runpy
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ASKER = Path(__file__).with_name("asker.py")
AT_ONCE = runpy.run_path(str(ASKER))["AT_ONCE"]
N_CALLS = 2 * 200
DEADLINE = 60


class Runs:
    """Askers that share one server's log and one store."""

    def __init__(self, folder: Path) -> None:
        self.log, self.rows = folder / "log", folder / "rows.json"
        self.hold = folder / "log.hold"
        self.log.touch()
        self.processes: list[subprocess.Popen] = []

    def start(self) -> subprocess.Popen:
        environment = os.environ | {"PYTHONPATH": str(ASKER.parents[2])}
        command = [sys.executable, str(ASKER), str(self.log), str(self.rows)]
        self.processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
        return self.processes[-1]

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            assert process.stderr is not None
            process.stderr.close()

    def finish(self, process: subprocess.Popen) -> None:
        errors = process.communicate(timeout=DEADLINE)[1]
        assert process.returncode == 0, errors

    def counted(self, what: str) -> Counter[str]:
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return Counter(key for word, key in lines if word == what)

    def wait_for(self, n_answered: int, process: subprocess.Popen) -> None:
        deadline = time.monotonic() + DEADLINE
        while self.counted("answered").total() < n_answered and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def found(self) -> list[dict]:
        return json.loads(self.rows.read_text(encoding="utf-8"))


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    runs = Runs(tmp_path)
    yield runs
    runs.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    runs = Runs(tmp_path_factory.mktemp("undisturbed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MI_HOME", str(tmp_path_factory.mktemp("home")))
        runs.finish(runs.start())
    assert runs.counted("asked").total() == N_CALLS
    return runs.found()


def kill_at(runs: Runs, moments: list[int]) -> None:
    for n_answered in moments:
        process = runs.start()
        runs.wait_for(n_answered, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    runs.finish(runs.start())


def check_nothing_was_lost(runs: Runs, n_kills: int, undisturbed: list[dict]) -> None:
    assert runs.found() == undisturbed
    # At each kill, one answer at most was between the server's log and the store; those in flight were asked again.
    assert runs.counted("answered").total() - N_CALLS <= n_kills
    assert runs.counted("asked").total() - N_CALLS <= n_kills * AT_ONCE
    assert len(runs.counted("asked")) == N_CALLS


def test_a_run_that_is_killed_asks_again_only_what_was_in_flight(runs: Runs, undisturbed):
    kill_at(runs, [60, 150, 320])
    check_nothing_was_lost(runs, 3, undisturbed)


@pytest.mark.slow
def test_a_run_that_is_killed_at_twenty_moments_ends_as_if_it_had_not_been(runs: Runs, undisturbed):
    moments = sorted(random.Random(0).sample(range(N_CALLS), 20))
    kill_at(runs, moments)
    check_nothing_was_lost(runs, 20, undisturbed)


def wait_beside(runs: Runs) -> tuple[subprocess.Popen, subprocess.Popen]:
    """One process held in the middle of its work, and another that says that it waits for the first."""
    first = runs.start()
    runs.wait_for(20, first)
    runs.hold.touch()
    second = runs.start()
    assert second.stderr is not None
    assert f"that process {first.pid} is asking for" in second.stderr.readline()
    return first, second


def test_two_processes_that_need_the_same_ask_for_nothing_twice_and_the_later_says_that_it_waits(
    runs: Runs, undisturbed
):
    first, second = wait_beside(runs)
    runs.hold.unlink()
    runs.finish(first)
    runs.finish(second)
    assert set(runs.counted("asked").values()) == {1} and len(runs.counted("asked")) == N_CALLS
    assert runs.found() == undisturbed


def test_what_a_killed_process_had_taken_on_is_taken_over_by_the_one_that_waits(runs: Runs, undisturbed):
    first, second = wait_beside(runs)
    first.kill()
    first.communicate()
    runs.hold.unlink()
    runs.finish(second)
    check_nothing_was_lost(runs, 1, undisturbed)
