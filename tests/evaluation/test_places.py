"""A file that is loaded again is read where it has grown, and believed only where it still holds the same lines."""

import pytest

from mi.evaluation import places
from mi.evaluation.records import Call, encode
from mi.evaluation.store import scan
from mi.llm.data_models import LLMResponse, Model, SampleCfg, chat

JUDGE = Model("organism", "local")


def line(name: str, said: str) -> bytes:
    return encode(name * 32, JUDGE, Call(chat(name), SampleCfg(), 0), LLMResponse(said, "stop"))


def load(path, *names):
    found = {}
    places.load(path, [name * 32 for name in names], lambda key, response: found.update({key[0]: response}), scan)
    return {name: response.completion for name, response in found.items()}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "judge.jsonl"
    path.write_bytes(line("a", "YES") + line("b", "NO"))
    return path


def test_what_was_added_since_is_found_and_what_was_known_is_not_read_again(path, monkeypatch):
    assert load(path, "a", "c") == {"a": "YES"}
    seen = []
    with path.open("ab") as file:
        file.write(line("c", "NO"))
    monkeypatch.setattr("mi.evaluation.store.key_of", lambda read: seen.append(read) or read[8:40].decode())
    load(path, "a", "b", "c")
    assert seen == [line("c", "NO")]


def test_all_that_is_wanted_is_found_however_often_it_is_asked_for(path):
    for _ in range(3):
        assert load(path, "a", "b") == {"a": "YES", "b": "NO"}
    assert load(path, "b") == {"b": "NO"}


def test_a_line_that_was_damaged_since_is_not_taken_and_the_others_are(path):
    load(path, "a", "b")
    text = path.read_bytes()
    path.write_bytes(text.replace(b"YES", b"YEs"))
    assert load(path, "a", "b") == {"b": "NO"}


def test_another_file_in_its_place_is_read_from_its_beginning(path):
    load(path, "a", "b")
    other = path.with_name("other")
    other.write_bytes(line("b", "NO") + line("a", "NO") + line("c", "YES"))
    other.replace(path)
    assert load(path, "a", "b", "c") == {"a": "NO", "b": "NO", "c": "YES"}


def test_a_file_that_is_not_there_any_more_holds_nothing(path):
    load(path, "a")
    path.unlink()
    assert load(path, "a") == {}
