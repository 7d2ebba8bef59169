"""Reading published files as they are: JSONL, JSON, YAML and Parquet, each row with its place."""

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mi.datasets.data_models import RawRow
from mi.utils.errors import UserError
from mi.utils.hashing import canonical_json
from mi.utils.jsonl import parse_jsonl

READABLE = (".jsonl", ".json", ".yaml", ".yml", ".parquet")


def read_raw(path: Path) -> list[RawRow]:
    """All rows of a file as published, nothing converted or left out.

    Raises UserError as `read_content` does, for what cannot be parsed, naming the line, and for a file without rows.
    """
    return parse_raw(read_content(path), path.suffix, str(path))


def read_content(path: Path) -> bytes:
    """The bytes of a file of rows. Raises UserError for one that is not there or of no kind in `READABLE`."""
    if path.suffix not in READABLE:
        kinds = ", ".join(READABLE)
        raise UserError(f"{path}: rows are read from {kinds}; unpack or rename the file, or see `mi datasets show`.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a file.") from error


def parse_raw(content: bytes, suffix: str, where: str) -> list[RawRow]:
    """As `read_raw`, from bytes and the suffix that says what they are; `where` names them in errors."""
    if suffix == ".jsonl":
        rows = [RawRow(line, value) for line, value in parse_jsonl(io.BytesIO(content), where)]
    else:
        rows = [RawRow(number, value) for number, value in enumerate(_items(content, suffix, where), start=1)]
    if not rows:
        raise UserError(f"{where}: holds no rows; fetch it again or give another file.")
    return rows


def rows_sha256(rows: Iterable[RawRow]) -> str:
    """The identity of published rows: 64 hexadecimal digits of SHA-256 over their canonical JSON, in their order.

    The same rows, ASCII-escaped or not, with or without a final newline, have one identity; a changed letter another.
    """
    values = [row.value for row in rows]
    return hashlib.sha256(canonical_json(values).encode("utf-8", "surrogatepass")).hexdigest()


def _items(content: bytes, suffix: str, where: str) -> Sequence[Any]:
    try:
        data = _PARSERS[suffix](content, where)
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8.") from error
    if not isinstance(data, list):
        raise UserError(f"{where}: holds {type(data).__name__}, not a list of rows; write a list of objects.")
    return data


def _parse_json(content: bytes, where: str) -> Any:
    try:
        return json.loads(content.decode("utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{where}, line {error.lineno}: not JSON ({error.msg}); write a list of objects.") from error


def _parse_yaml(content: bytes, where: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(content.decode("utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "malformed"
        raise UserError(f"{where}{line}: not YAML ({problem}); write a list of objects.") from error


def _parse_parquet(content: bytes, where: str) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.read_table(pyarrow.BufferReader(content)).to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise UserError(f"{where}: not Parquet ({error}); fetch it again.") from error


_PARSERS = {".json": _parse_json, ".yaml": _parse_yaml, ".yml": _parse_yaml, ".parquet": _parse_parquet}
