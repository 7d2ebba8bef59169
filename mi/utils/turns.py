"""Whose turn it is, where a few calls may run at once: those that use what the one before them used go first."""

import asyncio
from collections import Counter
from collections.abc import Hashable
from itertools import takewhile


class Turns:
    """`count` calls of one event loop at once.

    A call may say what it is near to, as a model that a process then holds in memory. A turn that ends goes to the
    first that waits and is near to the same; else to the first that is near to nothing that others are busy with, so
    that each process holds its own; else to the first. None can go before one that is near to nothing and came
    earlier.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._busy: Counter[Hashable] = Counter()
        self._waiting: list[tuple[Hashable, asyncio.Future[None]]] = []

    async def take(self, near: Hashable = None) -> None:
        """Wait for a turn; it is to be given back by `give`, with the same `near`."""
        if self._free:
            self._free -= 1
            self._busy[near] += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((near, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.give(near)  # it had come already
            raise

    def give(self, near: Hashable = None) -> None:
        """Let another have the turn."""
        self._busy[near] -= 1
        self._waiting = [each for each in self._waiting if not each[1].cancelled()]
        if not self._waiting:
            self._free += 1
            return
        following, turn = self._waiting.pop(self._next(near))
        self._busy[following] += 1
        turn.set_result(None)

    def _next(self, near: Hashable) -> int:
        """The place of the one that follows a call that was near to this."""
        wanted = list(takewhile(lambda each: each is not None, (each for each, _ in self._waiting)))
        if near in wanted:
            return wanted.index(near)
        return next((place for place, each in enumerate(wanted) if not self._busy[each]), 0)
