"""`mi serve --check` finds our own server as the protocol says, and says of another what it does otherwise."""

import http.server
import json
import threading

import pytest

from mi.serve.conformance import report
from mi.utils.errors import UserError


def test_our_own_server_passes_every_check(server):
    table, passed = report(server.url, "any", None, train=True)
    assert passed, table
    assert "19 as the protocol says, 0 otherwise, 0 not tried" in table


class _OnlyModels(http.server.BaseHTTPRequestHandler):
    """Lists a model, and answers every chat with something else than an answer."""

    def do_GET(self) -> None:
        is_list = self.path == "/v1/models"
        model = {"id": "m", "object": "model", "created": 1, "owned_by": "x", "shutdown_date": None}
        self._send(200 if is_list else 404, {"object": "list", "data": [model]} if is_list else {"detail": "none"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._send(200, {"choices": []})

    do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _send(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


def test_another_server_is_told_what_it_does_otherwise():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _OnlyModels) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        try:
            table, passed = report(f"http://127.0.0.1:{other.server_port}/v1", "any", None, train=True)
        finally:
            other.shutdown()
            thread.join()
    assert not passed and "Traceback" not in table
    verdicts = {line[4:].strip().partition("  ")[0]: line[:3].strip() for line in table.splitlines()}
    assert verdicts["models are listed"] == "yes" and verdicts["a chat is answered"] == "NO"
    assert verdicts["events and checkpoints are told"] == "-"


def test_nobody_there_is_said_in_a_sentence():
    with pytest.raises(UserError, match="nobody answers there"):
        report("http://127.0.0.1:9/v1", "any", None, train=False)
