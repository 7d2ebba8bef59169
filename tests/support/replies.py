"""What the stand-in server is asked and what it says: requests, replies, answers and limits."""

import json
import math
import time
import zlib
from dataclasses import dataclass, field
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
