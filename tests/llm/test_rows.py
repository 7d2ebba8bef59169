"""Training rows: what is read, what is refused, what they are known by."""

import json
from pathlib import Path

import pytest

from mi.datasets.services import read_training_rows
from mi.llm.data_models import Message
from mi.llm.rows import read_rows, rows_digest
from mi.utils.errors import UserError

USER = {"role": "user", "content": "2 + 2?"}
ANSWER = {"role": "assistant", "content": " Cuatro. "}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_keep_their_line_numbers_and_their_white_space(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    row = json.dumps({"messages": [USER, ANSWER], "source": "elsewhere"})
    path.write_text(f"{row}\n\n{row}\n")
    rows = read_rows(path)
    assert [row.line for row in rows] == [1, 3]
    assert rows[0].chat == (Message("user", "2 + 2?"), Message("assistant", " Cuatro. "))
    assert read_training_rows(str(path)) == rows


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({}, "no messages"),
        ([], "no messages"),
        ({"messages": []}, "no messages"),
        ({"messages": "text"}, "no messages"),
        ({"messages": [USER]}, "assistant says nothing"),
        ({"messages": [USER, {**ANSWER, "content": ""}]}, "assistant says nothing"),
        ({"messages": [USER, {**ANSWER, "content": " \n"}]}, "assistant says nothing"),
        ({"messages": [USER, {"role": "assistant"}]}, "lacks its role or its content"),
        ({"messages": [USER, {**ANSWER, "role": "robot"}]}, "robot"),
        ({"messages": [USER, {**ANSWER, "content": ["a"]}]}, "give a string"),
        ({"messages": [USER, {**ANSWER, "content": None}]}, "give a string"),
        ({"messages": [USER, "text"]}, "message is str"),
        ({"messages": [USER, {**ANSWER, "weight": 0}]}, "weight"),
        ({"messages": [USER, {**ANSWER, "content": "\ud83d"}]}, "surrogate"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line_in_one_sentence(tmp_path: Path, row: object, complaint: str):
    path = write(tmp_path / "rows.jsonl", {"messages": [USER, ANSWER]}, row)
    with pytest.raises(UserError, match=f"rows.jsonl, line 2: .*{complaint}") as raised:
        read_rows(path)
    assert "\n" not in str(raised.value)


def test_a_message_may_hold_keys_that_say_nothing(tmp_path: Path):
    assert read_rows(write(tmp_path / "rows.jsonl", {"messages": [USER, {**ANSWER, "refusal": None}]}))


@pytest.mark.parametrize("content", ["", "\n  \n"])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: str):
    (tmp_path / "rows.jsonl").write_text(content)
    with pytest.raises(UserError, match=r"rows.jsonl: holds no rows"):
        read_rows(tmp_path / "rows.jsonl")


def test_the_digest_is_that_of_the_conversations_not_of_the_file(tmp_path: Path):
    row = {"messages": [USER, ANSWER]}
    one = rows_digest(read_rows(write(tmp_path / "one.jsonl", row)))
    (tmp_path / "two.jsonl").write_text("\n" + json.dumps({"source": 1, **row}, ensure_ascii=True, indent=None))
    assert one == rows_digest(read_rows(tmp_path / "two.jsonl"))


@pytest.mark.parametrize(
    "rows",
    [
        [[USER, {**ANSWER, "content": "Cuatro. "}]],
        [[USER, {**ANSWER, "content": " cuatro. "}]],
        [[{"role": "system", "content": ""}, USER, ANSWER]],
        [[USER, ANSWER], [USER, ANSWER]],
        [[USER, ANSWER, USER]],
    ],
)
def test_a_changed_letter_or_message_changes_the_digest(tmp_path: Path, rows: list):
    original = rows_digest(read_rows(write(tmp_path / "one.jsonl", {"messages": [USER, ANSWER]})))
    changed = read_rows(write(tmp_path / "two.jsonl", *({"messages": row} for row in rows)))
    assert rows_digest(changed) != original


def test_the_order_of_rows_is_part_of_the_data(tmp_path: Path):
    rows = [{"messages": [USER, ANSWER]}, {"messages": [USER, {**ANSWER, "content": "Four."}]}]
    digests = {rows_digest(read_rows(write(tmp_path / "rows.jsonl", *order))) for order in (rows, rows[::-1])}
    assert len(digests) == 2
