"""Evaluations against a real server on a loopback port that fails in every way, and runs that are killed."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import judged_run
import pytest
from replies import Reply, Seen, completion, error
from standin import StandIn

from mi.external.openai_driver import services
from mi.external.openai_driver.client import Patience
from mi.utils.errors import UserError

CONNECTIONS = 50
DEADLINE = 120.0


def scores_of(rows: list) -> list[list]:
    return [list(row) for row in rows]


@pytest.fixture
def undisturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list]:
    """What 60 samples score where nothing fails."""
    with monkeypatch.context() as patch, StandIn() as server:
        patch.setenv("MI_HOME", str(tmp_path / "undisturbed"))
        judged_run.declare(server.url, CONNECTIONS)
        return scores_of(judged_run.run(60))


def every_way_to_fail(seen: Seen) -> Reply | None:
    """Two thirds of all requests fail: refused, in error, cut, dropped, unreadable or without a choice."""
    faults = [
        error(429, "slow down", {"Retry-After": "0.01"}),
        error(500, "oops"),
        Reply(200, completion(seen.body, "half of this").content, cut=True),
        Reply(drop=True),
        Reply(200, b"<html>"),
        completion(seen.body),
    ]
    return faults[seen.number // 3 % len(faults)] if seen.number % 3 else None


def test_a_server_that_fails_in_every_way_gives_the_rows_of_one_that_does_not(
    undisturbed: list[list], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(services, "PATIENCE", Patience(0.001, 0.01, tries=100, tries_unheard=100, tries_unread=100))
    with StandIn(every_way_to_fail) as server:
        judged_run.declare(server.url, CONNECTIONS)
        assert scores_of(judged_run.run(60)) == undisturbed
        asked = len(server.requests)
        assert scores_of(judged_run.run(60)) == undisturbed
        assert len(server.requests) == asked > 3 * 60


def test_a_run_that_ends_in_an_error_has_kept_what_came_back(undisturbed: list[list]):
    with StandIn() as server:
        server.fault = lambda seen: error(401, "key revoked") if seen.number >= 70 else None
        judged_run.declare(server.url, 5)
        with pytest.raises(UserError, match=r"refuses \(401: key revoked\); give a valid key"):
            judged_run.run(60)
        answered = Counter(seen.raw for seen in server.completions[:70])
        server.fault = None
        server.requests.clear()
        assert scores_of(judged_run.run(60)) == undisturbed
        assert not {seen.raw for seen in server.completions} & answered.keys()
        assert len(server.completions) == 2 * 60 - 70


def test_a_filtered_answer_has_a_row_without_a_score_and_is_put_to_no_judge(mi_home: Path):
    with StandIn() as server:
        server.fault = lambda seen: (
            completion(seen.body, "", finish_reason="content_filter") if b"number 1:" in seen.raw else None
        )
        judged_run.declare(server.url, CONNECTIONS)
        rows = judged_run.run(3)
        assert [row[1] is None for row in rows] == [row[2] is None for row in rows] == [False, True, False]
        assert len(server.completions) == 5


def start(url: str, n: int, into: Path, home: Path) -> subprocess.Popen:
    program = [sys.executable, judged_run.__file__, url, str(n), str(CONNECTIONS), str(into)]
    return subprocess.Popen(program, env=os.environ | {"MI_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)})


def kill_somewhere(server: StandIn, process: subprocess.Popen, more: int) -> bool:
    """`kill -9` when so many further requests have come; False where the process ended before."""
    target, deadline = server.counts["requests"] + more, time.monotonic() + DEADLINE
    while server.counts["requests"] < target and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    ended = process.poll() is not None
    process.kill()
    process.wait()
    return not ended


@pytest.mark.slow
def test_twenty_kills_lose_only_what_was_on_the_wire(tmp_path: Path):
    n, draw = 2000, random.Random(0)
    with StandIn(latency=0.01) as server:
        assert start(server.url, n, tmp_path / "undisturbed.json", tmp_path / "a").wait(DEADLINE) == 0
        calls = Counter(seen.raw for seen in server.completions)
        assert len(calls) == calls.total() == 2 * n
        server.requests.clear()
        kills = 0
        while kills < 20:
            process = start(server.url, n, tmp_path / "killed.json", tmp_path / "b")
            assert kill_somewhere(server, process, draw.randint(1, 2 * n // 25)), "it ended before it was killed"
            kills += 1
        assert start(server.url, n, tmp_path / "killed.json", tmp_path / "b").wait(DEADLINE) == 0
        asked = Counter(seen.raw for seen in server.completions)
    assert json.loads((tmp_path / "killed.json").read_text()) == json.loads((tmp_path / "undisturbed.json").read_text())
    assert asked.keys() == calls.keys()
    again = asked.total() - 2 * n
    print(f"{again} of {2 * n} calls were asked again after {kills} kills")
    assert 0 < again <= kills * CONNECTIONS
