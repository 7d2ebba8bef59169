"""Workers: results, errors and progress come back; nothing outlives its parent or a cancelled call."""

import asyncio
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mi.config import jobs_dir
from mi.utils import workers
from mi.utils.errors import UserError
from mi.utils.jsonl import read_jsonl
from mi.utils.workers import Surroundings, Workers, close_workers, run_in_worker


@pytest.fixture(autouse=True)
def fresh_workers():
    """No worker of another test."""
    close_workers()
    yield
    close_workers()


def test_a_call_runs_in_another_process_of_one_thread_that_is_used_again() -> None:
    async def work() -> list:
        return [
            await run_in_worker(os.getpid),
            await run_in_worker(os.getpid),
            await run_in_worker(os.getenv, "OMP_NUM_THREADS"),
        ]

    first, second, threads = asyncio.run(work())
    assert first == second != os.getpid() and threads == "1"
    assert asyncio.run(run_in_worker(os.getpid)) == first


def test_workers_of_ones_own_are_nobody_elses_and_run_beside_them(monkeypatch) -> None:
    monkeypatch.setenv("MI_WORKERS", "1")
    own = Workers()

    async def work() -> tuple:
        shared = await run_in_worker(os.getpid)
        waits = asyncio.ensure_future(run_in_worker(time.sleep, 30))
        try:
            return shared, await own.run(os.getpid), await own.run(os.getpid), waits.done()
        finally:
            waits.cancel()
            await asyncio.gather(waits, return_exceptions=True)

    shared, first, second, done = asyncio.run(work())
    assert first == second != shared and not done
    own.close()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


def test_a_call_goes_to_the_worker_that_did_what_is_near_to_it(monkeypatch) -> None:
    monkeypatch.setenv("MI_WORKERS", "2")

    async def work() -> tuple:
        both = await asyncio.gather(run_in_worker(os.getpid, near="a"), run_in_worker(os.getpid, near="b"))
        again = [await run_in_worker(os.getpid, near=name) for name in "abba"]
        return both, again

    (first, second), again = asyncio.run(work())
    assert first != second and again == [first, second, second, first]


def test_a_worker_works_where_its_caller_does_now(monkeypatch, tmp_path) -> None:
    asyncio.run(run_in_worker(jobs_dir))
    monkeypatch.setenv("MI_HOME", str(tmp_path))
    assert asyncio.run(run_in_worker(jobs_dir)) == tmp_path / "jobs"
    monkeypatch.delenv("MI_HOME")
    monkeypatch.chdir(tmp_path)
    assert asyncio.run(run_in_worker(jobs_dir)) == tmp_path / "jobs"


def test_an_error_is_raised_here_and_the_worker_goes_on() -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        asyncio.run(run_in_worker(int, "x"))
    assert "In a worker process" in caught.value.__notes__[0]
    with pytest.raises(UserError, match="cannot be read"):
        asyncio.run(run_in_worker(read_jsonl, Path("no_such_file.jsonl")))
    assert asyncio.run(run_in_worker(int, "7")) == 7


def test_what_a_worker_prints_does_not_disturb_its_answers() -> None:
    assert asyncio.run(run_in_worker(print, "to standard error")) is None


def test_a_worker_that_dies_is_an_error_and_the_next_call_has_a_new_one() -> None:
    with pytest.raises(RuntimeError, match="exit code 3"):
        asyncio.run(run_in_worker(os._exit, 3))
    assert asyncio.run(run_in_worker(int, "7")) == 7


def test_a_cancelled_call_has_ended_its_worker() -> None:
    async def work() -> int:
        pid = await run_in_worker(os.getpid)
        task = asyncio.create_task(run_in_worker(time.sleep, 60))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid

    pid = asyncio.run(work())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_workers_end_when_their_parent_is_killed() -> None:
    script = (
        "import asyncio, os, time\nfrom mi.utils.workers import run_in_worker\n"
        "async def main():\n    print(await run_in_worker(os.getpid), flush=True)\n"
        "    await run_in_worker(time.sleep, 600)\nasyncio.run(main())\n"
    )
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    env = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=env) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        # The worker holds no end of this pipe, so what tells of its end is that its process group is gone.
        deadline = time.monotonic() + 20
        while _alive(pid) and time.monotonic() < deadline:
            os.sched_yield()
    assert not _alive(pid)


def test_a_number_of_workers_that_makes_no_sense_is_reported(monkeypatch) -> None:
    monkeypatch.setenv("MI_WORKERS", "none")
    with pytest.raises(UserError, match="MI_WORKERS is 'none'"):
        workers.worker_count()


def _alive(pid: int) -> bool:
    """Whether the process runs; one that ended and waits to be reaped does not."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_worker_whose_parent_is_gone_when_it_answers_ends_without_a_word() -> None:
    script = "import os; from mi.utils.workers import serve; serve(os.getppid())"
    call = pickle.dumps((os.getpid, (), False, str(Path.cwd()), {}))
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, stderr=pipe) as worker:
        assert worker.stdin and worker.stdout and worker.stderr
        worker.stdout.close()
        worker.stdin.write(len(call).to_bytes(8, "little") + call)
        worker.stdin.flush()
        assert worker.wait(60) == 1
        assert worker.stderr.read() == b""


def test_each_worker_sees_one_of_the_gpus_that_its_maker_sees(monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    monkeypatch.delenv("MI_WORKERS", raising=False)
    assert workers.worker_count() == 2

    async def work() -> list:
        return await asyncio.gather(*(run_in_worker(os.getenv, "CUDA_VISIBLE_DEVICES") for _ in range(2)))

    assert sorted(asyncio.run(work())) == ["3", "5"]


def test_without_a_choice_all_gpus_of_the_machine_may_be_used(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvidia0", "nvidia7", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert workers.gpus(tmp_path) == ("0", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert workers.gpus(tmp_path) == ()


def test_workers_with_surroundings_of_their_own_work_there_with_those_variables_alone(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SOME_API_KEY", "k")
    own = Workers(lambda: 1, Surroundings(tmp_path, {"PATH": os.environ["PATH"], "MI_HOME": str(tmp_path / "there")}))

    async def work() -> tuple:
        return await own.run(os.getcwd), await own.run(jobs_dir), await own.run(os.getenv, "SOME_API_KEY")

    assert asyncio.run(work()) == (str(tmp_path), tmp_path / "there" / "jobs", None)
    own.close()
