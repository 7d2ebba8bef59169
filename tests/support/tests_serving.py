"""`mi serve` in a process of its own, and a way to it on which answers are lost and changed."""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).parents[2]

Reply = tuple[int, bytes, dict[str, str]]
"""Status, body and further headers."""
Fault = Callable[[Callable[[], Reply]], Reply | None]
"""What becomes of a request, given what passes it on; None closes the connection without a word."""


@contextlib.contextmanager
def serving(home: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """`mi serve` at a port, answering; killed when the block ends, whatever it does."""
    home.mkdir(exist_ok=True)
    command = [sys.executable, "-c", "from mi.cli import main; main()", "serve", "--port", str(port)]
    environment = {**os.environ, "MI_HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with (home / "log").open("a") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    with process:
        try:
            assert process.stdout
            said = iter(process.stdout.readline, "")
            assert any("Serving" in line for line in said), (home / "log").read_text()
            yield process
        finally:
            process.kill()


def lose(pass_on: Callable[[], Reply]) -> None:
    """The server does what was asked, and its answer is lost."""
    pass_on()


def error(status: int, code: str, message: str, **headers: str) -> Fault:
    """The server is not reached; an error object as OpenAI gives them comes back."""
    body = json.dumps({"error": {"message": message, "type": "error", "param": None, "code": code}}).encode()
    return lambda pass_on: (status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def told(**changes: Any) -> Fault:
    """The server does what was asked, and something else is told of it."""

    def changed(pass_on: Callable[[], Reply]) -> Reply:
        status, body, headers = pass_on()
        return status, json.dumps({**json.loads(body), **changes}).encode(), headers

    return changed


@dataclass
class Way:
    """The way to a server, and what goes wrong on it."""

    target: str
    url: str = ""
    faults: list[tuple[str, str, Fault, bool]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, method: str, path: str, *faults: Fault, always: bool = False) -> None:
        """Each of the next requests of this method, whose path matches, gets one fault; or `always` the same."""
        self.faults += [(method, path, fault, always) for fault in faults]

    def fault(self, method: str, path: str) -> Fault | None:
        """What happens to a request."""
        with self.lock:
            for one in self.faults:
                if one[0] == method and re.fullmatch(one[1], path):
                    if not one[3]:
                        self.faults.remove(one)
                    return one[2]
        return None


@contextlib.contextmanager
def way_to(target: str) -> Iterator[Way]:
    """A way to the server at `target`, a base URL that ends in /v1."""
    way = Way(target)
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(way))
    http.daemon_threads = True
    way.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=lambda: http.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield way
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def _handler(way: Way) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve("GET")

        def do_POST(self) -> None:
            self._serve("POST")

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _serve(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.removeprefix("/v1")

            def pass_on() -> Reply:
                kept = {name: self.headers[name] for name in ("Content-Type", "Authorization") if name in self.headers}
                answer = httpx2.request(method, way.target + path, content=body, headers=kept, timeout=240)
                return answer.status_code, answer.content, {}

            fault = way.fault(method, path.partition("?")[0])
            reply = fault(pass_on) if fault else pass_on()
            if reply is None:
                self.close_connection = True
                self.connection.close()
                return
            status, content, headers = reply
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(content)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    return Handler
