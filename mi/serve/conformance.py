"""`mi serve --check URL`: does a server speak OpenAI's protocol for files, fine-tuning and chat?

Each check is a function that raises where the server does otherwise. Nothing is trained unless that is asked for.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mi.utils.errors import UserError

_TIMEOUT_SECONDS = 120.0


class Unlike(Exception):
    """The server does otherwise than the protocol says; the message is a clause."""


class Skipped(Exception):
    """The check cannot be made here; the message says why."""


@dataclass
class Probe:
    """A server under examination, and what earlier checks have found of it."""

    http: Any
    model: str | None = None
    found: dict[str, Any] = field(default_factory=dict)

    def call(self, verb: str, path: str, status: int | tuple[int, ...] = 200, **options: Any) -> Any:
        """The body of an answer, parsed; raises Unlike for another status than `status`."""
        answer = self.http.request(verb, path, **options)
        wanted = (status,) if isinstance(status, int) else status
        if answer.status_code not in wanted:
            raise Unlike(f"{verb} {path} answers {answer.status_code} {answer.text[:120]!r}")
        return answer.json()

    def chat(self, **options: Any) -> Any:
        """An answer to a short question."""
        body = {"model": self.needed("model"), "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
        return self.call("POST", "/chat/completions", json={**body, **options})

    def needed(self, name: str) -> Any:
        """What an earlier check has found. Raises Skipped where it has not."""
        value = self.model if name == "model" else self.found.get(name)
        if value is None:
            raise Skipped(f"an earlier check found no {name}")
        return value


def report(url: str, key: str, model: Sequence[str] | None, train: bool) -> tuple[str, bool]:
    """The table of all checks as text, and whether none has failed. Raises UserError where nobody answers at `url`."""
    from mi.serve.conformance_checks import CHECKS, TRAINING_CHECKS

    rows, passed = [], True
    with _connected(url, key) as http:
        probe = Probe(http, model[0] if model else None)
        for name, check in (*CHECKS, *(TRAINING_CHECKS if train else ())):
            verdict, remark = _verdict(check, probe)
            passed = passed and verdict != "NO"
            rows.append((verdict, name, remark))
    if not train:
        rows.append(("-", "training", "not tried; add --check-training"))
    return "\n".join(_table(rows)), passed


def expect(holds: object, clause: str) -> None:
    """Raise Unlike with `clause` where something does not hold."""
    if not holds:
        raise Unlike(clause)


def has(value: Any, **kinds: type | tuple[type, ...]) -> None:
    """Raise Unlike where an object lacks a field of the given type."""
    for name, kind in kinds.items():
        expect(isinstance(value, dict) and name in value, f"the field {name} is missing")
        expect(isinstance(value[name], kind), f"{name} is {value[name]!r}")


def has_error(body: Any) -> None:
    """Raise Unlike where a refusal is no error object."""
    expect(isinstance(body, dict) and isinstance(body.get("error"), dict), "a refusal is no {'error': …}")
    has(body["error"], message=str)
    expect({"type", "code", "param"} <= set(body["error"]), "an error lacks type, code or param")


def upload(probe: Probe, content: bytes, name: str = "check.jsonl", status: int | tuple[int, ...] = 200) -> Any:
    """The file object of an upload."""
    files = {"file": (name, io.BytesIO(content))}
    return probe.call("POST", "/files", status, files=files, data={"purpose": "fine-tune"})


@contextmanager
def _connected(url: str, key: str) -> Iterator[Any]:
    import httpx2

    headers = {"Authorization": f"Bearer {key}"}
    try:
        with httpx2.Client(base_url=url.rstrip("/"), headers=headers, timeout=_TIMEOUT_SECONDS) as http:
            http.get("/models")
            yield http
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise UserError(f"{url}: nobody answers there ({error}); give the address up to /v1.") from error


def _verdict(check: Callable[[Probe], None], probe: Probe) -> tuple[str, str]:
    try:
        check(probe)
    except Skipped as reason:
        return "-", str(reason)
    except Unlike as difference:
        return "NO", str(difference)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        return "NO", f"the answer has another shape ({type(error).__name__}: {error})"
    return "yes", ""


def _table(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    width = max(len(name) for _, name, _ in rows)
    for verdict, name, remark in rows:
        yield f"{verdict:4} {name:{width}}  {remark}".rstrip()
    counts = {kind: sum(verdict == kind for verdict, _, _ in rows) for kind in ("yes", "NO", "-")}
    yield f"{counts['yes']} as the protocol says, {counts['NO']} otherwise, {counts['-']} not tried"
