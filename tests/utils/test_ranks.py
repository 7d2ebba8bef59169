"""Ranks: one call in several processes; rank 0 speaks for all, what one fails with ends all, and none is left."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ranked import fails_in_one, tells_who

from mi.utils import ranks
from mi.utils.errors import UserError
from mi.utils.ranks import gpus_per_run, run_in_ranks
from mi.utils.workers import WorkerKilled

KILLED_IN_THE_MIDDLE = """
import asyncio, sys
from pathlib import Path
from ranked import fails_in_one
from mi.utils.ranks import run_in_ranks
said = lambda: print("all are there", flush=True)
asyncio.run(run_in_ranks(fails_in_one, 2, Path(sys.argv[1]), -1, "", on_progress=said))
"""


def left(folder: Path) -> list[int]:
    """The ranks noted in a folder that go on; of those that ended, none waits to be reaped."""
    pids = [int(path.name) for path in folder.iterdir()]
    assert len(pids) == 2
    return [pid for pid in pids if _alive(pid)]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_rank_0_speaks_for_all_and_each_has_a_gpu_of_its_own(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    said: list[int] = []
    assert asyncio.run(run_in_ranks(tells_who, 2, tmp_path, on_progress=said.append)) == (0, 2, "3")
    assert said == [0] and not left(tmp_path)


@pytest.mark.parametrize(
    ("number", "how", "kind"), [(0, "user", UserError), (1, "slip", ValueError), (1, "killed", WorkerKilled)]
)
def test_what_one_rank_fails_with_ends_all(monkeypatch, tmp_path, number, how, kind) -> None:
    monkeypatch.setattr(ranks, "LAST_WORDS_SECONDS", 0.1)
    with pytest.raises(kind):
        asyncio.run(run_in_ranks(fails_in_one, 2, tmp_path, number, how))
    assert not left(tmp_path)


def test_ranks_end_where_their_call_is_cancelled(tmp_path) -> None:
    async def work() -> None:
        there = asyncio.Event()
        call = asyncio.ensure_future(run_in_ranks(fails_in_one, 2, tmp_path, -1, "", on_progress=there.set))
        await there.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(work())
    assert not left(tmp_path)


def test_ranks_end_when_their_parent_is_killed(tmp_path) -> None:
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    command = [sys.executable, "-c", KILLED_IN_THE_MIDDLE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline()
        parent.kill()
        deadline = time.monotonic() + 20
        while left(tmp_path) and time.monotonic() < deadline:
            os.sched_yield()
    assert not left(tmp_path)


@pytest.mark.parametrize("given", ["many", "0", "-2", "1.5", ""])
def test_a_number_of_gpus_that_makes_no_sense_is_told(monkeypatch, given) -> None:
    monkeypatch.setenv("MI_GPUS_PER_RUN", given)
    with pytest.raises(UserError, match=f"MI_GPUS_PER_RUN is '{given}'; give the GPUs that one run is trained on"):
        gpus_per_run()


def test_more_gpus_than_there_are_are_told_and_processors_take_any_number(monkeypatch) -> None:
    assert gpus_per_run() == 1
    monkeypatch.setenv("MI_GPUS_PER_RUN", "3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(UserError, match=r"MI_GPUS_PER_RUN is 3, but the GPUs that may be used here are 2; give fewer"):
        gpus_per_run()
    monkeypatch.setenv("MI_DEVICE", "cpu")
    assert gpus_per_run() == 3
    monkeypatch.delenv("MI_DEVICE")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus_per_run() == 3
