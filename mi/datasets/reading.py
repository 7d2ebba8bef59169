"""Reading published files as they are: JSONL, JSON, YAML and Parquet, each row with its place."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mi.datasets.data_models import RawRow
from mi.utils.errors import UserError
from mi.utils.hashing import canonical_json
from mi.utils.jsonl import iterate_jsonl

READABLE = (".jsonl", ".json", ".yaml", ".yml", ".parquet")


def read_raw(path: Path) -> list[RawRow]:
    """All rows of a file as published, nothing converted or left out.

    Raises UserError, naming the file and the line, for what cannot be read or parsed, for a kind of file that is not in
    `READABLE`, and for a file without rows.
    """
    if path.suffix not in READABLE:
        kinds = ", ".join(READABLE)
        raise UserError(f"{path}: rows are read from {kinds}; unpack or rename the file, or see `mi datasets show`.")
    if path.suffix == ".jsonl":
        rows = [RawRow(line, value) for line, value in iterate_jsonl(path)]
    else:
        rows = [RawRow(number, value) for number, value in enumerate(_items(path), start=1)]
    if not rows:
        raise UserError(f"{path}: holds no rows; fetch it again or give another file.")
    return rows


def rows_sha256(rows: Iterable[RawRow]) -> str:
    """The identity of published rows: 64 hexadecimal digits of SHA-256 over their canonical JSON, in their order.

    The same rows, ASCII-escaped or not, with or without a final newline, have one identity; a changed letter another.
    """
    values = [row.value for row in rows]
    return hashlib.sha256(canonical_json(values).encode("utf-8", "surrogatepass")).hexdigest()


def _items(path: Path) -> Sequence[Any]:
    try:
        data = _PARSERS[path.suffix](path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a file.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8.") from error
    if not isinstance(data, list):
        raise UserError(f"{path}: holds {type(data).__name__}, not a list of rows; write a list of objects.")
    return data


def _parse_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: not JSON ({error.msg}); write a list of objects.") from error


def _parse_yaml(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "malformed"
        raise UserError(f"{path}{where}: not YAML ({problem}); write a list of objects.") from error


def _parse_parquet(path: Path) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.read_table(path).to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise UserError(f"{path}: not Parquet ({error}); fetch it again.") from error


_PARSERS = {".json": _parse_json, ".yaml": _parse_yaml, ".yml": _parse_yaml, ".parquet": _parse_parquet}
