"""Room on the disk that is kept for the answers in flight when the disk becomes full."""

import errno
import os
import tempfile
from pathlib import Path

from mi.utils.errors import UserError
from mi.utils.files import make_folder

RESERVE_BYTES = 8 << 20
"""More than all the answers that can be under way at once, some two thousand of a few kilobytes each."""


class Reserve:
    """A nameless file of 8 MB, made when first needed; it vanishes with its process, however that ends."""

    def __init__(self, folder: Path) -> None:
        self.full: UserError | None = None
        """What is wrong with the disk. The room is in use then, and nothing more is to be asked."""
        self._folder = folder
        self._file: int | None = None

    def make(self) -> None:
        """Take the room. Raises UserError where there is none, before anything is asked.

        A file system that cannot set room aside goes without.
        """
        if self._file is not None or self.full is not None:
            return
        try:
            self._file, name = tempfile.mkstemp(dir=make_folder(self._folder), prefix=".reserve.")
            os.unlink(name)
            _allocate(self._file)
        except OSError as error:
            self.release()
            raise UserError(
                f"{self._folder}: has no room for answers ({error.strerror}); make room, or move MI_HOME to another."
            ) from error

    def use(self, problem: UserError) -> None:
        """Give the room to what is in flight, for `problem` keeps it from being written."""
        self.full = self.full or problem
        self.release()

    def release(self) -> None:
        """Give the room back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _allocate(file: int) -> None:
    allocate = getattr(os, "posix_fallocate", None)  # not on a Mac
    try:
        if allocate is not None:
            allocate(file, 0, RESERVE_BYTES)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
