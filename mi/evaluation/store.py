"""Every call that was ever answered, one JSON line each, appended and flushed before anything else is done with it.

`results/store/answers/<fingerprint>.jsonl` holds what a model answered, `results/store/judgements/<fingerprint>.jsonl`
what it said as a judge. A last line without its end was torn by a crash: it is dropped and asked for again.
"""

import contextlib
import json
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

from mi.config import results_dir
from mi.llm.data_models import Chat, LLMResponse, SampleCfg, TokenLogprob
from mi.utils.errors import UserError
from mi.utils.files import locked
from mi.utils.hashing import digest

Kind = Literal["answers", "judgements"]


@dataclass(frozen=True)
class Call:
    """The index-th sample of a conversation under a sample configuration."""

    chat: Chat
    cfg: SampleCfg
    index: int = 0


def call_key(fingerprint: str, call: Call) -> str:
    """The identity of an answer: the model's content and the call, nothing else."""
    return digest([fingerprint, call.chat, call.cfg, call.index])


def store_path(kind: Kind, fingerprint: str) -> Path:
    """The file that holds the calls of one model."""
    return results_dir() / "store" / kind / f"{fingerprint}.jsonl"


def read_store(kind: Kind, fingerprint: str) -> dict[str, LLMResponse]:
    """The answered calls of a model by key; empty where none was made. Nothing is written."""
    path = store_path(kind, fingerprint)
    return _parse(path, path.read_bytes()) if path.exists() else {}


class OpenStore:
    """A model's file, held by this task alone: what it knows, and how it learns more."""

    def __init__(self, path: Path, fingerprint: str, file: IO[bytes]) -> None:
        self._path, self._fingerprint, self._file = path, fingerprint, file
        file.seek(0)
        content = file.read()
        self.known = _parse(path, content)
        file.truncate(content.rfind(b"\n") + 1)

    def append(self, calls: Sequence[Call], responses: Sequence[LLMResponse]) -> None:
        """Keep what came back; it is on the disk when this returns. Raises UserError where the disk takes no more."""
        keys = [call_key(self._fingerprint, call) for call in calls]
        records = [_record(*item) for item in zip(keys, calls, responses, strict=True)]
        try:
            _write_all(self._file, "".join(json.dumps(record) + "\n" for record in records).encode())
        except OSError as error:
            raise UserError(f"{self._path}: cannot be written ({error.strerror}); make room and go on.") from error
        self.known.update(zip(keys, responses, strict=True))


@contextlib.asynccontextmanager
async def open_store(kind: Kind, fingerprint: str) -> AsyncIterator[OpenStore]:
    """Hold a model's file, so that two tasks or processes never ask for one call twice."""
    path = store_path(kind, fingerprint)
    async with locked(path) as file:
        yield OpenStore(path, fingerprint, file)


def _write_all(file: IO[bytes], content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]
    os.fsync(file.fileno())


def _record(key: str, call: Call, response: LLMResponse) -> dict[str, Any]:
    return {
        "key": key,
        "messages": [asdict(message) for message in call.chat],
        "sample_cfg": asdict(call.cfg),
        "sample_index": call.index,
        "response": asdict(response),
    }


def _parse(path: Path, content: bytes) -> dict[str, LLMResponse]:
    known: dict[str, LLMResponse] = {}
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            record = json.loads(line)
            known[record["key"]] = _response(record["response"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}, line {number}: not a stored answer; take this line out.") from error
    return known


def _response(record: dict[str, Any]) -> LLMResponse:
    logprobs = (TokenLogprob(t["token"], t["logprob"], tuple(map(tuple, t["top"]))) for t in record["logprobs"])
    return LLMResponse(**{**record, "logprobs": tuple(logprobs)})
