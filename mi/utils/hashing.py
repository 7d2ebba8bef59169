"""Names made of content: 128-bit digests of canonical JSON."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def canonical_json(value: Any) -> str:
    """`value` as JSON with sorted keys and no spaces; dataclasses become objects, tuples become lists, 1.0 becomes 1.

    Raises TypeError for anything that JSON cannot hold (a key that is no string, too), so that no `repr` with an
    address enters an identity, and ValueError for a number that is not finite.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """32 hexadecimal digits (128 bits of SHA-256) over the canonical JSON of `value`."""
    return text_digest(canonical_json(value))


def text_digest(text: str) -> str:
    """32 hexadecimal digits (128 bits of SHA-256) over a text, which may hold half of a surrogate pair."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def file_digest(path: Path) -> str:
    """32 hexadecimal digits (128 bits of SHA-256) over the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"an object's keys are strings, but these are {list(value)!r}")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
