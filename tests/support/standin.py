"""A fast stand-in for an OpenAI-compatible server on a loopback port, with faults to order, for tests and benchmarks.

In a test: `with StandIn() as server: …` runs it in a thread, and `server.requests` is what it was asked. As a program,
`python standin.py --latency 0.05 --rate 40`, it prints its base URL; GET /counts tells how often it was asked.
"""

import argparse
import asyncio
import json
import math
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

WORDS = [
    "YES",
    "NO",
    "yes",
    "no",
    "Yes",
    "No",
    " Yes",
    " No",
    " yes",
    " no",
    "Y",
    "N",
    "I",
    "The",
    "A",
    "It",
    "S",
    "\n",
]
TOP = [*WORDS, "True", "False"]


@dataclass(frozen=True)
class Seen:
    """One request as it came in: its number from 0, method, path, header names in lower case, and body."""

    number: int
    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    at: float

    @property
    def body(self) -> Any:
        """The JSON of the body."""
        return json.loads(self.raw) if self.raw else None

    @property
    def key(self) -> str:
        """The secret that was sent; empty for none."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Reply:
    """What goes back. `cut` sends half of the body and hangs up, `stall` sends nothing, `drop` hangs up at once."""

    status: int = 200
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    stall: bool = False
    drop: bool = False

    def encoded(self) -> bytes:
        """Status line, headers and body, as bytes."""
        body = self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()
        lines = [f"HTTP/1.1 {self.status} Said", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        return head + (body[: len(body) // 2] if self.cut else body)


def error(status: int, message: str, headers: dict[str, str] | None = None, **fields: Any) -> Reply:
    """An error as OpenAI words it."""
    return Reply(status, {"error": {"message": message, **fields}}, headers or {})


def completion(body: Any, *texts: str, model: str | None = None, **choice: Any) -> Reply:
    """A reply of these choices; `choice` changes fields of each."""
    choices = [
        {"index": n, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"} | choice
        for n, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 7, "completion_tokens": 2 * len(texts), "total_tokens": 7 + 2 * len(texts)}
    content = {"id": "x", "object": "chat.completion", "created": 1, "model": model or body["model"]}
    return Reply(200, {**content, "choices": choices, "usage": usage})


def answer(seen: Seen) -> bytes:
    """A completion that follows from the body's bytes alone; twenty alternatives where log-probabilities are asked."""
    mark = zlib.crc32(seen.raw)
    model = seen.raw[: seen.raw.find(b",")].split(b'"')[3] if seen.raw.startswith(b'{"model"') else None
    named = model if model is not None else str(json.loads(seen.raw)["model"]).encode()
    if b'"logprobs":' not in seen.raw.replace(b'"logprobs": ', b'"logprobs":'):
        return _PLAIN % (named, b"Answer %08x." % mark)
    share = (mark % 9998 + 1) / 10000
    tops = [math.log(share), math.log(1 - share), *(-9.0 - n for n in range(len(TOP) - 2))]
    parts = ",".join(f'{{"token":{word},"logprob":{value:.6f}}}' for word, value in zip(_JSON_TOP, tops, strict=True))
    return _JUDGED % (named, tops[0], parts.encode())


_JSON_TOP = [json.dumps(word) for word in TOP]
_FRAME = b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"%s","choices":[{"index":0,"message":{'
_END = b'"finish_reason":"stop"}],"usage":{"prompt_tokens":40,"completion_tokens":6,"total_tokens":46}}'
_PLAIN = _FRAME + b'"role":"assistant","content":"%s","refusal":null},"logprobs":null,' + _END
_JUDGED = (
    _FRAME + b'"role":"assistant","content":"YES","refusal":null},"logprobs":{"content":[{"token":"YES","logprob":%f,'
    b'"bytes":null,"top_logprobs":[%s]}]},' + _END
)


@dataclass
class Limit:
    """A bucket of requests: `rate` a second, as many at once; refusals carry Retry-After, in whole seconds or not."""

    rate: float
    whole_seconds: bool = True
    headers: bool = False
    level: float = math.inf
    at: float = 0.0

    def refusal(self) -> Reply | None:
        """A refusal, or None where the request goes through."""
        now = time.monotonic()
        self.level = min(self.rate, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return None
        wait = (1 - self.level) / self.rate
        asked = str(math.ceil(wait)) if self.whole_seconds else f"{wait:.3f}"
        return error(429, "Rate limit reached", {"Retry-After": asked, **self.told()}, code="rate_limit_exceeded")

    def told(self) -> dict[str, str]:
        """The x-ratelimit headers, where they are wanted."""
        if not self.headers:
            return {}
        return {
            "x-ratelimit-limit-requests": f"{self.rate:.0f}",
            "x-ratelimit-remaining-requests": f"{max(0, math.floor(self.level))}",
            "x-ratelimit-reset-requests": f"{(self.rate - self.level) / self.rate:.3f}s",
        }


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
        self._server.close()
        for transport in list(_open_transports(self)):
            transport.abort()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

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
            asyncio.get_running_loop().call_later(server.latency, self._send, reply, method)
        else:
            self._send(reply, method)

    def _send(self, reply: Reply | bytes, method: str) -> None:
        self.server.in_flight -= method == "POST"
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
