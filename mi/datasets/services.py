"""Published data on this machine: fetched, verified, converted; and training files, read and checked."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from mi import config
from mi.datasets import archives, catalogue, converters, fetching
from mi.datasets.data_models import CatalogueEntry, RawRow, Verified
from mi.datasets.reading import READABLE, parse_raw, read_content, rows_sha256
from mi.llm.rows import TrainingRow, read_rows
from mi.utils.errors import UserError
from mi.utils.files import locked, whole_file
from mi.utils.jsonl import write_jsonl_if_changed
from mi.utils.progress import Progress


def read_training_rows(path: Path | str) -> list[TrainingRow]:
    """All rows of a training file with their line numbers.

    Raises UserError, naming the file and the line, for whatever cannot be trained on; see `mi.llm.rows.read_rows`.
    """
    return read_rows(path)


def path_of(entry: CatalogueEntry) -> Path:
    """Where the file of an entry lies once it is fetched, byte for byte as published.

    A file taken by hand of a set whose rows we do not know may be of another kind than the publisher's.
    """
    stem = config.datasets_dir() / "published" / entry.name
    kinds = () if entry.access == "password" else READABLE
    found = (stem.with_name(stem.name + kind) for kind in (entry.suffix, *kinds))
    return next((path for path in found if path.exists()), stem.with_name(stem.name + entry.suffix))


@dataclass(frozen=True)
class Unlock:
    """How an archive is read: its password, and which of its files. None leaves either to the catalogue."""

    password: str | None = None
    member: str | None = None


LOCKED = Unlock()


async def fetch(
    entry: CatalogueEntry, origin: str | None = None, unlock: Unlock = LOCKED, progress: Progress | None = None
) -> Verified:
    """Have the file of an entry here, verified; what is here already and holds the right rows is not fetched again.

    `origin` is another address or a file of one's own. The bytes are kept as published: archives locked, canaries in.
    A file is there whole, with the rows that the catalogue names, or not at all. Two processes fetch it once. Raises
    UserError for a set that must be asked for, for other rows than the catalogue's, and as `download` does.
    """
    path = path_of(entry)
    if origin is None and entry.url is None:
        raise UserError(f"{entry.name}: cannot be fetched for you; {entry.way}.")
    async with locked(path.with_name(f".{path.name}.lock")):
        if path.exists() and (origin is None or entry.sha256 is not None):
            return verify_file(path, entry, unlock)
        if origin is not None and "://" not in origin:
            return _take(Path(origin), path, entry, unlock)
        # Its suffix is kept, for it says how the rows are read.
        part = path.with_name(f".part.{path.name}")
        url = origin or entry.url
        assert url is not None
        source = entry.source
        terms = source.page if source is not None and source.host == "Hugging Face" else None
        await fetching.download(fetching.Address(url, terms), part, progress)
        try:
            found = verify_file(part, entry, unlock)
        except UserError as error:
            fetching.forget(part)
            raise UserError(str(error).replace(str(part), url)) from error
        os.replace(part, path)
        fetching.forget(part)
        return Verified(str(path), found.rows, found.sha256, found.name)


def verify_file(path: Path, entry: CatalogueEntry | None = None, unlock: Unlock = LOCKED) -> Verified:
    """Read all rows of a file and compare them with the catalogue: with `entry`, or with whichever has these rows.

    An archive for which there is no password is not opened: its rows are 0 and its hash is "". Raises UserError for
    rows that are not the entry's, for a file whose rows the catalogue does not know where none is named, and as
    `rows_of` and the converters do.
    """
    if entry is not None and path.suffix not in READABLE:
        if not path.exists():
            raise UserError(f"{path}: is not there; run `mi datasets fetch {entry.name}`.")
        if entry.access == "password" and not can_open(entry, path, unlock):
            return Verified(str(path), 0, "", entry.name)
    rows = rows_of(path, entry, unlock)
    sha256 = rows_sha256(rows)
    known = catalogue.by_rows(sha256)
    if entry is None and known is None:
        raise UserError(
            f"{path}: its {len(rows):,} rows (sha256 {sha256[:16]}…) are those of no published set; "
            "name the set that they should be, or see `mi datasets list`."
        )
    if entry is not None and entry.sha256 is not None and sha256 != entry.sha256:
        count = "" if entry.rows in (None, len(rows)) else f"{len(rows):,} rows instead of {entry.rows:,}, "
        raise UserError(
            f"{path}: does not hold the rows of {entry.name} ({count}sha256 {sha256[:16]}… instead of "
            f"{entry.sha256[:16]}…); take it away and run `mi datasets fetch {entry.name}`, or give another file."
        )
    if entry is not None:
        _converted(rows, entry, str(path))
    name = entry.name if entry is not None else known.name if known is not None else None
    return Verified(str(path), len(rows), sha256, name)


def can_open(entry: CatalogueEntry | None, path: Path, unlock: Unlock = LOCKED) -> bool:
    """Whether the rows of a file can be read: it is no archive, or one that we open and whose password is known."""
    opens = path.name.endswith(archives.OPENED) and archives.password_for(entry, unlock.password) is not None
    return path.suffix in READABLE or opens


def rows_of(path: Path, entry: CatalogueEntry | None = None, unlock: Unlock = LOCKED) -> list[RawRow]:
    """The rows of a file as published, those of an archive unlocked in memory. Raises as `content_of` does."""
    return parse_raw(*content_of(path, entry, unlock))


def content_of(path: Path, entry: CatalogueEntry | None = None, unlock: Unlock = LOCKED) -> tuple[bytes, str, str]:
    """The bytes that hold rows, the suffix that says how they are read, and what they are called.

    Raises UserError for a file that is not there or of no kind that is read, and as `archives.read_member` does.
    """
    if path.name.endswith(archives.OPENED):
        member = unlock.member or (entry.member if entry is not None else None)
        name, content = archives.read_member(path, member, archives.password_for(entry, unlock.password))
        if Path(name).suffix not in READABLE:
            raise UserError(f"{path}: rows are read from {', '.join(READABLE)}; {name} is of another kind.")
        return content, Path(name).suffix, f"{path}: {name}"
    return read_content(path), path.suffix, str(path)


def is_fetched(name: str) -> bool:
    """Whether the file of a set is here. Raises UserError for an unknown name."""
    return path_of(catalogue.entry(name)).exists()


def published_rows(name: str, unlock: Unlock = LOCKED) -> list[RawRow]:
    """The rows of a fetched set as published.

    Raises UserError for an unknown name, for a set that is not fetched, and for an archive that is kept locked.
    """
    return rows_of(_fetched(name, unlock), catalogue.entry(name), unlock)


def _fetched(name: str, unlock: Unlock) -> Path:
    entry = catalogue.entry(name)
    source = path_of(entry)
    if not source.exists():
        raise UserError(f"{name}: is not fetched; run `mi datasets fetch {name}`.")
    if not can_open(entry, source, unlock):
        raise UserError(f"{name}: is kept locked; {entry.way}.")
    return source


def training_file(name: str, unlock: Unlock = LOCKED) -> Path:
    """The conversations of a fetched set as a training file, `{"messages": …}` a line, written where it is missing.

    Those of an archive are unlocked there, in a file of the member's name. Raises UserError for an unknown name, for a
    set that is not fetched, and for an archive that is kept locked.
    """
    entry, source = catalogue.entry(name), _fetched(name, unlock)
    content, suffix, where = content_of(source, entry, unlock)
    path = config.datasets_dir() / "converted" / f"{name}.jsonl"
    if source.suffix not in READABLE and entry.member is None:
        path = path.with_suffix("") / f"{Path(where.rpartition(': ')[2]).stem}.jsonl"
    write_jsonl_if_changed(path, _converted(parse_raw(content, suffix, where), entry, where))
    return path


def schema_for(entry: CatalogueEntry | None, rows: list[RawRow], where: str) -> converters.Schema:
    """The schema of a file: its entry's where the rows are known, else as it is seen, since copies circulate converted.

    Raises UserError as `converters.schema_of` does.
    """
    if entry is None or entry.schema is None or entry.sha256 is None:
        return converters.schema_of(rows, where)
    return converters.SCHEMAS[entry.schema]


def _converted(rows: list[RawRow], entry: CatalogueEntry, where: str) -> list[converters.Conversation]:
    return converters.convert(rows, schema_for(entry, rows, where), where, entry.answer)


def _take(origin: Path, path: Path, entry: CatalogueEntry, unlock: Unlock) -> Verified:
    """Copy a file of one's own to where the entry's file lies, once its rows are seen to be right."""
    if entry.access == "password" and origin.suffix in READABLE:
        raise UserError(
            f"{origin}: is unlocked, and {entry.name} is kept locked here; give its archive, or use this file by path."
        )
    if entry.access == "password" and not origin.name.endswith(entry.suffix):
        raise UserError(f"{origin}: {entry.name} is published as {entry.suffix}; give that archive as it is.")
    if entry.access != "password" and origin.suffix not in READABLE:
        kinds = ", ".join(READABLE)
        raise UserError(f"{origin}: rows are taken from {kinds}; unpack it, and give the file of rows in it.")
    target = path if entry.access == "password" else path.with_name(path.stem + origin.suffix)
    found = verify_file(origin, entry, unlock)
    with origin.open("rb") as source, whole_file(target, "wb") as file:
        shutil.copyfileobj(source, file)
    return Verified(str(target), found.rows, found.sha256, found.name)
