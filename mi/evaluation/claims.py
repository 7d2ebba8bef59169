"""Who is asking what: keys that a living process has taken upon itself, so that no other asks them, too.

Each asker has a file of keys in `results/store/<kind>/.<fingerprint>.claims/` and holds a lock on it for as long as it
asks. The system gives the lock back when a process ends, however it ends, and with it the claims are void. Everything
here but `release` is to be called while the store file itself is locked.
"""

import contextlib
import fcntl
import itertools
import os
from collections.abc import Collection
from pathlib import Path

from mi.utils.files import make_folder

_DIGITS = 32
_numbers = itertools.count()


class Claims:
    """The claims on one store file, as one asker sees them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"{os.getpid()}-{next(_numbers)}"
        self._own: int | None = None
        self._others: dict[str, set[str]] = {}

    def add(self, keys: Collection[str]) -> None:
        """Take keys upon this asker."""
        if self._own is None:
            path = make_folder(self._folder) / self._name
            self._own = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            fcntl.flock(self._own, fcntl.LOCK_EX)
        os.write(self._own, "".join(f"{key}\n" for key in keys).encode())

    def look(self) -> None:
        """Learn what other living askers have taken; what the dead left is removed."""
        try:
            names = {name for name in os.listdir(self._folder) if name != self._name}
        except FileNotFoundError:
            names = set()
        for name in [*self._others]:
            if name not in names:
                del self._others[name]
        for name in names:
            self._look_at(name)

    def holder(self, key: str) -> str | None:
        """The process of the other asker that has taken this key, as of the last look."""
        return next((name.partition("-")[0] for name, keys in self._others.items() if key in keys), None)

    def processes(self) -> set[str]:
        """The processes of other askers that have the file open, whatever they ask."""
        self.look()
        return {name.partition("-")[0] for name in self._others}

    def release(self) -> None:
        """Give back all that this asker took."""
        if self._own is not None:
            (self._folder / self._name).unlink(missing_ok=True)
            os.close(self._own)
            self._own = None
            with contextlib.suppress(OSError):  # where another has a file in it
                self._folder.rmdir()

    def _look_at(self, name: str) -> None:
        path = self._folder / name
        try:
            file = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            self._others.pop(name, None)
            return
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            known = self._others.setdefault(name, set())
            content = os.pread(file, os.fstat(file).st_size, len(known) * (_DIGITS + 1))
            known.update(content.decode().split())
        else:
            self._others.pop(name, None)
            path.unlink(missing_ok=True)
        finally:
            os.close(file)
