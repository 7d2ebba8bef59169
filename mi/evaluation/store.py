"""Every call that was ever answered, one JSON line each, written as it comes and before anything else is done with it.

`results/store/answers/<fingerprint>.jsonl` holds what a model answered, `results/store/judgements/<fingerprint>.jsonl`
what it said as a judge; `pandas.read_json(path, lines=True)` reads either.

A line is handed to the system, by one `write`, before `append` returns: `kill -9` then loses nothing. Lines are forced
to the disk in the background 50 ms later, and all of them when the file is closed, so a power cut can cost what came
back in the last 50 ms and during one `fsync`. A last line without its end was torn: whoever writes next drops it.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Literal

from mi.config import results_dir
from mi.evaluation import places
from mi.evaluation.claims import Claims
from mi.evaluation.disk import open_unmoved, write_all
from mi.evaluation.places import LENGTH_BITS
from mi.evaluation.records import Call, call_key, encode, key_of, response_of
from mi.evaluation.reserve import Reserve
from mi.llm.data_models import LLMResponse, Model
from mi.utils.errors import UserError
from mi.utils.files import make_folder, whole_file

__all__ = ["Call", "Kind", "Shelf", "call_key", "check_version", "read_store", "scan", "store_dir", "store_path"]

Kind = Literal["answers", "judgements"]
VERSION = 2
_SYNC_SECONDS = 0.05
_READ_BYTES = 1 << 20  # at a time: a line of a judge has two thousand
_log = logging.getLogger(__name__)
_warned: set[tuple[Path, int]] = set()
Take = Callable[[str, LLMResponse], None]


def store_dir() -> Path:
    """Where all files of the store lie."""
    return results_dir() / "store"


def store_path(kind: Kind, fingerprint: str) -> Path:
    """The file that holds the calls of one model."""
    return store_dir() / kind / f"{fingerprint}.jsonl"


def check_version() -> None:
    """Raise UserError where the store was written by a version that this one does not know; 1 and 2 are read."""
    path = store_dir() / "VERSION"
    found = path.read_text(encoding="utf-8").strip() if path.exists() else str(VERSION)
    if found not in map(str, range(1, VERSION + 1)):
        raise UserError(
            f"{path}: the store is of version {found[:20]!r}, and this mi reads 1 to {VERSION}; "
            "use the mi that wrote it, or set MI_HOME to another folder."
        )


def read_store(kind: Kind, fingerprint: str) -> dict[str, LLMResponse]:
    """The answered calls of a model by key; empty where none was made. Nothing is written."""
    known: dict[str, LLMResponse] = {}
    scan(store_path(kind, fingerprint), None, known.__setitem__)
    return known


def scan(
    path: Path, wanted: Collection[str] | None, take: Take, index: dict[str, int] | None = None, start: int = 0
) -> int:
    """Hand each wanted answer of a file to `take`, note in `index` where each call stands, and return the end's place.

    `wanted` None is every key. A damaged line is named in the log and passed over, so that its call is asked again.
    Raises UserError where the file cannot be read.
    """
    check_version()
    try:
        file = path.open("rb", _READ_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return start
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); mend its permissions.") from error
    with file:
        file.seek(start)
        place = start
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            key = key_of(line)
            if key is None:
                _warn_damaged(path, number, start, place)
            elif wanted is None or key in wanted:
                response = response_of(line)
                if response is None:
                    _warn_damaged(path, number, start, place)
                    key = None
                else:
                    take(key, response)
            if index is not None and key is not None:
                index[key] = place << LENGTH_BITS | len(line)
            place += len(line)
    return place


class Shelf:
    """A model's file while it is being asked: what it holds, who asks what, and how it grows.

    Several askers, of this process or of others, may have one file open.
    """

    def __init__(self, kind: Kind, fingerprint: str, model: Model, reserve: Reserve) -> None:
        self.path = store_path(kind, fingerprint)
        self._often_loaded = kind == "judgements"
        self._model, self._reserve = model, reserve
        self._index: dict[str, int] = {}
        self._end = 0
        self._file: int | None = None
        self._claims = Claims(self.path.parent / f".{fingerprint}.claims")
        self._dirty = False
        self._closing = False
        self._timer: asyncio.TimerHandle | None = None
        self._syncing: asyncio.Future | None = None

    def load(self, wanted: Collection[str], take: Take) -> None:
        """Hand the wanted answers that the file holds to `take`; nothing is written.

        What else it holds is looked up when first something is to be asked, so that reading results alone stays cheap.
        """
        if self._often_loaded:
            places.load(self.path, wanted, take, scan)
        else:
            scan(self.path, wanted, take)

    def read(self, key: str) -> LLMResponse | None:
        """One answer that the file holds by now; None, and its call may be claimed, where its line was damaged."""
        place = self._index[key]
        length = place & (1 << LENGTH_BITS) - 1
        line = os.pread(self._opened(), length, place >> LENGTH_BITS)
        response = response_of(line) if key_of(line) == key else None
        if response is None:
            del self._index[key]
        return response

    def claim(self, keys: Collection[str]) -> tuple[list[str], dict[str, str]]:
        """Take upon this asker those of `keys` that it may ask: (those, those of other askers with their process).

        What is in neither has been answered by now: `read` gives it.
        """
        with self._locked():
            self._claims.look()
            unknown = {key: self._claims.holder(key) for key in keys if key not in self._index}
            mine = [key for key, holder in unknown.items() if holder is None]
            self._claims.add(mine)
        return mine, {key: holder for key, holder in unknown.items() if holder is not None}

    def append(self, key: str, call: Call, response: LLMResponse) -> None:
        """Keep what came back; the module says how safe it is then. Raises UserError where the reserve is full, too."""
        line = encode(key, self._model, call, response)
        with self._locked() as file:
            try:
                write_all(file, line, self._end)
            except OSError as error:
                self._reserve.use(_disk_full(self.path, error))
                self._write_again(file, line)
            self._index[key] = self._end << LENGTH_BITS | len(line)
            self._end += len(line)
        self._dirty = True
        self._sync_soon()

    def _write_again(self, file: int, line: bytes) -> None:
        try:
            write_all(file, line, self._end)
        except OSError as error:
            raise _disk_full(self.path, error) from error

    async def close(self) -> None:
        """Force all that was written to the disk, and give back what was claimed but not asked."""
        if self._file is None:
            return
        self._closing = True  # what is being forced now ends in _synced, which is not to begin anew
        try:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._syncing is not None:
                await asyncio.wait([self._syncing])
            if self._dirty:
                await asyncio.to_thread(os.fsync, self._file)
        finally:
            self._claims.release()
            os.close(self._file)
            self._file, self._closing = None, False

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """The file, held for a moment, with all that others wrote known and a torn last line taken off."""
        file = self._opened()
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            if (size := os.fstat(file).st_size) > self._end:
                self._end = scan(self.path, (), _ignore, self._index, self._end)
                os.ftruncate(file, self._end)
            elif size < self._end:
                raise UserError(f"{self.path}: became shorter while it was in use; give the same command again.")
            yield file
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def _opened(self) -> int:
        if self._file is None:
            make_folder(self.path.parent)
            write_version()
            self._reserve.make()
            self._file = open_unmoved(self.path)
            try:
                self._claims.add(())
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        return self._file

    def _sync_soon(self) -> None:
        if self._dirty and not self._closing and self._timer is None and self._syncing is None:
            self._timer = asyncio.get_running_loop().call_later(_SYNC_SECONDS, self._start_sync)

    def _start_sync(self) -> None:
        assert self._file is not None
        self._timer, self._dirty = None, False
        self._syncing = asyncio.get_running_loop().run_in_executor(None, os.fsync, self._file)
        self._syncing.add_done_callback(self._synced)

    def _synced(self, done: asyncio.Future) -> None:
        self._syncing = None
        if not done.cancelled() and isinstance(error := done.exception(), OSError):
            self._reserve.use(_disk_full(self.path, error))
        self._sync_soon()


@contextlib.contextmanager
def exclusively(kind: Kind, fingerprint: str) -> Iterator[None]:
    """Hold a file so that it may be replaced or removed. Raises UserError while anybody asks its model."""
    path = store_path(kind, fingerprint)
    file = open_unmoved(path)
    try:
        if others := Claims(path.parent / f".{fingerprint}.claims").processes():
            raise UserError(f"{path}: process {', '.join(sorted(others))} is using it; try again when it has ended.")
        yield
    finally:
        os.close(file)


def write_version() -> None:
    """Say beside the store of which version it is, before a line of this version is added to it."""
    path = store_dir() / "VERSION"
    if not path.exists() or path.read_text(encoding="utf-8").strip() != str(VERSION):
        check_version()
        with whole_file(path) as file:
            file.write(f"{VERSION}\n")


def _disk_full(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path}: cannot be written ({error.strerror}); make room and give the same command again: "
        "what came back is kept."
    )


def _warn_damaged(path: Path, number: int, start: int, place: int) -> None:
    if (path, place) not in _warned:
        _warned.add((path, place))
        where = f"line {number}" if start == 0 else f"line {number} after byte {start}"
        _log.warning("%s, %s: damaged; its call is asked again where it is needed.", path, where)


def _ignore(key: str, response: LLMResponse) -> None:
    pass
