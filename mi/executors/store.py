"""The shared store: a folder at any fsspec URL that driver and nodes see, in which a thing is whole or not there.

`inputs/<name>.zip` is what units read, `outputs/<unit>.zip` what they made, `progress/<unit>.json` how far one is. The
zip files are not compressed; their check sums tell a damaged one.
"""

import contextlib
import json
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mi.executors.data_models import Files
from mi.utils.errors import UserError
from mi.utils.files import make_folder


class Damaged(Exception):
    """A thing is in the store and cannot be read; it was removed, so that it can be made anew."""


class Store:
    """Things by their names, pushed whole and fetched whole. Raises UserError where the store cannot be reached."""

    def __init__(self, url: str) -> None:
        if urlsplit(url).password or "@" in urlsplit(url).netloc:
            host = urlsplit(url).netloc.rpartition("@")[2]
            raise UserError(f"the store's URL at {host} holds credentials; leave them to the environment of the nodes.")
        self.url = url if "://" in url else str(Path(url).expanduser().absolute())
        with self._reaching():
            from fsspec.core import url_to_fs

            self._fs, root = url_to_fs(self.url)
        self._root = str(root).rstrip("/")

    def has(self, name: str) -> bool:
        """Whether a thing is there."""
        with self._reaching():
            self._fs.invalidate_cache()
            return bool(self._fs.exists(self._path(name)))

    def push(self, name: str, files: Files) -> None:
        """Put a thing there, unless it is there."""
        if self.has(name):
            return
        with tempfile.TemporaryDirectory() as folder:
            packed = Path(folder) / "packed.zip"
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
                for member, path in sorted(files.items()):
                    archive.write(path, member)
            beside = f"{self._path(name)}.{uuid.uuid4().hex[:8]}.partial"
            with self._reaching():
                self._fs.makedirs(beside.rpartition("/")[0], exist_ok=True)
                try:
                    self._fs.put_file(str(packed), beside)
                    self._fs.mv(beside, self._path(name))
                except BaseException:
                    with contextlib.suppress(Exception):
                        self._fs.rm(beside)
                    raise

    def fetch(self, name: str, into: Path) -> None:
        """Unpack a thing into a folder. Raises FileNotFoundError where there is none, and Damaged."""
        make_folder(into)
        with tempfile.TemporaryDirectory() as folder:
            packed = Path(folder) / "packed.zip"
            with self._reaching():
                self._fs.get_file(self._path(name), str(packed))
            try:
                with zipfile.ZipFile(packed) as archive:
                    archive.extractall(into)
            except zipfile.BadZipFile as error:
                self.remove(name)
                raise Damaged(f"{self._path(name)}: {error}") from error

    def remove(self, name: str) -> None:
        """Take a thing out, if it is there."""
        with self._reaching(), contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._path(name))

    def note(self, name: str, value: Any) -> None:
        """Write down something small that may be lost."""
        with self._reaching():
            self._fs.makedirs(self._root + "/progress", exist_ok=True)
            self._fs.pipe_file(f"{self._root}/progress/{name}.json", json.dumps(value).encode())

    def noted(self, name: str) -> Any:
        """What was written down last; None where nothing was, or where it is being written."""
        try:
            with self._reaching():
                content = self._fs.cat_file(f"{self._root}/progress/{name}.json")
            return json.loads(content)
        except (FileNotFoundError, ValueError):
            return None

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}.zip"

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except ImportError as error:
            raise UserError(f"{self.url}: this store needs a package ({error}); install it on every node.") from error
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise UserError(
                f"{self.url}: this store cannot be used ({reason}); give --store a folder or URL that all nodes reach."
            ) from error


def files_under(folder: Path) -> dict[str, Path]:
    """The files of a folder and of those in it, by their names in it."""
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
