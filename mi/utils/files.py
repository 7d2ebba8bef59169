"""Files that are written whole or not at all, and files that one task at a time may hold."""

import asyncio
import contextlib
import fcntl
import os
import resource
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, Any

from mi.utils.errors import UserError

_POLL_SECONDS = 0.05


def make_folder(path: Path) -> Path:
    """Make `path` with its parents. Raises UserError where the system does not allow it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{path}: this folder cannot be written ({error.strerror}); set MI_HOME to one that can."
        ) from error
    return path


def allow_open_files(n: int) -> int:
    """Let this process hold at least `n` files open, where the system lets it; returns how many it may hold."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    wanted = n if hard == resource.RLIM_INFINITY else min(n, hard)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # some systems have a smaller limit than they tell
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return soft


@contextlib.asynccontextmanager
async def locked(path: Path) -> AsyncIterator[IO[bytes]]:
    """Open `path` for reading and appending, made where it is missing, as the only task of all processes that holds it.

    Waits for the holder without blocking the event loop; the system gives the lock back when a process ends,
    however it ends. Raises UserError where the file cannot be written.
    """
    make_folder(path.parent)
    try:
        file = path.open("a+b", buffering=0)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); set MI_HOME to a folder that can.") from error
    with file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_POLL_SECONDS)
        yield file


@contextlib.contextmanager
def whole_file(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file beside `path` that takes its place when the block ends without an error."""
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "\n")
    make_folder(path.parent)
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); choose a folder that can, for instance with MI_HOME."
        ) from error
    try:
        with os.fdopen(descriptor, mode, encoding=encoding, newline=newline) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
