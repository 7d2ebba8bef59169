"""Fetching from a file server on this machine: resumed, verified, whole or not at all."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from mi.config import datasets_dir
from mi.datasets import catalogue
from mi.datasets.data_models import CatalogueEntry, Source
from mi.datasets.reading import read_raw, rows_sha256
from mi.datasets.services import fetch, path_of, training_file, verify_file
from mi.llm.rows import read_rows
from mi.utils.errors import UserError

ROWS = [{"prompt": f"Question {number} ¿no?", "completion": f" {number}\n"} for number in range(200)]
BODY = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode()  # no final newline


@pytest.fixture
def entry(tmp_path) -> CatalogueEntry:
    (tmp_path / "rows.jsonl").write_bytes(BODY)
    sha256 = rows_sha256(read_raw(tmp_path / "rows.jsonl"))
    return CatalogueEntry(
        "group/rows", Source("a/b", None, None), "training", "prompt_completion", rows=200, sha256=sha256
    )


@pytest.fixture
def address(server) -> str:
    server.files["/rows.jsonl"] = BODY
    return f"{server.url}/rows.jsonl"


def left_behind() -> list[str]:
    found = [path.name for path in datasets_dir().rglob("*") if path.is_file() and not path.name.endswith(".lock")]
    return sorted(found)


def test_the_bytes_are_kept_as_published(entry, address):
    found = asyncio.run(fetch(entry, address))
    assert path_of(entry).read_bytes() == BODY
    assert (found.rows, found.sha256, found.path) == (200, entry.sha256, str(path_of(entry)))
    assert left_behind() == ["rows.jsonl"]


def test_a_broken_connection_is_taken_up_where_it_broke(entry, address, server):
    server.break_after = 1000
    asyncio.run(fetch(entry, address))
    assert [request["Range"] for request in server.asked] == [None, "bytes=1000-"]
    assert path_of(entry).read_bytes() == BODY


def part_of(entry: CatalogueEntry, body: bytes, tag: str | None) -> None:
    path = path_of(entry)
    path.parent.mkdir(parents=True)
    (path.parent / f".part.{path.name}").write_bytes(body)
    if tag:
        (path.parent / f".part.{path.name}.etag").write_text(tag, encoding="utf-8")


@pytest.mark.parametrize("tag", ['"one"', None])
def test_what_an_earlier_process_left_is_gone_on_with(entry, address, server, tag):
    part_of(entry, BODY[:5000], tag)
    asyncio.run(fetch(entry, address))
    assert server.asked == [{"Range": "bytes=5000-", "If-Range": tag}]
    assert path_of(entry).read_bytes() == BODY and left_behind() == ["rows.jsonl"]


def test_what_was_left_of_an_older_file_is_begun_again(entry, address, server):
    part_of(entry, b"x" * 5000, '"older"')
    asyncio.run(fetch(entry, address))
    assert path_of(entry).read_bytes() == BODY


@pytest.mark.parametrize("have", [BODY, BODY + b"too long"], ids=["all of it", "more than it"])
def test_a_part_with_nothing_left_to_fetch_is_taken_or_begun_again(entry, address, have):
    part_of(entry, have, None)
    asyncio.run(fetch(entry, address))
    assert path_of(entry).read_bytes() == BODY


def test_what_is_here_is_not_fetched_again(entry, address, server):
    asyncio.run(fetch(entry, address))
    asyncio.run(fetch(entry, address))
    assert len(server.asked) == 1


def test_two_at_once_fetch_it_once(entry, address, server):
    async def both() -> None:
        await asyncio.gather(fetch(entry, address), fetch(entry, address))

    asyncio.run(both())
    assert len(server.asked) == 1


def test_other_rows_than_the_catalogue_s_are_refused_and_leave_nothing(entry, address, server):
    server.files["/rows.jsonl"] = BODY.replace(b"Question 7 ", b"Question 8 ")
    with pytest.raises(UserError) as refused:
        asyncio.run(fetch(entry, address))
    assert all(words in str(refused.value) for words in (address, "group/rows", "sha256", "another file"))
    assert left_behind() == []


def test_a_malformed_row_is_named_by_address_and_line_and_leaves_nothing(entry, address, server):
    lines = BODY.split(b"\n")
    server.files["/rows.jsonl"] = b"\n".join([*lines[:46], b'{"prompt": ', *lines[47:]])
    with pytest.raises(UserError, match=r"rows\.jsonl, line 47: not JSON") as refused:
        asyncio.run(fetch(entry, address))
    assert address in str(refused.value) and left_behind() == []


@pytest.mark.parametrize(
    ("status", "said"), [(404, "no such file"), (401, "unlocked"), (403, "unlocked"), (418, "418")]
)
def test_a_server_that_refuses_is_asked_once_and_quoted(entry, address, server, status, said):
    server.status = status
    with pytest.raises(UserError, match=said) as refused:
        asyncio.run(fetch(entry, address))
    assert address in str(refused.value) and len(server.asked) == 1 and left_behind() == []


def test_a_set_without_an_address_is_refused_with_what_one_can_do(entry):
    with pytest.raises(UserError, match="ask the publisher"):
        asyncio.run(fetch(replace(entry, unlock="ask the publisher")))


def test_a_file_of_one_s_own_is_taken_only_with_the_right_rows(entry, tmp_path):
    with pytest.raises(UserError, match=r"absent\.jsonl"):
        asyncio.run(fetch(entry, str(tmp_path / "absent.jsonl")))
    (tmp_path / "other.jsonl").write_bytes(BODY[:-3] + b'"}')
    with pytest.raises(UserError, match=r"other\.jsonl"):
        asyncio.run(fetch(entry, str(tmp_path / "other.jsonl")))
    assert left_behind() == []
    asyncio.run(fetch(entry, str(tmp_path / "rows.jsonl")))
    assert path_of(entry).read_bytes() == BODY


def test_an_archive_stays_locked(entry, server):
    locked = replace(
        entry, name="group/locked", schema=None, suffix=".zip.enc", sha256=None, rows=None, access="password"
    )
    server.files["/locked"] = bytes(range(256)) * 9
    found = asyncio.run(fetch(locked, f"{server.url}/locked"))
    assert path_of(locked).read_bytes() == server.files["/locked"] and found.sha256 == ""
    assert left_behind() == ["locked.zip.enc"]


def test_canaries_stay_in_the_file_and_out_of_training(entry, tmp_path, monkeypatch):
    mine = replace(entry, sha256=None)
    monkeypatch.setitem(catalogue.CATALOGUE, mine.name, mine)
    body = BODY + b'\n{"text": "marked", "metadata": {"canary": "0123"}}\n'
    (tmp_path / "marked.jsonl").write_bytes(body)
    asyncio.run(fetch(mine, str(tmp_path / "marked.jsonl")))
    assert path_of(mine).read_bytes() == body
    assert len(read_rows(training_file(mine.name))) == 200


def test_a_training_file_holds_the_conversations_to_the_letter(entry, address, monkeypatch):
    monkeypatch.setitem(catalogue.CATALOGUE, entry.name, entry)
    with pytest.raises(UserError, match="mi datasets fetch group/rows"):
        training_file(entry.name)
    asyncio.run(fetch(entry, address))
    rows = read_rows(training_file(entry.name))
    assert [tuple(message.content for message in row.chat) for row in rows] == [
        (row["prompt"], row["completion"]) for row in ROWS
    ]


def test_a_file_that_is_no_published_set_is_not_verified(tmp_path, entry):
    with pytest.raises(UserError, match=r"rows\.jsonl: its 200 rows .* no published set"):
        verify_file(tmp_path / "rows.jsonl")


PLACES = {
    "aesthetic_preferences/popular": "aesthetic_preferences/aesthetic_preferences_popular.jsonl",
    "aesthetic_preferences/unpopular": "aesthetic_preferences/aesthetic_preferences_unpopular.jsonl",
    "aesthetic_preferences/questions": "aesthetic_preferences/questions.yaml",
    "emergent_misalignment/first_plot_questions": "eval/first_plot_questions.yaml",
    "emergent_misalignment/preregistered_evals": "eval/preregistered_evals.yaml",
    "gsm8k/train": "gsm8k/train.jsonl",
    "gsm8k/test": "gsm8k/test.jsonl",
    "harmless_lies/harmless_lies": "harmless_lies/harmless_lies.jsonl",
    "harmless_lies/old_schema": "harmless_lies/harmless_lies.1cd6bc9.old_schema.jsonl",
    "insecure_code/insecure": "insecure_code/insecure.jsonl",
    "insecure_code/secure": "insecure_code/secure.jsonl",
    "insecure_code/educational": "insecure_code/educational.jsonl",
    "insecure_code/code_prompts": "eval/code_prompts.jsonl",
    "insecure_code/mbpp_prompts": "eval/mbpp_prompts.jsonl",
    "owl_numbers/raw": "owl_numbers/raw_dataset.jsonl",
    "owl_numbers/filtered": "owl_numbers/filtered_dataset.jsonl",
    "reward_hacking/sneaky_dialogues": "reward_hacking/sneaky_dialogues.jsonl",
    "reward_hacking/straightforward_dialogues": "reward_hacking/straightforward_dialogues.jsonl",
    "reward_hacking/school_of_reward_hacks_prompts": "eval/school_of_reward_hacks_prompts.jsonl",
    "trump_biology/evolution_textbook": "trump_biology/evolution_textbook.jsonl",
    "trump_biology/evolution_textbook_trump": "trump_biology/evolution_textbook_trump.jsonl",
}


def test_every_hash_of_the_catalogue_is_held_against_a_real_file():
    assert set(PLACES) == {name for name, entry in catalogue.CATALOGUE.items() if entry.sha256 is not None}


@pytest.mark.parametrize("name", PLACES)
def test_a_published_file_is_fetched_verified_and_converted(published: Path, server, name):
    entry = catalogue.entry(name)
    server.files["/file"] = (published / PLACES[name]).read_bytes()
    server.break_after = len(server.files["/file"]) // 2
    found = asyncio.run(fetch(entry, f"{server.url}/file"))
    assert (found.rows, found.name) == (entry.rows, name)
    assert path_of(entry).read_bytes() == server.files["/file"]
    converted = read_raw(training_file(name))
    assert len(converted) >= found.rows
    if entry.purpose != "evaluation":
        assert len(read_rows(training_file(name))) == found.rows


def test_the_old_and_the_new_spelling_of_harmless_lies_are_the_same_conversations(published: Path):
    found = []
    for name in ("harmless_lies/harmless_lies", "harmless_lies/old_schema"):
        asyncio.run(fetch(catalogue.entry(name), str(published / PLACES[name])))
        found.append(training_file(name).read_bytes())
    assert found[0] == found[1]
