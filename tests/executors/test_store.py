"""The shared store: things are whole or not there, damage is noticed, and a URL that is of no use is said to be."""

import zipfile
from pathlib import Path

import pytest

from mi.executors.store import Damaged, Store, files_under
from mi.utils.errors import UserError


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path) -> Store:
    return Store(str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}")


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "made" / "deep").mkdir(parents=True)
    (tmp_path / "made" / "a.txt").write_text("one")
    (tmp_path / "made" / "deep" / "b.bin").write_bytes(bytes(1000))
    return tmp_path / "made"


def test_what_was_pushed_is_fetched_with_its_folders(store, folder, tmp_path):
    assert not store.has("outputs/x")
    store.push("outputs/x", files_under(folder))
    assert store.has("outputs/x") and not store.has("outputs/y")
    store.fetch("outputs/x", tmp_path / "there")
    assert {name: path.read_bytes() for name, path in files_under(tmp_path / "there").items()} == {
        name: path.read_bytes() for name, path in files_under(folder).items()
    }


def test_what_is_there_is_not_pushed_again(store, folder, tmp_path):
    store.push("inputs/x", {"a.txt": folder / "a.txt"})
    store.push("inputs/x", files_under(folder))
    store.fetch("inputs/x", tmp_path / "there")
    assert set(files_under(tmp_path / "there")) == {"a.txt"}


def test_a_push_that_fails_leaves_nothing_under_the_name(tmp_path, folder, monkeypatch):
    store = Store(str(tmp_path / "store"))

    def torn(source, target):
        Path(target).write_bytes(Path(source).read_bytes()[:50])
        raise OSError("the line went dead")

    monkeypatch.setattr(store._fs, "put_file", torn)
    with pytest.raises(UserError, match=r"cannot be used \(the line went dead\)"):
        store.push("outputs/x", files_under(folder))
    assert not store.has("outputs/x") and not [*(tmp_path / "store").rglob("*.partial")]


@pytest.mark.parametrize("harm", ["cut short", "a byte changed"])
def test_a_damaged_thing_is_noticed_and_taken_out(tmp_path, folder, harm):
    store = Store(str(tmp_path / "store"))
    store.push("outputs/x", files_under(folder))
    path = tmp_path / "store" / "outputs" / "x.zip"
    content = bytearray(path.read_bytes())
    if harm == "cut short":
        content = content[:-30]
    else:
        with zipfile.ZipFile(path) as archive:
            content[archive.getinfo("deep/b.bin").header_offset + 200] ^= 1
    path.write_bytes(content)
    with pytest.raises(Damaged):
        store.fetch("outputs/x", tmp_path / "there")
    assert not store.has("outputs/x")


def test_a_note_is_read_back_and_a_torn_one_is_none(tmp_path):
    store = Store(str(tmp_path / "store"))
    assert store.noted("x") is None
    store.note("x", [[1, 0.5]])
    assert store.noted("x") == [[1, 0.5]]
    (tmp_path / "store" / "progress" / "x.json").write_text("[[1, 0.")
    assert store.noted("x") is None


def test_a_relative_folder_is_the_same_folder_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Store("here").url == str(tmp_path / "here")


def test_a_url_with_a_key_in_it_is_refused_and_not_repeated():
    with pytest.raises(UserError, match="holds credentials") as refused:
        Store("s3://name:hunter2@bucket/folder")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", ["gopher://x/y", "s4://bucket"])
def test_a_url_that_nothing_can_open_is_one_sentence(url):
    with pytest.raises(UserError, match=rf"^{url}: this store cannot be used .*; give --store"):
        Store(url)
