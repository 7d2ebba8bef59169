"""One object a line."""

from pathlib import Path

import pytest

from mi.utils.errors import UserError
from mi.utils.jsonl import iterate_jsonl, read_jsonl, write_jsonl


def test_what_is_written_is_read_back_to_the_letter(tmp_path: Path):
    rows = [{"a": " ¿Qué?\u2028\n"}, [1.5, None], "text", {"a": ""}]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert read_jsonl(tmp_path / "rows.jsonl") == rows


def test_lines_are_counted_from_one_and_empty_ones_are_counted_too(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\n{"a": 1}\r\n   \n{"a": 2}')
    assert list(iterate_jsonl(path)) == [(2, {"a": 1}), (4, {"a": 2})]


@pytest.mark.parametrize("line", [b"{", b"nothing", b'"\xff"'])
def test_a_line_that_is_not_json_is_named(tmp_path: Path, line: bytes):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"1\n" + line + b"\n")
    with pytest.raises(UserError, match=r"rows.jsonl, line 2: not JSON"):
        read_jsonl(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"absent\.jsonl"):
        read_jsonl(tmp_path / "absent.jsonl")


def test_a_row_that_cannot_be_written_leaves_no_file(tmp_path: Path):
    with pytest.raises(TypeError):
        write_jsonl(tmp_path / "rows.jsonl", [1, object()])
    assert not list(tmp_path.glob("*rows*"))
