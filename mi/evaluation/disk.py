"""A file that several processes append to and one may replace: opened as it is now, written whole lines at a time."""

import contextlib
import fcntl
import os
from pathlib import Path

from mi.utils.errors import UserError


def open_unmoved(path: Path) -> int:
    """The file at `path`, opened and locked; whoever replaced it in the meantime did so before this returns."""
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written ({error.strerror}); set MI_HOME to a folder that can."
            ) from error
        fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(found := os.fstat(file), path.stat()):
                if not found.st_size:
                    _sync_folder(path.parent)
                return file
        os.close(file)


def _sync_folder(folder: Path) -> None:
    """Have the folder remember a new file, too, should the power fail."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def write_all(file: int, line: bytes, end: int) -> None:
    """Append a whole line, or leave the file as it was."""
    view = memoryview(line)
    try:
        while view:
            view = view[os.write(file, view) :]
    except OSError:
        os.ftruncate(file, end)
        raise
