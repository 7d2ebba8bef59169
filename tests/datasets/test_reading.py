"""Published files as they are, and the identity of their rows."""

import json

import pytest

from mi.datasets.reading import read_raw, rows_sha256
from mi.utils.errors import UserError

ROWS = [{"prompt": "¿Qué?\u2028", "completion": " 1\n"}, {"prompt": "b", "completion": ""}]


def test_one_content_has_one_identity_however_it_is_spelled(tmp_path):
    spellings = {
        "plain.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS),
        "escaped.jsonl": "\n\n".join(json.dumps(row, ensure_ascii=True, sort_keys=True) for row in ROWS),
        "list.json": json.dumps(ROWS, indent=2),
        "list.yaml": json.dumps(ROWS),
    }
    for name, text in spellings.items():
        (tmp_path / name).write_bytes(text.encode())
    assert len({rows_sha256(read_raw(tmp_path / name)) for name in spellings}) == 1


@pytest.mark.parametrize("change", ["Qué", "order", "space"])
def test_a_changed_letter_a_changed_order_or_a_lost_space_is_another_identity(tmp_path, change):
    others = {"Qué": [{**ROWS[0], "prompt": "¿Que?"}, ROWS[1]], "order": ROWS[::-1]}
    others["space"] = [{**ROWS[0], "completion": "1"}, ROWS[1]]
    for name, rows in (("a.json", ROWS), ("b.json", others[change])):
        (tmp_path / name).write_text(json.dumps(rows), encoding="utf-8")
    assert rows_sha256(read_raw(tmp_path / "a.json")) != rows_sha256(read_raw(tmp_path / "b.json"))


def test_rows_of_parquet_are_read(tmp_path):
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    assert [row.value for row in read_raw(tmp_path / "rows.parquet")] == ROWS


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "a.jsonl, line 2: not JSON"),
        ("a.json", b'[{"a": 1},\n{]', "a.json, line 2: not JSON"),
        ("a.json", b'{"a": 1}', "not a list"),
        ("a.yaml", b"- a: 1\n- b: [\n", "a.yaml, line"),
        ("a.yaml", b"- \xff\xff", "a.yaml"),
        ("a.parquet", b"PAR1 and nothing else", "not Parquet"),
        ("a.jsonl", b"\n", "no rows"),
        ("a.zip", b"PK", "unpack"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_place(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as refused:
        read_raw(tmp_path / name)
    assert str(tmp_path / name) in str(refused.value) and said in str(refused.value)


@pytest.mark.parametrize("name", ["absent.jsonl", "absent.json", "absent.yaml", "absent.parquet"])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(UserError, match=name):
        read_raw(tmp_path / name)
