"""Time-outs of many requests by one timer: one each, as aiohttp sets them, cost a twentieth of the time of asking."""

import asyncio


class Deadlines:
    """Cancels the tasks of requests that take longer than `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[asyncio.Task, tuple[float, int]] = {}
        """When each is to have ended, the earliest first; and how often it had been asked to end before."""
        self._late: dict[asyncio.Task, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> asyncio.Task:
        """A request of the running task begins; the task is returned."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._until[task] = loop.time() + self._seconds, task.cancelling()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look, loop)
        return task

    def end(self, task: asyncio.Task) -> None:
        """It has ended, in whichever way."""
        self._until.pop(task, None)
        self._late.pop(task, None)

    def passed(self, task: asyncio.Task) -> bool:
        """Whether it was cancelled here, and by nobody else."""
        before = self._late.pop(task, None)
        return before is not None and task.uncancel() <= before

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        while self._until:
            task, (until, before) = next(iter(self._until.items()))
            if until > loop.time():
                self._timer = loop.call_at(until, self._look, loop)
                return
            del self._until[task]
            self._late[task] = before
            task.cancel()
