"""What the server must not forget, in SQLite: files, jobs, their events, and the names of fine-tuned models.

Each change is on disk before the call that makes it returns, so that `kill -9` at any moment loses none.
"""

import contextlib
import fcntl
import json
import secrets
import sqlite3
import string
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from mi.serve.data_models import UNFINISHED, JobEvent, JobStatus, StoredFile, TunedModel, TuningJob
from mi.utils.errors import UserError
from mi.utils.files import make_folder

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, status TEXT, document TEXT NOT NULL,
    UNIQUE (kind, id));
CREATE INDEX IF NOT EXISTS by_status ON objects (kind, status, number);
CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    job TEXT NOT NULL, document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_job ON events (job, number);
"""
_LETTERS = string.ascii_letters + string.digits

T = TypeVar("T", StoredFile, TuningJob, TunedModel)


@dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list, and whether it goes on."""

    items: list[T]
    has_more: bool


def new_id(prefix: str) -> str:
    """As OpenAI writes them: `file-` or `ftjob-` and 24 letters and digits, not to be guessed."""
    return f"{prefix}-{''.join(secrets.choice(_LETTERS) for _ in range(24))}"


class State:
    """The server's memory, in one folder that one server at a time may hold. Safe to be used by several threads."""

    def __init__(self, folder: Path) -> None:
        self.files_folder = make_folder(folder / "files")
        self._held = (folder / "lock").open("a")
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._held.close()
            raise UserError(f"{folder}: another `mi serve` works here; stop it, or set another MI_HOME.") from error
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "state.sqlite", check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Give the folder back."""
        self._db.close()
        self._held.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes inside happen together or not at all; nothing else changes meanwhile."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def add(self, item: StoredFile | TuningJob | TunedModel) -> None:
        """Keep a new object."""
        with self.transaction():
            row = (type(item).__name__, _key(item), getattr(item, "status", None), json.dumps(asdict(item)))
            self._db.execute("INSERT INTO objects (kind, id, status, document) VALUES (?, ?, ?, ?)", row)

    def get(self, kind: type[T], key: str) -> T | None:
        """The object of this id or name; None where there is none."""
        found = self._rows("SELECT document FROM objects WHERE kind = ? AND id = ?", kind.__name__, key)
        return _read(kind, found[0][0]) if found else None

    def change(self, item: T, **changes: Any) -> T:
        """The object with new values, kept."""
        changed = replace(item, **changes)
        with self.transaction():
            self._db.execute(
                "UPDATE objects SET status = ?, document = ? WHERE kind = ? AND id = ?",
                (getattr(changed, "status", None), json.dumps(asdict(changed)), type(item).__name__, _key(item)),
            )
        return changed

    def remove(self, item: StoredFile | TunedModel) -> None:
        """Forget an object."""
        with self.transaction():
            self._db.execute("DELETE FROM objects WHERE kind = ? AND id = ?", (type(item).__name__, _key(item)))

    def page(self, kind: type[T], limit: int, after: str | None = None, newest_first: bool = True) -> Page[T]:
        """Up to `limit` objects behind the one called `after`. Raises KeyError where that one is not there."""
        sign, order = ("<", "DESC") if newest_first else (">", "ASC")
        start = self._start("SELECT number FROM objects WHERE kind = ? AND id = ?", kind.__name__, after)
        bound = "" if start is None else f"AND number {sign} {start}"
        query = f"SELECT document FROM objects WHERE kind = ? {bound} ORDER BY number {order} LIMIT ?"
        found = self._rows(query, kind.__name__, limit + 1)
        return Page([_read(kind, document) for (document,) in found[:limit]], len(found) > limit)

    def count(self, kind: type) -> int:
        """How many objects of a kind there are."""
        return self._rows("SELECT count(*) FROM objects WHERE kind = ?", kind.__name__)[0][0]

    def jobs_in(self, statuses: Sequence[JobStatus] = UNFINISHED) -> list[TuningJob]:
        """The jobs of these statuses, oldest first."""
        marks = ", ".join("?" for _ in statuses)
        query = f"SELECT document FROM objects WHERE kind = ? AND status IN ({marks}) ORDER BY number"
        return [_read(TuningJob, document) for (document,) in self._rows(query, TuningJob.__name__, *statuses)]

    def move(self, job_id: str, sources: Sequence[JobStatus], event: JobEvent | None = None, **changes: Any) -> bool:
        """Change a job if its status is one of `sources`, and note the event with it; False where it is not."""
        with self.transaction():
            job = self.get(TuningJob, job_id)
            if job is None or job.status not in sources:
                return False
            self.change(job, **changes)
            if event is not None:
                self.note(job_id, event)
            return True

    def note(self, job_id: str, *events: JobEvent) -> None:
        """Keep events of a job."""
        with self.transaction():
            rows = [(event.id, job_id, json.dumps(asdict(event))) for event in events]
            self._db.executemany("INSERT INTO events (id, job, document) VALUES (?, ?, ?)", rows)

    def events(self, job_id: str, limit: int, after: str | None = None) -> tuple[list[JobEvent], bool]:
        """Up to `limit` events of a job, newest first, behind the one called `after`; and whether there are more.

        Raises KeyError where that one is not there.
        """
        start = self._start("SELECT number FROM events WHERE job = ? AND id = ?", job_id, after)
        bound = "" if start is None else f"AND number < {start}"
        query = f"SELECT document FROM events WHERE job = ? {bound} ORDER BY number DESC LIMIT ?"
        found = self._rows(query, job_id, limit + 1)
        return [JobEvent(**json.loads(document)) for (document,) in found[:limit]], len(found) > limit

    def _start(self, query: str, owner: str, after: str | None) -> int | None:
        if after is None:
            return None
        found = self._rows(query, owner, after)
        if not found:
            raise KeyError(after)
        return int(found[0][0])

    def _rows(self, query: str, *values: Any) -> list[tuple]:
        with self._lock:
            return self._db.execute(query, values).fetchall()


def event(message: str, level: Any = "info", data: dict[str, Any] | None = None) -> JobEvent:
    """An event of now; with `data` it is one of metrics."""
    return JobEvent(new_id("ftevent"), int(time.time()), level, message, "metrics" if data else "message", data)


def _key(item: StoredFile | TuningJob | TunedModel) -> str:
    return item.name if isinstance(item, TunedModel) else item.id


def _read(kind: type[T], document: str) -> T:
    values = json.loads(document)
    known = {field.name for field in fields(kind)}
    if "result_files" in values:
        values["result_files"] = tuple(values["result_files"])
    return kind(**{name: value for name, value in values.items() if name in known})
