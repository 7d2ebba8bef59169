"""What ranks do in tests: a worker imports its function by name, so it cannot stand in a test's file."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from mi.utils.errors import UserError
from mi.utils.ranks import Rank


def tells_who(rank: Rank, folder: Path, tell: Callable[[int], None] | None = None) -> tuple[int, int, str | None]:
    """The rank's number, how many there are, and the GPU that it sees; its process is noted in `folder`."""
    (folder / str(os.getpid())).touch()
    if tell is not None:
        tell(rank.number)
    return rank.number, rank.of, os.environ.get("CUDA_VISIBLE_DEVICES")


def fails_in_one(rank: Rank, folder: Path, number: int, how: str, tell: Callable[[], None] | None = None) -> None:
    """Rank `number` fails when all are there; the others wait for what never comes, as in a collective."""
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < rank.of:
        time.sleep(0.01)
    if tell is not None:
        tell()
    if rank.number != number:
        time.sleep(600)
    if how == "killed":
        signal.raise_signal(signal.SIGKILL)
    raise UserError("this will not do") if how == "user" else ValueError("a slip")
