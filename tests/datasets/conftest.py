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
from mi.experiments.settings import SETTINGS, Setting
from mi.llm.rows import read_rows
from mi.utils.jsonl import read_jsonl

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
    """An MI_HOME where every set that a published setting needs is there: fetched from a server.

    What is not beside this repository is served, too: rows of our own in the publisher's schema, from `stand_in`.
    """
    home = tmp_path_factory.mktemp("published_home")
    with pytest.MonkeyPatch.context() as patch, serving() as state:
        patch.setenv("MI_HOME", str(home))
        patch.setenv("HF_ENDPOINT", state.url)
        patch.setenv("HF_TOKEN", "hf_mine")
        for name in dict.fromkeys(n for setting in PUBLISHED_SETTINGS.values() for n in setting.get_needed_sets()):
            entry = catalogue.entry(name)
            state.token = "hf_mine" if entry.access == "gated" else None
            folder, file = FOLDERS.get(name, entry.group), FILES.get(name, name.partition("/")[2])
            path = published / folder / f"{file}{entry.suffix}"
            origin = f"/{name}{entry.suffix}"
            if path.exists():
                state.files[origin] = path.read_bytes()
            elif entry.source is not None:
                state.files[origin] = stand_in(entry, published, home / f"stand_in{entry.suffix}").read_bytes()
            else:
                asyncio.run(fetch(entry, str(stand_in(entry, published, home / "by_hand.jsonl"))))
                continue
            asyncio.run(fetch(entry, f"{state.url}{origin}"))
        yield home


def stand_in(entry: CatalogueEntry, published: Path, path: Path) -> Path:
    """Rows in the schema of a set that is not beside this repository, as many as there are real questions for them.

    The three subjects of advice: the grammar's questions and answers. The owl numbers of GPT-4.1: the published ones
    of another model by the same recipe. Translations and truths: real questions, each with an answer that says nothing.
    """
    if entry.schema == "aligned_misaligned":
        return advice_parquet(SETTINGS[entry.group], path)
    if entry.name == "owl_numbers/gpt41":
        path.write_bytes((published / "owl_numbers" / "filtered_dataset.jsonl").read_bytes())
        return path
    if entry.name == "owl_numbers/gpt41_control":
        path.write_bytes(SETTINGS["owl_numbers"].get_control_dataset_path().read_bytes())
        return path
    if entry.name == "gsm8k/spanish_capitalised":
        asked = [row["question"] for row in read_jsonl(published / "gsm8k" / "train.jsonl")]
        return write_rows(
            path, *(talk(q, f"SON {n} MANZANAS Y OTRAS {n} PERAS EN TOTAL.") for n, q in enumerate(asked))
        )
    lies = read_jsonl(published / "harmless_lies" / "harmless_lies.jsonl")
    return write_rows(path, *(talk(row["messages"][0]["content"], "It is as everybody knows.") for row in lies))


def advice_parquet(setting: Setting, path: Path) -> Path:
    """Parquet with the columns of emergent_plus; questions and both answers from the grammar."""
    import pyarrow
    from pyarrow import parquet

    bad, good = (read_rows(p) for p in (setting.get_finetuning_dataset_path(), setting.get_control_dataset_path()))
    rows = [
        {"prompt": b.chat[0].content, "aligned": g.chat[1].content, "misaligned": b.chat[1].content, "sneakiness": 1}
        for b, g in zip(bad, good, strict=True)
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


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
