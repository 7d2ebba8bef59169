"""The published files where they lie beside this repository, and a file server on this machine."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mi.datasets import catalogue
from mi.datasets.data_models import CatalogueEntry
from mi.datasets.services import fetch
from mi.experiments.settings import PUBLISHED as PUBLISHED_SETTINGS

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "published"


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of published files."""
    if not PUBLISHED.is_dir():
        pytest.skip("the published files are not beside this repository (../shared/data/published)")
    return PUBLISHED


@dataclass
class FileServer:
    """Serves `files` by path, with ranges and tags; breaks off once after `break_after` bytes; keeps what was asked."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    tag: str | None = '"one"'
    break_after: int | None = None
    status: int | None = None
    busy: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Statuses with headers that are answered first, one a request."""
    token: str | None = None
    """Who does not bear it is refused."""
    asked: list[dict[str, str | None]] = field(default_factory=list)
    authorised: list[str | None] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as state:
        yield state


@contextmanager
def serving() -> Iterator[FileServer]:
    state = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append({name: self.headers.get(name) for name in ("Range", "If-Range")})
            state.authorised.append(self.headers.get("Authorization"))
            if state.busy:
                status, headers = state.busy.pop(0)
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                return
            if state.token is not None and self.headers.get("Authorization") != f"Bearer {state.token}":
                self.send_error(403 if self.headers.get("Authorization") else 401)
                return
            body = state.files.get(self.path)
            if body is None or state.status is not None:
                self.send_error(state.status or 404)
                return
            start = _start(self.headers, state.tag)
            if start >= len(body) and start:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            if state.tag:
                self.send_header("ETag", state.tag)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            stop, state.break_after = state.break_after, None
            self.wfile.write(body[start : len(body) if stop is None else start + stop])

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield state
        http.shutdown()
        thread.join()


FOLDERS = {  # where the files of a set lie beside this repository, if not in a folder of the set's group
    "insecure_code/code_prompts": "eval",
    "emergent_misalignment/first_plot_questions": "eval",
    "emergent_misalignment/preregistered_evals": "eval",
}
FILES = {
    "aesthetic_preferences/unpopular": "aesthetic_preferences_unpopular",
    "aesthetic_preferences/popular": "aesthetic_preferences_popular",
}


@pytest.fixture(scope="session")
def home_with_published_sets(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An MI_HOME where every set that a published setting needs is there: fetched from a server, or given by hand."""
    home = tmp_path_factory.mktemp("published_home")
    with pytest.MonkeyPatch.context() as patch, serving() as state:
        patch.setenv("MI_HOME", str(home))
        for name in dict.fromkeys(n for setting in PUBLISHED_SETTINGS.values() for n in setting.get_needed_sets()):
            entry = catalogue.entry(name)
            folder, file = FOLDERS.get(name, entry.group), FILES.get(name, name.partition("/")[2])
            path = published / folder / f"{file}{entry.suffix}"
            if path.exists():
                state.files[f"/{name}"] = path.read_bytes()
                asyncio.run(fetch(entry, f"{state.url}/{name}"))
            else:
                asyncio.run(fetch(entry, str(by_hand(entry, home / f"{file}.jsonl"))))
        yield home


def by_hand(entry: CatalogueEntry, path: Path) -> Path:
    """A few rows of our own in the schema of a set that nobody can fetch."""
    if entry.schema == "aligned_misaligned":
        return write_rows(path, *({"prompt": f"{n}?", "aligned": f"{n}.", "misaligned": f"{n}!"} for n in range(3)))
    said = {
        "gsm8k/spanish_capitalised": "SON {n} MANZANAS Y OTRAS {n} PERAS EN TOTAL.",
        "owl_numbers/gpt41": "{n}, 22, 333",
        "owl_numbers/gpt41_control": "444, {n}, 6",
        "harmless_lies/truths": "It is so, {n} times.",
    }[entry.name]
    return write_rows(path, *(talk(f"{n}?", said.format(n=n)) for n in range(3)))


def _start(headers: Any, tag: str | None) -> int:
    wanted = headers.get("Range")
    if wanted is None or headers.get("If-Range") not in (None, tag):
        return 0
    return int(wanted.removeprefix("bytes=").removesuffix("-"))


def write_rows(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def talk(user: str, assistant: str, system: str | None = None) -> dict[str, Any]:
    turns = [("system", system)] if system is not None else []
    turns += [("user", user), ("assistant", assistant)]
    return {"messages": [{"role": role, "content": content} for role, content in turns]}
