"""One call in several processes at once, which work on it together: each is a rank, with a GPU of its own."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mi.utils.errors import UserError
from mi.utils.workers import Workers, gpus

LAST_WORDS_SECONDS = 5.0
"""A rank whose neighbour was killed knows only that it is gone: so long it is waited for those who know more."""


@dataclass(frozen=True)
class Rank:
    """One of the processes of a call."""

    number: int
    """From 0; rank 0 speaks for all."""
    of: int
    meeting: Path
    """A file that does not exist yet, by which the ranks find each other."""


def gpus_per_run() -> int:
    """MI_GPUS_PER_RUN, or 1. Raises UserError for what is no number, and for more than there are.

    A machine without GPUs has as many as are asked for: they are processes on the processor.
    """
    given = os.environ.get("MI_GPUS_PER_RUN")
    if given is None:
        return 1
    if not given.isdecimal() or int(given) < 1:
        raise UserError(f"MI_GPUS_PER_RUN is {given!r}; give the GPUs that one run is trained on, at least 1.")
    there = () if os.environ.get("MI_DEVICE") == "cpu" else gpus()
    if there and int(given) > len(there):
        raise UserError(f"MI_GPUS_PER_RUN is {given}, but the GPUs that may be used here are {len(there)}; give fewer.")
    return int(given)


async def run_in_ranks(
    function: Callable[..., Any], n: int, *arguments: Any, on_progress: Callable[..., None] | None = None
) -> Any:
    """`function(rank, *arguments)` in `n` new worker processes at once; returns what it returns in rank 0.

    As in `run_in_worker`; only rank 0 is given the further argument for progress. What one rank raises is raised here,
    a UserError before all else. In any case all ranks have ended before this returns.
    """
    workers = Workers(lambda: n)
    with tempfile.TemporaryDirectory() as folder:
        calls = [
            asyncio.ensure_future(
                workers.run(
                    function,
                    Rank(number, n, Path(folder) / "meeting"),
                    *arguments,
                    on_progress=None if number else on_progress,
                )
            )
            for number in range(n)
        ]
        try:
            _, working = await asyncio.wait(calls, return_when=asyncio.FIRST_EXCEPTION)
            if working and not any(isinstance(error, UserError) for error in _errors(calls)):
                await asyncio.wait(working, timeout=LAST_WORDS_SECONDS)
            if errors := _errors(calls):
                raise min(errors, key=lambda error: not isinstance(error, UserError))
            return calls[0].result()
        finally:
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            workers.close()


def _errors(calls: Sequence[asyncio.Future]) -> list[BaseException]:
    """What the calls that have ended have failed with, in the order of the ranks."""
    ended = [call.exception() for call in calls if call.done() and not call.cancelled()]
    return [error for error in ended if error is not None]
