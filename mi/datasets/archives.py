"""Reading a locked archive without unlocking it on the disk: its files go into memory, and nowhere else."""

import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mi.datasets.data_models import CatalogueEntry
from mi.datasets.locks import LOCKS, unlocked
from mi.utils.errors import UserError

PASSWORD = "MI_DATASETS_PASSWORD"
"""The environment variable that gives a password, so that none need stand in a shell's history."""
OPENED = (".zip", *LOCKS)
"""Kinds of archives that are opened here: ZIP (old encryption and AES), and files locked as a whole, see `locks`."""
_LARGEST = 1 << 30
"""Bytes of one file inside, unpacked: no published set comes near, and a bomb does."""


def password_for(entry: CatalogueEntry | None, given: str | None = None) -> str | None:
    """The password of an archive: as given, as its publisher states it, or from MI_DATASETS_PASSWORD; else None."""
    return given or (entry.password if entry is not None else None) or os.environ.get(PASSWORD) or None


def read_member(path: Path, member: str | None, password: str | None) -> tuple[str, bytes]:
    """The name and the bytes of one file in an archive; without a name, of the only one whose rows can be read.

    A file of rows that is locked as a whole holds itself alone. Raises UserError for a missing or wrong password, a
    name that is not there, a choice that is open, and what is no archive.
    """
    if path.suffix in LOCKS and Path(path.stem).suffix != ".zip":
        return _choose(path, [path.stem], member), _unlocked(path, password)
    with _opened(path, password) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        name = _choose(path, names, member)
        info = archive.getinfo(name)
        if info.file_size > _LARGEST:
            raise UserError(f"{path}: {name} unpacks to {info.file_size:,} bytes; unpack it by hand if that is right.")
        if info.flag_bits & 1 and password is None:
            raise UserError(_no_password(path))
        try:
            with archive.open(info, pwd=password.encode() if password is not None else None) as file:
                return name, _bounded(file, path, name)
        except (RuntimeError, *_bad(), zlib.error, ValueError, EOFError) as error:
            raise UserError(
                f"{path}: {name} cannot be read ({_why(error)}); check the password, or fetch it again."
            ) from error


def _no_password(path: Path) -> str:
    return f"{path}: is locked; give its password with --password or in {PASSWORD}."


def _unlocked(path: Path, password: str | None) -> bytes:
    if password is None:
        raise UserError(_no_password(path))
    try:
        return unlocked(path.read_bytes(), path.suffix, password)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a file.") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}.") from error


def _bad() -> tuple[type[Exception], ...]:
    import pyzipper

    return zipfile.BadZipFile, pyzipper.BadZipFile


def _why(error: Exception) -> str:
    return "wrong password" if "password" in str(error).lower() else str(error) or type(error).__name__


def _bounded(file: Any, path: Path, name: str) -> bytes:
    """All of a file, were the size that the archive states a lie."""
    whole = io.BytesIO()
    while block := file.read(1 << 20):
        whole.write(block)
        if whole.tell() > _LARGEST:
            raise UserError(f"{path}: {name} unpacks to more than {_LARGEST:,} bytes; unpack it by hand.")
    return whole.getvalue()


def _choose(path: Path, names: list[str], member: str | None) -> str:
    from mi.datasets.reading import READABLE

    if member is not None:
        found = [name for name in names if name == member or name.rpartition("/")[2] == member]
    else:
        found = [name for name in names if name.endswith(READABLE)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(found or names)
    if member is not None:
        raise UserError(f"{path}: holds {'several' if found else 'no'} {member}; name one of {listed}.")
    raise UserError(f"{path}: holds several files; name one with --member: {listed}.")


@contextmanager
def _opened(path: Path, password: str | None) -> Iterator[Any]:
    if not path.name.endswith(OPENED):
        raise UserError(f"{path}: archives of this kind are not opened here; unlock it with its publisher's tool.")
    import pyzipper

    source = io.BytesIO(_unlocked(path, password)) if path.suffix in LOCKS else path
    try:
        archive = pyzipper.AESZipFile(source)
    except (OSError, *_bad()) as error:
        raise UserError(f"{path}: is no archive that can be read ({error}); fetch it again.") from error
    with archive:
        yield archive
