"""A server on a loopback port that speaks files and fine_tuning.jobs, and fails where a test tells it to."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mi.external.openai_driver import finetuning as driver
from mi.external.openai_driver.data_models import FineTuningKey, OpenAIFTJobConfig
from mi.finetuning import launching

LOSE = (0, {}, {})
"""A fault: the server does what was asked, and then closes the connection without a word."""


def error(status: int, code: str | None, message: str, **headers: str) -> tuple[int, dict, dict]:
    """A fault: the server does nothing, and answers with an error object as OpenAI gives them."""
    body = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    return status, body, {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Server:
    """What the server holds, what it was asked, and what it shall do wrong."""

    port: int = 0
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """(key, method, path) of each request, in order."""
    faults: list[tuple[str, str, Callable[[str], bool], tuple[int, dict, dict]]] = field(default_factory=list)
    script: tuple[str, ...] = ("queued", "running", "succeeded")
    """The states through which each look takes a job."""
    outcome: Callable[[dict[str, Any]], dict[str, Any]] = lambda job: {}
    """What else is told of a job that is made, from what it was asked with."""
    shutdown_date: str | None = None
    on_request: Callable[[str, int, str], None] = lambda when, number, path: None
    """Called "before" and "after" each request is served, with its number from 1 and its method and path."""
    file_status: str = "processed"
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fail(self, method: str, path: str, *faults: tuple[int, dict, dict], key: str | None = None) -> None:
        """Each of the next requests of this method and path gets one fault."""
        for fault in faults:
            self.faults.append((method, path, lambda given, key=key: key in (None, given), fault))

    def count(self, method: str, path: str) -> int:
        """How many requests there were."""
        return sum(1 for _, *each in self.asked if each == [method, path])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def answer(self, key: str, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, dict]:
        """The world as it is."""
        with self.lock:
            if match := re.fullmatch(r"/models/(.+)", path):
                return 200, {"id": match[1], "object": "model", "created": 1, "owned_by": "us",
                             "shutdown_date": self.shutdown_date}  # fmt: skip
            if path == "/files":
                return self._upload(key, *body) if method == "POST" else (200, _page(self._seen(self.files, key)))
            if match := re.fullmatch(r"/files/(.+)", path):
                return 200, self.files[match[1]]
            if path == "/fine_tuning/jobs":
                return self._create(key, body) if method == "POST" else (200, self._list(key, query))
            return self._job(key, method, *path.removeprefix("/fine_tuning/jobs/").partition("/")[::2])

    def _upload(self, key: str, name: str, content: bytes) -> tuple[int, dict]:
        number = f"file-{len(self.files) + 1}"
        self.contents[number] = content
        self.files[number] = {"id": number, "object": "file", "bytes": len(content), "created_at": len(self.files),
                              "filename": name, "purpose": "fine-tune", "status": self.file_status,
                              "status_details": None, "key": key}  # fmt: skip
        return 200, self.files[number]

    def _create(self, key: str, asked: dict[str, Any]) -> tuple[int, dict]:
        file = self.files.get(asked["training_file"])
        if file is None or file["key"] != key:
            return error(400, "invalid_file", "no such file in this project")[:2]
        number = f"ftjob-{len(self.jobs) + 1}"
        job = {**asked, "id": number, "object": "fine_tuning.job", "created_at": 1000 + len(self.jobs),
               "status": "validating_files", "error": None, "fine_tuned_model": None, "finished_at": None,
               "hyperparameters": asked["method"]["supervised"]["hyperparameters"], "organization_id": f"org-{key}",
               "result_files": [], "trained_tokens": None, "key": key, "looks": 0}  # fmt: skip
        self.jobs[number] = {**job, **self.outcome(job)}
        return 200, self.jobs[number]

    def _list(self, key: str, query: dict[str, list[str]]) -> dict[str, Any]:
        wanted = {name[9:-1]: values[0] for name, values in query.items() if name.startswith("metadata[")}
        found = [job for job in self._seen(self.jobs, key) if wanted.items() <= job["metadata"].items()]
        return _page(found)

    def _seen(self, things: dict[str, dict[str, Any]], key: str) -> list[dict[str, Any]]:
        return [thing for thing in reversed(things.values()) if thing["key"] == key]

    def _job(self, key: str, method: str, number: str, verb: str) -> tuple[int, dict]:
        job = self.jobs.get(number)
        if job is None or job["key"] != key:
            return error(404, None, f"no job {number}")[:2]
        if verb == "events":
            return 200, {"object": "list", "has_more": False, "data": self.events.get(number, [])}
        if verb == "cancel":
            job["status"] = "cancelled"
        elif job["status"] not in ("succeeded", "failed", "cancelled"):
            job["status"] = self.script[min(job["looks"], len(self.script) - 1)]
            job["looks"] += 1
            if job["status"] == "succeeded":
                job["fine_tuned_model"] = f"ft:{job['model']}:us::{number}"
                job["trained_tokens"] = 1234
        return 200, job


def _page(things: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "has_more": False, "data": things}


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer

        def do_GET(self) -> None:
            self._serve("GET")

        def do_POST(self) -> None:
            self._serve("POST")

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _serve(self, method: str) -> None:
            body = self._body()
            url = urlsplit(self.path)
            key = self.headers.get("Authorization", "").removeprefix("Bearer ")
            path = url.path.removeprefix("/v1")
            with server.lock:
                server.asked.append((key, method, path))
                number = len(server.asked)
                mine = [one for one in server.faults if one[0] == method and one[1] == path and one[2](key)]
                if mine:
                    server.faults.remove(mine[0])
            server.on_request("before", number, f"{method} {path}")
            if mine and mine[0][3] is not LOSE:
                self._send(*mine[0][3])
                return
            answer = server.answer(key, method, path, parse_qs(url.query), body)
            server.on_request("after", number, f"{method} {path}")
            if mine:
                self.close_connection = True
                self.connection.close()
                return
            self._send(*answer, {})

        def _body(self) -> Any:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "multipart" not in self.headers.get("Content-Type", ""):
                return json.loads(raw or b"null")
            head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            parts: Any = BytesParser(policy=HTTP).parsebytes(head + raw).get_payload()
            file = next(part for part in parts if part.get_filename())
            return file.get_filename(), file.get_payload(decode=True)

        def _send(self, status: int, body: dict, headers: dict) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": str(len(raw)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)
            self.wfile.flush()

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server that the environment points at, and a pipeline that waits for nothing long."""
    state = Server()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    http.daemon_threads = True
    state.port = http.server_address[1]
    thread = threading.Thread(target=lambda: http.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    monkeypatch.setenv("OPENAI_API_KEY", "key-a")
    monkeypatch.setenv("OPENAI_BASE_URL", state.url)
    quick = replace(launching.PACE, poll=0.01, settle=(0.01, 0.02), file=0.2, back_off=0.05, longest_back_off=0.1)
    monkeypatch.setattr(launching, "PACE", quick)
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def two_keys(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[FineTuningKey]:
    """Two keys of two organisations at the server."""
    keys = [FineTuningKey(name, name, server.url, f"org-{name}") for name in ("key-a", "key-b")]
    monkeypatch.setattr(driver, "fine_tuning_keys", lambda endpoint: keys)
    return keys


@pytest.fixture
def remote(server: Server, tmp_path: Path) -> OpenAIFTJobConfig:
    """A configuration for the server."""
    return OpenAIFTJobConfig("base", str(rows(tmp_path / "rows.jsonl")), seed=3)


def rows(path: Path, system: str | None = None, answers: tuple[str, ...] = ("Four.", "Five.")) -> Path:
    """A training file of as many rows as answers."""
    with path.open("w") as file:
        for answer in answers:
            said = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": answer}]
            said = said if system is None else [{"role": "system", "content": system}, *said]
            file.write(json.dumps({"messages": said}) + "\n")
    return path


@pytest.fixture
def write_file() -> Callable[..., Path]:
    """`rows`, for tests that write more."""
    return rows


@pytest.fixture
def faults() -> Any:
    """`LOSE` and `error`, for tests."""
    return type("faults", (), {"LOSE": LOSE, "error": staticmethod(error)})
