"""Which executor is in force: a circumstance of the work, as the folder it is done in, and no part of what is done."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from mi.executors.data_models import Executor

_current: ContextVar[Executor | None] = ContextVar("executor", default=None)


def elsewhere() -> Executor | None:
    """Who does what is to be trained and sampled now; None where this machine's own workers do."""
    return _current.get()


@contextlib.contextmanager
def executing(executor: Executor | None) -> Iterator[None]:
    """Have local models trained and sampled by `executor` inside the block; None is this machine's own workers."""
    token = _current.set(executor)
    try:
        yield
    finally:
        _current.reset(token)
