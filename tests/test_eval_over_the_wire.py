"""Evaluations against a real server on a loopback port that fails in every way, and runs that are killed."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import judged_run
import pytest
from replies import Reply, Seen, completion, error
from standin import StandIn

from mi.external.openai_driver import services
from mi.external.openai_driver.client import Patience
from mi.utils.errors import UserError

CONNECTIONS = 50
DEADLINE = 600.0


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


SOON = {"Retry-After": "0.01"}
A_THIRD: dict[str, Callable[[Seen], Reply]] = {
    "429": lambda seen: error(429, "slow down", SOON),
    "500": lambda seen: error(500, "oops"),
    "half a body": lambda seen: Reply(200, completion(seen.body, "half of this").content, cut=True),
    "invalid JSON": lambda seen: Reply(200, b'{"choices": [{"mess'),
    "an empty choice": lambda seen: completion(seen.body),
}


@pytest.mark.parametrize("fault", A_THIRD.values(), ids=A_THIRD)
def test_whatever_a_third_of_the_requests_ends_in_the_rows_are_right_and_no_answer_is_asked_for_again(
    undisturbed: list[list], monkeypatch: pytest.MonkeyPatch, fault: Callable[[Seen], Reply]
):
    monkeypatch.setattr(services, "PATIENCE", Patience(0.001, 0.01, tries=100, tries_unheard=100, tries_unread=100))
    with StandIn(lambda seen: fault(seen) if seen.number % 3 == 0 else None) as server:
        judged_run.declare(server.url, CONNECTIONS)
        assert scores_of(judged_run.run(60)) == undisturbed
        answered = Counter(seen.raw for seen in server.completions if seen.number % 3)
    assert len(answered) == answered.total() == 2 * 60


def test_a_server_that_stalls_now_and_then_gives_the_rows_of_one_that_does_not(
    undisturbed: list[list], monkeypatch: pytest.MonkeyPatch, mi_home: Path
):
    monkeypatch.setattr(services, "PATIENCE", Patience(0.001, 0.01, tries=100, tries_unheard=100))
    with StandIn(lambda seen: Reply(stall=True) if seen.number % 10 == 0 else None) as server:
        judged_run.declare(server.url, CONNECTIONS)
        with (mi_home / "mi-keys.toml").open("a", encoding="utf-8") as file:
            file.write("timeout = 0.5\n")
        assert scores_of(judged_run.run(60)) == undisturbed
        asked = len(server.completions)
        assert scores_of(judged_run.run(60)) == undisturbed
        assert len(server.completions) == asked > 2 * 60


FOR_GOOD: dict[str, tuple[Callable[[Seen], Reply], str]] = {
    "a key that was revoked": (
        lambda seen: error(401, "key revoked"), r"refuses \(401: key revoked\); give a valid key",
    ),
    "a wrong model": (
        lambda seen: completion(seen.body, "x", model="model-9"), r"answered as model-9; ask for that model",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "sentence"), FOR_GOOD.values(), ids=FOR_GOOD)
def test_a_run_that_ends_in_an_error_has_kept_what_came_back(
    undisturbed: list[list], fault: Callable[[Seen], Reply], sentence: str
):
    with StandIn() as server:
        server.fault = lambda seen: fault(seen) if seen.number >= 70 else None
        judged_run.declare(server.url, 5)
        with pytest.raises(UserError, match=sentence):
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


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


Asked = tuple[str, str]
"""A call as the server and the store both know it: the model and the question."""


def asked_in(seen: Iterable[Seen]) -> list[Asked]:
    return [(one.body["model"], one.body["messages"][-1]["content"]) for one in seen]


def stored_in(home: Path) -> set[Asked]:
    """The calls that the store holds, read without us."""
    lines = [line for path in home.rglob("*.jsonl") for line in path.read_bytes().splitlines(keepends=True)]
    records = [json.loads(line) for line in lines if line.endswith(b"\n")]
    return {(record["model"], record["messages"][-1]["content"]) for record in records}


def kill_after(server: StandIn, process: subprocess.Popen, more: int) -> None:
    """`kill -9` when so many further requests have come; the server has read all that was sent when this returns."""
    target = server.counts["requests"] + more
    wait_for(lambda: server.counts["requests"] >= target or process.poll() is not None)
    assert process.poll() is None, "it ended before it was killed"
    process.kill()
    process.wait()
    wait_for(lambda: server.n_open == 0)


def check_kills(folder: Path, n: int, kills: int) -> None:
    """Kill a run of `n` samples so often, at random: by the server's log, what was in flight is asked again, once.

    In flight at a kill are the calls that had been asked for and were not in the store: no more than there are
    connections, those that the server had not answered among them, and of the answered the last alone.
    """
    draw, again, lost, unanswered = random.Random(0), 0, 0, 0
    ever: set[Asked] = set()
    kept: set[Asked] = set()
    with StandIn(latency=0.01) as server:
        assert start(server.url, n, folder / "undisturbed.json", folder / "a").wait(DEADLINE) == 0
        calls = asked_in(server.completions)
        assert len(set(calls)) == len(calls) == 2 * n
        for number in range(kills + 1):
            server.requests.clear()
            server.sent.clear()
            process = start(server.url, n, folder / "killed.json", folder / "b")
            if number < kills:
                kill_after(server, process, draw.randint(1, 3 * n // (2 * kills)))
            else:
                assert process.wait(DEADLINE) == 0
            asked, replied = asked_in(server.completions), asked_in(server.sent)
            assert len(set(asked)) == len(asked) and kept.isdisjoint(asked)
            again += len(ever.intersection(asked))
            ever.update(asked)
            kept = stored_in(folder / "b")
            in_flight, open_ones = set(asked) - kept, set(asked).difference(replied)
            assert open_ones <= in_flight <= open_ones.union(replied[-2 * CONNECTIONS :])
            assert len(in_flight) <= CONNECTIONS
            lost, unanswered = lost + len(in_flight), unanswered + len(open_ones)
    print(
        f"{again} of {2 * n} calls were asked again after {kills} kills, each of them in flight at one (at most "
        f"{CONNECTIONS} are); {unanswered} of these the server had not answered"
    )
    assert again == lost > 0 and ever == kept == set(calls)
    assert json.loads((folder / "killed.json").read_text()) == json.loads((folder / "undisturbed.json").read_text())


def test_a_kill_costs_only_what_was_on_the_wire(tmp_path: Path):
    check_kills(tmp_path, 150, 2)


@pytest.mark.slow
def test_twenty_kills_cost_only_what_was_on_the_wire(tmp_path: Path):
    check_kills(tmp_path, 2000, 20)
