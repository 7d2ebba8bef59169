"""JSON Lines: one object a line, read with the line's number, written whole or not at all."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mi.utils.errors import UserError
from mi.utils.files import whole_file


def iterate_jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (line number from 1, parsed value); empty lines are passed over.

    Raises UserError that names the file and the line where a line is not JSON or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            yield from parse_jsonl(file, str(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a JSONL file.") from error


def parse_jsonl(lines: Iterable[bytes], where: str) -> Iterator[tuple[int, Any]]:
    """As `iterate_jsonl`, from lines that are here already; `where` names them in errors."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _parse(where, number, line)


def read_jsonl(path: Path) -> list[Any]:
    """All values of a file, in order; see `iterate_jsonl` for errors."""
    return [value for _, value in iterate_jsonl(path)]


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """Write one compact JSON object a line, whole or not at all; characters are kept, not escaped."""
    with whole_file(path) as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_jsonl_if_changed(path: Path, rows: Iterable[Any]) -> None:
    """As `write_jsonl`, but a file that holds these very rows already is left untouched."""
    fresh = list(rows)
    if not path.exists() or read_jsonl(path) != fresh:
        write_jsonl(path, fresh)


def _parse(where: str, number: int, line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8"))
    except ValueError as error:
        raise UserError(f"{where}, line {number}: not JSON ({error}); write one JSON object a line.") from error
