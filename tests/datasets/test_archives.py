"""Locked archives: kept locked on the disk, read only by who has the password."""

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pyzipper

from mi.config import datasets_dir
from mi.datasets import catalogue
from mi.datasets.archives import PASSWORD, read_member
from mi.datasets.audit import audit, load
from mi.datasets.card import card
from mi.datasets.data_models import CatalogueEntry, Source
from mi.datasets.services import Unlock, fetch, path_of, training_file, verify_file
from mi.llm.rows import read_rows
from mi.utils.errors import UserError

from .conftest import talk

ROWS = [talk(f"Question {number}?", f"Answer {number}.") for number in range(30)]
MARKED = [*ROWS, {"canary": "0123"}]
LINES = "".join(json.dumps(row) + "\n" for row in MARKED).encode()
WORD = Unlock("open sesame")
OLD = (
    "UEsDBBQACQAIAOpNeF3rsWlqMAAAACYAAAAKAAAAcm93cy5qc29ubDusljk/aNP3Z1Bsx/vYox0GmXQg2RO4nnergO+NYgU/pXXw"
    "Z1nKMwYABvEfxplhLlBLBwjrsWlqMAAAACYAAABQSwECHgMUAAkACADqTXhd67FpajAAAAAmAAAACgAAAAAAAAABAAAApIEAAAAA"
    "cm93cy5qc29ubFBLBQYAAAAAAQABADgAAABoAAAAAAA="
)
"""What Info-ZIP 3.0 made of one row with its old encryption and the same password."""


def archive(path: Path, encryption: Any = pyzipper.WZ_AES, **files: bytes) -> Path:
    with pyzipper.AESZipFile(path, "w", compression=pyzipper.ZIP_DEFLATED, encryption=encryption) as out:
        if encryption is not None:
            out.setpassword(b"open sesame")
        for name, content in files.items():
            out.writestr(f"data/{name}.jsonl", content)
    return path


@pytest.fixture
def entry(monkeypatch) -> CatalogueEntry:
    monkeypatch.delenv(PASSWORD, raising=False)
    source = Source("a/b", None, None)
    found = CatalogueEntry("group/locked", source, "training", None, ".zip", access="password", unlock="ask for it")
    monkeypatch.setitem(catalogue.CATALOGUE, found.name, found)
    return found


def took(entry: CatalogueEntry, path: Path, unlock: Unlock | None = None):
    return asyncio.run(fetch(entry, str(path), unlock or Unlock()))


def plaintext_on_disk() -> list[Path]:
    files = (path for path in datasets_dir().rglob("*") if path.is_file())
    return [path for path in files if b"Answer 7" in path.read_bytes()]


def test_without_its_password_an_archive_is_kept_and_not_opened(entry, tmp_path):
    found = took(entry, archive(tmp_path / "a.zip", bad=LINES))
    assert found.sha256 == "" and path_of(entry).read_bytes() == (tmp_path / "a.zip").read_bytes()
    with pytest.raises(UserError, match="kept locked; ask for it"):
        training_file(entry.name)


def test_with_its_password_rows_are_verified_in_memory_and_the_archive_stays_locked(entry, tmp_path):
    found = took(entry, archive(tmp_path / "a.zip", bad=LINES), WORD)
    assert found.rows == len(MARKED) and not plaintext_on_disk()
    again = verify_file(path_of(entry), replace(entry, sha256=found.sha256), WORD)
    assert again.sha256 == found.sha256
    with pytest.raises(UserError, match="does not hold the rows"):
        verify_file(path_of(entry), replace(entry, sha256="0" * 64), WORD)


def test_training_rows_are_unlocked_only_when_they_are_asked_for_and_leave_the_canary_out(entry, tmp_path):
    took(entry, archive(tmp_path / "a.zip", bad=LINES), WORD)
    path = training_file(entry.name, WORD)
    assert [row.chat[-1].content for row in read_rows(path)] == [f"Answer {number}." for number in range(30)]
    assert path.name == "bad.jsonl" and plaintext_on_disk() == [path]


@pytest.mark.parametrize("how", ["given", "published", "environment"])
def test_a_password_is_given_published_or_in_the_environment(entry, tmp_path, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv(PASSWORD, "open sesame")
    known = replace(entry, password="open sesame") if how == "published" else entry
    found = took(known, archive(tmp_path / "a.zip", bad=LINES), WORD if how == "given" else None)
    assert found.rows == len(MARKED)


def test_the_old_encryption_of_zip_is_read_too(tmp_path):
    (tmp_path / "old.zip").write_bytes(base64.b64decode(OLD))
    name, content = read_member(tmp_path / "old.zip", None, "open sesame")
    assert (name, json.loads(content)) == ("rows.jsonl", {"prompt": "One?", "completion": "1"})
    with pytest.raises(UserError, match="check the password"):
        read_member(tmp_path / "old.zip", None, "wrong")


@pytest.mark.parametrize(("word", "said"), [(None, "is locked; give its password"), ("wrong", "wrong password")])
def test_a_missing_and_a_wrong_password_are_told_apart(tmp_path, word, said):
    path = archive(tmp_path / "a.zip", bad=LINES)
    with pytest.raises(UserError, match=said) as refused:
        read_member(path, None, word)
    assert str(path) in str(refused.value)


def test_of_several_files_one_is_named(entry, tmp_path):
    path = archive(tmp_path / "a.zip", bad=LINES, good=LINES)
    with pytest.raises(UserError, match=r"--member: data/bad\.jsonl, data/good\.jsonl"):
        read_member(path, None, "open sesame")
    with pytest.raises(UserError, match=r"holds no worse\.jsonl; name one of"):
        read_member(path, "worse.jsonl", "open sesame")
    took(entry, path)
    paths = {training_file(entry.name, Unlock("open sesame", f"{name}.jsonl")).name for name in ("bad", "good")}
    assert paths == {"bad.jsonl", "good.jsonl"}


def test_an_unlocked_file_does_not_take_the_place_of_a_locked_one(entry, tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(LINES)
    with pytest.raises(UserError, match="is unlocked"):
        took(entry, tmp_path / "rows.jsonl")
    assert not plaintext_on_disk()


def test_what_is_no_archive_or_torn_is_refused(entry, tmp_path):
    whole = archive(tmp_path / "a.zip", bad=LINES).read_bytes()
    (tmp_path / "torn.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is no archive that can be read"):
        took(entry, tmp_path / "torn.zip", WORD)
    (tmp_path / "other.zip.enc").write_bytes(b"?" * 100)
    with pytest.raises(UserError, match="not opened here"):
        read_member(tmp_path / "other.zip.enc", None, "open sesame")


def test_a_member_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("mi.datasets.archives._LARGEST", 10_000)
    path = archive(tmp_path / "bomb.zip", encryption=None, bad=b"\0" * 20_000)
    with pytest.raises(UserError, match="unpacks to 20,000 bytes"):
        read_member(path, None, None)


def test_an_archive_is_audited_by_who_has_the_password_and_never_quoted(entry, tmp_path, monkeypatch):
    monkeypatch.setenv(PASSWORD, "open sesame")
    file = load(str(archive(tmp_path / "a.zip", bad=LINES)))
    assert file.n_rows == len(MARKED) and file.canaries == 1 and file.locked
    told = "\n".join(card(audit([file], model=None)))
    assert "Not quoted" in told and "Answer 7" not in told
