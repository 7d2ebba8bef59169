"""A file of records by key that only grows: each line is on the disk before anything else is done with it."""

import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import IO, Any

from mi.utils.errors import UserError
from mi.utils.files import locked

Records = dict[str, dict[str, Any]]


def read_journal(path: Path) -> Records:
    """The records by their "key"; empty where there is no file. Nothing is written.

    A last line without its end was torn by a crash, or is being written: it does not count. Raises UserError, naming
    the line, for any other that is no record.
    """
    return _parse(path, path.read_bytes()) if path.exists() else {}


class Journal:
    """A journal held by this task alone: what it knows, and how it learns more."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file = path, file
        file.seek(0)
        content = file.read()
        self.known = _parse(path, content)
        file.truncate(content.rfind(b"\n") + 1)

    def append(self, records: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep records; they are on the disk when this returns. Raises UserError where the disk takes no more."""
        lines = [json.dumps({"key": key, **record}, ensure_ascii=False) + "\n" for key, record in records.items()]
        view = memoryview("".join(lines).encode("utf-8", "surrogatepass"))
        try:
            while view:
                view = view[self._file.write(view) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise UserError(f"{self._path}: cannot be written ({error.strerror}); make room and go on.") from error
        self.known.update({key: {"key": key, **record} for key, record in records.items()})


@contextlib.asynccontextmanager
async def open_journal(path: Path) -> AsyncIterator[Journal]:
    """Hold a journal, so that no two tasks or processes learn one thing twice; it is made where it is missing."""
    async with locked(path) as file:
        yield Journal(path, file)


def _parse(path: Path, content: bytes) -> Records:
    known: Records = {}
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            record = json.loads(line.decode("utf-8", "surrogatepass"))
            known[record["key"]] = record
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}, line {number}: not a record with a key; take this line out.") from error
    return known
