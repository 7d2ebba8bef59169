"""One line of the store: a call with its answer as compact JSON, closed by a checksum of the line."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any
from zlib import crc32

import msgspec

from mi.llm.data_models import Chat, LLMResponse, Model, SampleCfg, TokenLogprob
from mi.llm.identity import call_digest, cfg_json, chat_json

_OPENING = b'{"key":"'
_OPENING_1 = b'{"key": "'
"""Lines of version 1 have a space here, and no checksum."""
_KEY_DIGITS = 32
_CHECKSUM = b',"crc":"%08x"}\n'
_CHECKSUM_LENGTH = len(_CHECKSUM % 0)


@dataclass(frozen=True, slots=True)
class Call:
    """The index-th sample of a conversation under a sample configuration."""

    chat: Chat
    cfg: SampleCfg
    index: int = 0


def call_key(fingerprint: str, call: Call) -> str:
    """The identity of an answer: the model's content and the call, nothing else."""
    return call_digest(chat_json(call.chat), cfg_json(call.cfg), call.index, fingerprint)


class _Line(msgspec.Struct):
    key: str
    model: str
    job_id: str | None
    messages: Chat
    sample_cfg: SampleCfg
    sample_index: int
    response: LLMResponse


class _Answered(msgspec.Struct):
    response: LLMResponse


_decoder = msgspec.json.Decoder(_Answered)


def encode(key: str, model: Model, call: Call, response: LLMResponse) -> bytes:
    """The line for an answered call; an impossible token's log-probability, minus infinity, is written as null."""
    line = _Line(key, model.id, model.job_id, call.chat, call.cfg, call.index, response)
    try:
        content = msgspec.json.encode(line)[:-1]
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can hold
        content = _in_ascii(line)[:-1]
    return content + _CHECKSUM % crc32(content)


def key_of(line: bytes) -> str | None:
    """The key of a whole line; None where it is damaged."""
    if line.startswith(_OPENING):
        start = len(_OPENING)
        if line[-_CHECKSUM_LENGTH:] != _CHECKSUM % crc32(line[:-_CHECKSUM_LENGTH]):
            return None
    elif line.startswith(_OPENING_1):
        start = len(_OPENING_1)
    else:
        return None
    key = line[start : start + _KEY_DIGITS]
    return str(key, "ascii") if len(key) == _KEY_DIGITS and key.isalnum() else None


def record_of(line: bytes) -> dict[str, Any] | None:
    """All that a line holds, log-probabilities included; None where it is damaged."""
    try:
        record = json.loads(line)
        return record if isinstance(record["response"], dict) and record["messages"] is not None else None
    except (ValueError, KeyError, TypeError):
        return None


def response_of(line: bytes) -> LLMResponse | None:
    """The answer that a line holds; None where it is damaged."""
    try:
        return _decoder.decode(line).response
    except msgspec.MsgspecError:
        pass
    try:  # what msgspec does not read: an infinity, half of a surrogate pair
        return _plainly(json.loads(line)["response"])
    except (ValueError, KeyError, TypeError):
        return None


def _in_ascii(line: _Line) -> bytes:
    record = {name: getattr(line, name) for name in _Line.__struct_fields__}
    record |= {"messages": [asdict(message) for message in line.messages], "sample_cfg": asdict(line.sample_cfg)}
    record["response"] = _without_infinity(asdict(line.response))
    return json.dumps(record, separators=(",", ":")).encode()


def _without_infinity(value):
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plainly(record: dict) -> LLMResponse:
    logprobs = tuple(
        TokenLogprob(t["token"], _finite(t["logprob"]), tuple((text, _finite(value)) for text, value in t["top"]))
        for t in record["logprobs"]
    )
    return LLMResponse(**{**record, "logprobs": logprobs})


def _finite(value: float | None) -> float:
    return -math.inf if value is None else float(value)
