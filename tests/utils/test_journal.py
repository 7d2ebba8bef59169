"""A journal keeps what it was told, whatever happens next."""

import asyncio

import pytest

from mi.utils.errors import UserError
from mi.utils.journal import open_journal, read_journal


def append(path, **records) -> None:
    async def write() -> None:
        async with open_journal(path) as journal:
            journal.append({key: {"value": value} for key, value in records.items()})

    asyncio.run(write())


def values(path) -> dict:
    return {key: record["value"] for key, record in read_journal(path).items()}


def test_records_are_read_back_to_the_letter(tmp_path):
    append(tmp_path / "a" / "journal.jsonl", one="é\u2028\ud800", two=None)
    assert values(tmp_path / "a" / "journal.jsonl") == {"one": "é\u2028\ud800", "two": None}
    assert read_journal(tmp_path / "absent.jsonl") == {}


def test_a_torn_last_line_is_dropped_and_written_over(tmp_path):
    path = tmp_path / "journal.jsonl"
    append(path, one=1)
    with path.open("ab") as file:
        file.write(b'{"key": "two", "val')
    assert values(path) == {"one": 1}
    append(path, three=3)
    assert values(path) == {"one": 1, "three": 3} and path.read_bytes().count(b"\n") == 2


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"key": "one"}\n["no record"]\n')
    with pytest.raises(UserError, match=r"journal\.jsonl, line 2"):
        read_journal(path)


def test_two_tasks_hold_it_one_after_the_other(tmp_path):
    path = tmp_path / "journal.jsonl"

    async def add(name: str) -> int:
        async with open_journal(path) as journal:
            await asyncio.sleep(0)
            journal.append({name: {}})
            return len(journal.known)

    async def both() -> list[int]:
        return list(await asyncio.gather(add("one"), add("two")))

    assert sorted(asyncio.run(both())) == [1, 2]
