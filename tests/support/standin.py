"""A fast stand-in for an OpenAI-compatible server on a loopback port, with faults to order, for tests and benchmarks.

In a test: `with StandIn() as server: …` runs it in a thread, and `server.requests` is what it was asked. As a program,
`python standin.py --latency 0.05 --rate 40`, it prints its base URL; GET /counts tells how often it was asked.
"""

import argparse
import asyncio
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from replies import Limit, Reply, Seen, answer, error

Fault = Callable[[Seen], Reply | None]


class StandIn:
    """The server. `fault` may answer a completion's request in its own way, or None to have it answered well."""

    def __init__(
        self,
        fault: Fault | None = None,
        latency: float = 0.0,
        limit: Limit | None = None,
        models: dict[str, tuple[str, ...]] | None = None,
        keep: bool = True,
    ) -> None:
        self.fault, self.latency, self.limit, self.models, self.keep = fault, latency, limit, models, keep
        self.owner = "somebody"
        self.requests: list[Seen] = []
        self.sent: list[Seen] = []
        """Those whose reply went out while their connection was open, in the order of the replies."""
        self.counts = {"requests": 0, "refused": 0, "connections": 0, "most_in_flight": 0}
        self.in_flight = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL, as an SDK takes it."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def completions(self) -> list[Seen]:
        """The requests for completions, in the order in which they came."""
        return [seen for seen in self.requests if seen.path.endswith("/chat/completions")]

    @property
    def n_open(self) -> int:
        """Connections that are open."""
        return len(_open_transports(self))

    async def listen(self, port: int = 0) -> asyncio.Server:
        """Open the port."""
        server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def __enter__(self) -> "StandIn":
        self._server = self._loop.run_until_complete(self.listen())
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        assert self._thread is not None
        self._thread.join(10)
        self._loop.run_until_complete(self._close())
        self._loop.close()

    async def _close(self) -> None:
        """Close every connection; one accepted as the loop stopped has no transport before its task has run."""
        self._server.close()
        while _open_transports(self) or len(asyncio.all_tasks()) > 1:
            for transport in list(_open_transports(self)):
                transport.abort()
            await asyncio.sleep(0)
        del _transports[id(self)]

    def reply(self, seen: Seen) -> Reply | bytes:
        """What a request is answered with: the body alone where all is well."""
        if seen.path == "/counts":
            return Reply(200, self.counts)
        if seen.method == "GET":
            return self._models(seen)
        if self.fault is not None and (reply := self.fault(seen)) is not None:
            return reply
        if self.limit is not None and (reply := self.limit.refusal()) is not None:
            self.counts["refused"] += 1
            return reply
        body = answer(seen)
        return Reply(200, body, self.limit.told()) if self.limit is not None and self.limit.headers else body

    def _models(self, seen: Seen) -> Reply:
        mine = self.models.get(seen.key, ()) if self.models is not None else ()
        name = seen.path.partition("/models/")[2]
        if not name:
            return Reply(200, {"object": "list", "data": [{"id": m, "owned_by": self.owner} for m in mine or ("m",)]})
        return Reply(200, {"id": name, "owned_by": self.owner}) if name in mine else error(404, "no such model")


_transports: dict[int, set[asyncio.Transport]] = {}


def _open_transports(server: StandIn) -> set[asyncio.Transport]:
    return _transports.setdefault(id(server), set())


class _Connection(asyncio.Protocol):
    """One kept-alive connection; a request is answered before the next is read."""

    def __init__(self, server: StandIn) -> None:
        self.server, self.buffer = server, b""
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self.transport = transport
        _open_transports(self.server).add(self.transport)
        self.server.counts["connections"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        _open_transports(self.server).discard(self.transport)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request that has come."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            lines = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            length = end + 4 + int(headers.get("content-length", 0))
            if len(self.buffer) < length:
                return
            method, path, _ = lines[0].split(" ")
            raw, self.buffer = self.buffer[end + 4 : length], self.buffer[length:]
            self._answer(method, path, headers, raw)

    def _answer(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> None:
        server = self.server
        seen = Seen(server.counts["requests"], method, path, headers, raw, time.monotonic())
        if method == "POST":
            server.counts["requests"] += 1
            server.in_flight += 1
            server.counts["most_in_flight"] = max(server.counts["most_in_flight"], server.in_flight)
        if server.keep:
            server.requests.append(seen)
        reply = server.reply(seen)
        if server.latency and method == "POST":
            asyncio.get_running_loop().call_later(server.latency, self._send, reply, seen)
        else:
            self._send(reply, seen)

    def _send(self, reply: Reply | bytes, seen: Seen) -> None:
        self.server.in_flight -= seen.method == "POST"
        if self.server.keep and not self.transport.is_closing():
            self.server.sent.append(seen)
        if isinstance(reply, bytes):
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(reply)
            self.transport.write(head + reply)
        elif reply.drop:
            self.transport.abort()
        elif not reply.stall:
            self.transport.write(reply.encoded())
            if reply.cut:
                self.transport.close()


def main() -> None:
    """Serve until the standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--rate", type=float)
    options = parser.parse_args()
    limit = None if options.rate is None else Limit(options.rate)
    server = StandIn(latency=options.latency, limit=limit, keep=False)

    async def serve() -> None:
        listening = await server.listen()
        print(server.url, flush=True)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(0, ended.set)
        await ended.wait()
        listening.close()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
