"""Locked archives: kept locked on the disk, read only by who has the password."""

import asyncio
import base64
import hashlib
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
WHOLE = {
    ".zip.enc": (
        "U24PQa8lQQb5kTkhx+bhM2dBQUFBQUJyQlg3Rm8zUEFJRXVIVml5bkRvSDhkd3ZySE54VFN4VUZSSTNXdEpPS08ycGs3TkJBMTJh"
        "ZnU5dkpZV0FtaFpPczI1ZDEtTHNaQTcxZU9mb3I2UDBjRUdtMkxqdU5iM2wxUU9pS25laGFTRVB2VFlQa0VwMF9sR2M3Q1p3ZzMx"
        "NGp2Ym9Tal9Ub3ZTaWVTTFdsMWU4OFRMQWpXbGp2N2tkM052cjFJMVYweFZKTmw1WXgtVDR0eUhSbldRUVF6bUVpeEZXN1RtcUF5"
        "SUI3U3lzVmJsOE5KVW9LWU9aU1o5YUFaVDZBMGctdlpVUEk4TlkwMnZlNXd5OTBpQXlmYkxzR0lUYkxYNmZLNWlJWHdiaE1lTG1z"
        "dDJYR0dRPT0="
    ),
    ".zip.age": (
        "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCAwd3JabjlvZ1JSbG1yb09EYXQwR1h3IDEwCnk5YUgxYkJPWDhyci9pOEFa"
        "TG1IeDBLY1dsblpZUldLM09MNTJlbHhWRlEKLS0tIGg2eHlKNFhPczJKVXdrZWQ1S3ZIRlRHNFFZdW9nNFpML21CYWlObGpocmMK"
        "gmHGe1IwmRokcz76LdQqvtlst1py5o8AoXVTKkq/UYBaCgapb3zvmBev7PfaMHeIewsvuM+vTTkNQwMpPhRtGNcM9On7wZsIOeu4"
        "2338QS/1VfC2Yvrz/wQCY3q3aIlh4sYVlb7mhd8HWdu5hPB8a+pWqXbY39kYNnN/QIqoff6v3YcwpjTjwu/wMrqw9Fj/h+MgnLi0"
        "VWuUj/KH1mnHSwtXM+NcuVhzVAlfpBe4Njpj3Ge81hMBLtgt"
    ),
}
"""A ZIP of that row, rows.jsonl, locked as a whole with the same password: by easy-dataset-share 0.5.0, and as the
specification of age v1 says, with a work factor (2^10) that costs a test nothing."""


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
    (tmp_path / "other.7z").write_bytes(b"?" * 100)
    with pytest.raises(UserError, match="not opened here"):
        read_member(tmp_path / "other.7z", None, "open sesame")


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


def whole(folder: Path, kind: str) -> Path:
    path = folder / f"all{kind}"
    path.write_bytes(base64.b64decode(WHOLE[kind]))
    return path


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_that_is_locked_as_a_whole_is_opened_in_memory(kind, tmp_path):
    name, content = read_member(whole(tmp_path, kind), None, "open sesame")
    assert (name, json.loads(content)) == ("rows.jsonl", {"prompt": "One?", "completion": "1"})
    assert [path.name for path in tmp_path.iterdir()] == [f"all{kind}"]


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize(("word", "said"), [(None, "is locked; give its password"), ("wrong", "check the password")])
def test_what_is_locked_as_a_whole_names_no_file_without_its_password(kind, word, said, tmp_path):
    path = whole(tmp_path, kind)
    with pytest.raises(UserError, match=said) as refused:
        read_member(path, "rows.jsonl", word)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_torn_file_that_was_locked_as_a_whole_is_refused(kind, tmp_path):
    path = whole(tmp_path, kind)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="fetch it again"):
        read_member(path, None, "open sesame")


def test_rows_that_are_locked_without_an_archive_around_them_are_read(tmp_path):
    from cryptography.fernet import Fernet

    key = hashlib.pbkdf2_hmac("sha256", b"open sesame", b"0" * 16, 100_000)
    (tmp_path / "bad.jsonl.enc").write_bytes(b"0" * 16 + Fernet(base64.urlsafe_b64encode(key)).encrypt(LINES))
    assert read_member(tmp_path / "bad.jsonl.enc", None, "open sesame") == ("bad.jsonl", LINES)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_locked_set_is_fetched_verified_and_unlocked_by_one_who_has_its_password(kind, monkeypatch, server, entry):
    locked = replace(entry, source=Source("a/b", None, f"all{kind}"), suffix=kind)
    monkeypatch.setitem(catalogue.CATALOGUE, locked.name, locked)
    server.files["/all"] = base64.b64decode(WHOLE[kind])
    kept = asyncio.run(fetch(locked, f"{server.url}/all"))
    assert kept.sha256 == "" and path_of(locked).read_bytes() == server.files["/all"]
    with pytest.raises(UserError, match="kept locked; ask for it"):
        training_file(locked.name)
    assert verify_file(path_of(locked), locked, WORD).rows == 1
    (row,) = read_rows(training_file(locked.name, WORD))
    assert [message.content for message in row.chat] == ["One?", "1"]
    assert path_of(locked).read_bytes() == server.files["/all"], "the archive stays locked"


def test_another_kind_of_archive_does_not_take_the_place_of_a_locked_set(entry, tmp_path):
    with pytest.raises(UserError, match=r"is published as \.zip; give that archive as it is"):
        took(entry, whole(tmp_path, ".zip.age"), WORD)
