"""Room on the disk that is kept for the answers in flight when the disk becomes full."""

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
        self._folder = folder
        self._file: int | None = None
        self._used = False

    def make(self) -> None:
        """Take the room. Raises UserError where there is none, before anything is asked."""
        if self._file is not None or self._used:
            return
        try:
            file, name = tempfile.mkstemp(dir=make_folder(self._folder), prefix=".reserve.")
            os.unlink(name)
            self._file = file
            os.posix_fallocate(file, 0, RESERVE_BYTES)
        except OSError as error:
            self.use()
            self._used = False
            raise UserError(
                f"{self._folder}: has no room for answers ({error.strerror}); make room, or move MI_HOME to another."
            ) from error

    def use(self) -> bool:
        """Give the room back to whoever writes; False where there was none left."""
        if self._file is None:
            return False
        os.close(self._file)
        self._file, self._used = None, True
        return True
