"""A few worker processes of one thread or one GPU each, made when first needed and ended with their maker."""

import asyncio
import atexit
import contextlib
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import traceback
import weakref
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mi.utils.errors import UserError
from mi.utils.turns import Turns

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
# What is freed is kept for the next step, in large pages where the system gives them: to be given memory page by page
# takes a tenth of a small model's training. Blocks of more than 64 MB, as weights are, go back when they are freed.
_KEEPS_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(64 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
OnProgress = Callable[..., None] | None
_all: weakref.WeakSet["Workers"] = weakref.WeakSet()


def worker_count() -> int:
    """MI_WORKERS, or one for each GPU, or as many as there are processors, two at most."""
    given = os.environ.get("MI_WORKERS")
    if given is None:
        return len(gpus()) or min(2, os.cpu_count() or 1)
    if not given.isdecimal() or int(given) < 1:
        raise UserError(f"MI_WORKERS is {given!r}; give a whole number of at least 1.")
    return int(given)


def gpus(devices: Path = Path("/dev")) -> tuple[str, ...]:
    """The GPUs that may be used, as CUDA_VISIBLE_DEVICES names them: those that it names, or all of this machine."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return tuple(name for name in map(str.strip, given.split(",")) if name not in ("", "-1"))
    there = [path for path in devices.glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)]
    return tuple(map(str, range(len(there))))


class WorkerKilled(UserError):
    """The system ended a worker, as it does when memory is short: what it did was not wrong, and may need less room."""


@dataclass(frozen=True)
class Surroundings:
    """Where workers live that are not to live where their maker does."""

    place: Path
    """The folder that they work in."""
    environment: Mapping[str, str]
    """All their variables; one thread is added, and the place that modules are imported from."""
    python: str = sys.executable


class Workers:
    """Worker processes that are made when first needed and used again; `count` may run at once in one event loop.

    Where there are GPUs, each worker sees one of them, which it shares with as few others as can be.
    """

    def __init__(self, count: Callable[[], int] = worker_count, surroundings: Surroundings | None = None) -> None:
        self._count = count
        self._surroundings = surroundings
        self._on_gpu: Counter[str] = Counter()
        self._idle: list[_Worker] = []
        self._turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = weakref.WeakKeyDictionary()
        _all.add(self)

    async def run(
        self, function: Callable[..., Any], *arguments: Any, on_progress: OnProgress = None, near: Hashable = None
    ) -> Any:
        """As `run_in_worker`, in one of these workers."""
        loop = asyncio.get_running_loop()
        if loop not in self._turns:
            self._turns[loop] = Turns(self._count())
        await self._turns[loop].take(near)
        try:
            return await self._run(self._worker(near), (function, arguments), on_progress)
        finally:
            self._turns[loop].give(near)

    async def _run(self, worker: "_Worker", call: Any, on_progress: OnProgress) -> Any:
        try:
            worker.send((*call, on_progress is not None, *self._circumstances()))
            while True:
                kind, value = await asyncio.to_thread(worker.receive)
                if kind != "progress":
                    break
                if on_progress:
                    on_progress(*value)
        except BaseException:
            self._end(worker)
            raise
        self._idle.append(worker)
        if kind == "failed":
            raise value
        return value

    def _worker(self, near: Hashable) -> "_Worker":
        """An idle worker, which is the one that did what is near if there is such a one, or a new one."""
        place = next((place for place, worker in enumerate(self._idle) if worker.near == near), -1)
        worker = self._idle.pop(place) if self._idle else self._make()
        worker.near = near
        return worker

    def close(self) -> None:
        """End the idle workers; new ones are made when needed."""
        while self._idle:
            self._end(self._idle.pop())

    def _make(self) -> "_Worker":
        if self._surroundings is not None:
            return _Worker(self._surroundings.environment, None, self._surroundings.python)
        gpu = min(gpus(), key=self._on_gpu.__getitem__, default=None)
        self._on_gpu[gpu or ""] += 1
        return _Worker(os.environ, gpu)

    def _end(self, worker: "_Worker") -> None:
        worker.kill()
        self._on_gpu[worker.gpu or ""] -= 1

    def _circumstances(self) -> tuple[str, dict[str, str]]:
        """The folder and the settings of a call made now."""
        if self._surroundings is not None:
            return str(self._surroundings.place), _settings(self._surroundings.environment)
        return os.getcwd(), _settings()


async def run_in_worker(
    function: Callable[..., Any], *arguments: Any, on_progress: OnProgress = None, near: Hashable = None
) -> Any:
    """`function(*arguments)` in a worker process; waits where all are busy.

    `near` is what the worker will hold in memory, as a model: calls near to the same go to one worker where they can.

    The function must be importable by name and everything that passes must pickle. With `on_progress` the function is
    given one more argument, to be called with what shall arrive at `on_progress` in this process. What the
    function raises is raised here. Where the waiting is cancelled (Ctrl-C), the worker has ended before this returns.
    """
    return await _common.run(function, *arguments, on_progress=on_progress, near=near)


def close_workers() -> None:
    """End the idle workers of `run_in_worker`; new ones are made when needed."""
    _common.close()


def _close_all() -> None:
    for workers in list(_all):
        workers.close()


class _Worker:
    """A process that reads pickled calls from its input and writes pickled answers to its output.

    It is started as a command and not through `multiprocessing`, so that it never runs the caller's script again; it
    has a session of its own, so that Ctrl-C reaches the parent alone; and it ends when its input does, so that no
    `kill -9` of the parent leaves it behind.
    """

    def __init__(self, environment: Mapping[str, str], gpu: str | None, python: str = sys.executable) -> None:
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        if python != sys.executable:  # its libraries are its own
            path = str(Path(__file__).resolve().parents[2])
        self.gpu = gpu
        self.near: Hashable = None
        self.process = subprocess.Popen(
            [python, "-c", f"from mi.utils.workers import serve; serve({os.getpid()})"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                **_KEEPS_MEMORY,
                **environment,
                **({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}),
                **_ONE_THREAD,
            }
            | {"PYTHONPATH": path},
            start_new_session=True,
        )

    def send(self, call: Any) -> None:
        """Hand over a call."""
        _write(self.process.stdin, pickle.dumps(call))

    def receive(self) -> tuple[str, Any]:
        """The next message: ("progress", arguments), ("done", result) or ("failed", exception)."""
        message = _read(self.process.stdout)
        if message is None:
            code = self.process.wait()
            if code == -signal.SIGKILL:
                raise WorkerKilled(
                    "a worker process was killed by the system, which does so when memory is short; set MI_WORKERS=1, "
                    "lower the batch size, or take a smaller model."
                )
            raise RuntimeError(f"a worker process ended by itself (exit code {code}); is memory short?")
        return pickle.loads(message)

    def kill(self) -> None:
        """End the process and wait until it is gone."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                _opened(stream).close()


def serve(parent: int) -> None:
    """The life of a worker of process `parent`: calls from standard input until it ends.

    Whatever is printed goes to standard error, for standard output carries the answers.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    calls = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    while (message := _read(calls)) is not None:
        gone = threading.Event()
        watch = threading.Thread(target=_end_with_parent, args=(parent, gone), daemon=True)
        watch.start()
        kind, value = _run(message, answers)
        gone.set()
        try:
            answer = pickle.dumps((kind, value))
        except Exception as error:
            answer = pickle.dumps(("failed", RuntimeError(f"{value!r} cannot be sent: {error}")))
        try:
            _write(answers, answer)
        except BrokenPipeError:
            os._exit(1)  # the parent was killed, and there is nobody to tell


def _settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that say where `mi` works; they travel with each call, for a worker may be older than they."""
    return {name: value for name, value in environment.items() if name.startswith("MI_")}


def _run(message: bytes, answers: IO[bytes]) -> tuple[str, Any]:
    try:
        function, arguments, reports, place, settings = pickle.loads(message)
        os.chdir(place)
        for name in _settings().keys() - settings.keys():
            del os.environ[name]
        os.environ.update(settings)
        if reports:
            arguments = (*arguments, lambda *values: _write(answers, pickle.dumps(("progress", values))))
        return "done", function(*arguments)
    except UserError as error:
        return "failed", error
    except Exception as error:
        error.add_note("In a worker process:\n" + traceback.format_exc())
        return "failed", error


def _end_with_parent(parent: int, done: threading.Event) -> None:
    """End this process at once when its parent is gone in the middle of a call."""
    while os.getppid() == parent:
        if done.wait(0.5):
            return
    os._exit(1)


def _write(stream: IO[bytes] | None, message: bytes) -> None:
    _opened(stream).write(len(message).to_bytes(8, "little") + message)
    _opened(stream).flush()


def _read(stream: IO[bytes] | None) -> bytes | None:
    """The next message, None at the end of the stream."""
    head = _opened(stream).read(8)
    length = int.from_bytes(head, "little")
    message = _opened(stream).read(length) if len(head) == 8 else b""
    return message if len(head) == 8 and len(message) == length else None


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


_common = Workers()
atexit.register(_close_all)
