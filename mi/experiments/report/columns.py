"""The answers as a block of bytes that a browser unpacks in moments: columns, dictionary-encoded and compressed.

Layout before compression: the length of the header (4 bytes, little-endian), the header (JSON, UTF-8), zeros up to a
multiple of 4, then the columns one after another, each at a multiple of 4. The header names each column's kind
("u1", "u2", "u4": codes into a dictionary, or whole numbers; "f4": numbers, NaN for a missing one), its place and its
length, and holds the dictionaries, in which null is a value of its own and not an empty text.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

CODED = (
    "setting", "condition", "arm", "evaluation", "distribution", "question", "system_prompt", "answer", "stop_reason",
    "model", "job_id",
)  # fmt: skip
_ALIGNMENT = 4


def pack(answers: pd.DataFrame, raw_verdicts: Mapping[str, Sequence[str | None]], about: Mapping[str, Any]) -> str:
    """The answers with what judges said of them, and `about` (any JSON), as base64 of gzip of the layout above."""
    import numpy as np

    arrays: dict[str, np.ndarray] = {}
    dictionaries: dict[str, list[str | None]] = {}
    for name in CODED:
        arrays[name], dictionaries[name] = encode(answers[name].tolist())
    for name, said in raw_verdicts.items():
        arrays[f"raw:{name}"], dictionaries[f"raw:{name}"] = encode(said)
    arrays["seed"], dictionaries["seed"] = encode([str(seed) for seed in answers["seed"]])
    arrays["sample_index"] = _whole(answers["sample_index"].to_numpy(dtype="uint32"))
    arrays["refused"] = answers["refused"].to_numpy(dtype="uint8")
    traits = {kind: _names(answers, kind) for kind in ("scores", "judgments")}
    for kind, names in traits.items():
        for name in names:
            values = [(row or {}).get(name) for row in answers[kind]]
            arrays[f"{kind}:{name}"] = np.array([np.nan if v is None else v for v in values], dtype="float32")
    header = {"n": len(answers), "dictionaries": dictionaries, **traits, "about": about}
    return base64.b64encode(gzip.compress(_laid_out(header, arrays), 6, mtime=0)).decode("ascii")


def encode(values: Sequence[Any]) -> tuple[np.ndarray, list[str | None]]:
    """(codes, dictionary in order of first appearance); a missing value (None, NaN) is null."""
    import numpy as np

    codes: dict[str | None, int] = {}
    column = [codes.setdefault(value if isinstance(value, str) else None, len(codes)) for value in values]
    return _whole(np.array(column, dtype="uint32")), list(codes)


def _names(answers: pd.DataFrame, kind: str) -> list[str]:
    """The keys that a column of mappings has anywhere, in order of first appearance."""
    if kind not in answers:
        return []
    return list(dict.fromkeys(name for row in answers[kind] if row for name in row))


def _whole(values: np.ndarray) -> np.ndarray:
    """The same numbers in as few bytes as they need."""
    largest = int(values.max()) if len(values) else 0
    return values.astype("uint8" if largest < 1 << 8 else "uint16" if largest < 1 << 16 else "uint32")


def _laid_out(header: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    kinds = {"uint8": "u1", "uint16": "u2", "uint32": "u4", "float32": "f4"}
    body, places = bytearray(), {}
    for name, values in arrays.items():
        places[name] = [kinds[str(values.dtype)], len(body), len(values)]
        body += values.astype(values.dtype.newbyteorder("<")).tobytes()
        body += bytes(-len(body) % _ALIGNMENT)
    # A lone half of a character, which a damaged model may emit, is no UTF-8: it goes as JSON's own escape.
    text = json.dumps(header | {"columns": places}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    encoded = text.encode("utf-8", "backslashreplace")
    head = len(encoded).to_bytes(4, "little") + encoded
    return head + bytes(-len(head) % _ALIGNMENT) + bytes(body)
