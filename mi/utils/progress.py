"""Progress for people: a bar on a terminal, a line at the start elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol


class Task(Protocol):
    """Something under way."""

    def advance(self, steps: float) -> None:
        """Say that `steps` more are done."""
        ...


class Progress(Protocol):
    """Where tasks are shown."""

    def task(self, title: str, total: float) -> AbstractContextManager[Task]:
        """A task of `total` steps, shown while the block lasts; nothing is shown for a total of 0."""
        ...


class Silent:
    """Shows nothing."""

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Task]:
        """A task that nobody sees."""
        yield _Unseen()


class Bars:
    """Shows rich bars on standard error, with the time that is left; a line each where that is no terminal."""

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Task]:
        """A bar for as long as the block lasts."""
        from rich import progress
        from rich.console import Console

        console = Console(file=sys.stderr)
        if not total or not console.is_terminal:
            if total:
                console.print(f"{title} …")
            yield _Unseen()
            return
        text, bar = progress.TextColumn("{task.description}"), progress.BarColumn()
        times = progress.TimeElapsedColumn(), progress.TimeRemainingColumn()
        with progress.Progress(text, bar, *self._done(), *times, console=console) as bars:
            yield _Bar(bars.advance, bars.add_task(title, total=total))

    def _done(self) -> tuple[Any, ...]:
        """The columns that say how much is done."""
        from rich import progress

        return (progress.MofNCompleteColumn(),)


class ByteBars(Bars):
    """As `Bars`, the steps being bytes: how many there are, and how fast they come."""

    def _done(self) -> tuple[Any, ...]:
        from rich import progress

        return progress.DownloadColumn(), progress.TransferSpeedColumn()


class _Unseen:
    def advance(self, steps: float) -> None:
        pass


class _Bar:
    def __init__(self, advance, number) -> None:
        self._advance, self._number = advance, number

    def advance(self, steps: float) -> None:
        self._advance(self._number, steps)
