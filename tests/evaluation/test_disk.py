"""A disk that becomes full, a store of another version, a file that others change: one clear sentence, nothing lost."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from mi.evaluation import reserve as reserve_module
from mi.evaluation import store as store_module
from mi.evaluation.calls import ask, recall
from mi.evaluation.reserve import Reserve
from mi.evaluation.store import Call, Shelf, exclusively, store_dir, store_path
from mi.llm.data_models import LLMResponse, Model, SampleCfg, chat
from mi.utils.errors import UserError

MODEL = Model("a", "local")
CALLS = [Call(chat(f"q{number}"), SampleCfg()) for number in range(600)]


class Disk:
    """A disk with room for so many bytes in the store, beside what the reserve holds until it is released."""

    def __init__(self, room: int, monkeypatch: pytest.MonkeyPatch, reserved: int = 1 << 20) -> None:
        self.room, self._reserved, self._write, self._release = room, reserved, os.write, Reserve.release
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(Reserve, "release", lambda reserve: self.release(reserve))

    def release(self, reserve: Reserve) -> None:
        if reserve._file is not None:
            self.room, self._reserved = self.room + self._reserved, 0
        self._release(reserve)

    def write(self, file: int, content: bytes) -> int:
        if os.readlink(f"/proc/self/fd/{file}").endswith(".jsonl"):
            if self.room <= 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            content = content[: self.room]
            self.room -= len(content)
        return self._write(file, content)


def test_a_disk_that_becomes_full_ends_the_run_in_a_sentence_and_loses_nothing(backend, monkeypatch):
    with monkeypatch.context() as patch:
        Disk(3000, patch)
        with pytest.raises(UserError, match=r"jsonl: cannot be written \(No space left on device\); make room"):
            asyncio.run(ask("answers", MODEL, CALLS + [Call(chat(f"r{n}"), SampleCfg()) for n in range(5000)]))
    n_asked = len(backend.asked)
    kept = [answer for answer in recall("answers", MODEL, CALLS) if answer is not None]
    assert 0 < n_asked < 5000 and len(kept) == len(CALLS)
    assert store_path("answers", backend.fingerprint(MODEL)).read_bytes().count(b"\n") == n_asked
    assert store_path("answers", backend.fingerprint(MODEL)).read_bytes().endswith(b"}\n")


def test_where_even_the_reserve_is_full_no_half_line_is_left_and_asking_stops(backend, monkeypatch):
    with monkeypatch.context() as patch:
        Disk(2000, patch, reserved=1000)
        with pytest.raises(UserError, match="make room"):
            asyncio.run(ask("answers", MODEL, CALLS))
    content = store_path("answers", backend.fingerprint(MODEL)).read_bytes()
    assert content.endswith(b"}\n") and 2000 < len(content) <= 3000
    assert len(backend.asked) - content.count(b"\n") <= 10  # those under way in the batches that failed


def test_a_disk_without_room_is_named_before_anything_is_asked(backend, monkeypatch):
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reserve_module.os, "posix_fallocate", refuse)
    with pytest.raises(UserError, match="has no room for answers"):
        asyncio.run(ask("answers", MODEL, CALLS[:2]))
    assert not backend.asked


def test_a_store_of_a_version_to_come_is_told_in_a_sentence(backend):
    asyncio.run(ask("answers", MODEL, CALLS[:1]))
    (store_dir() / "VERSION").write_text("3\n")
    for verb in (lambda: recall("answers", MODEL, CALLS[:1]), lambda: asyncio.run(ask("answers", MODEL, CALLS[:2]))):
        with pytest.raises(UserError, match=r"VERSION: the store is of version '3', and this mi reads 1 to 2"):
            verb()
    assert len(backend.asked) == 1


VERSION_1 = (
    '{"key": "%s", "messages": [{"role": "user", "content": "q0"}], "sample_cfg": {"temperature": 1.0}, '
    '"sample_index": 0, "response": {"completion": "old", "stop_reason": "stop", "logprobs": [{"token": "a", '
    '"logprob": -0.5, "top": [["a", -0.5], ["b", -Infinity]]}], "n_prompt_tokens": 1, "n_completion_tokens": 1}}\n'
)


def test_a_store_of_version_one_is_read_and_goes_on_in_this_version(backend):
    path = store_path("answers", backend.fingerprint(MODEL))
    path.parent.mkdir(parents=True)
    path.write_text(VERSION_1 % store_module.call_key(backend.fingerprint(MODEL), CALLS[0]))
    old, new = asyncio.run(ask("answers", MODEL, CALLS[:2]))
    assert (old.completion, old.logprobs[0].top[1]) == ("old", ("b", float("-inf")))
    assert len(backend.asked) == 1
    assert recall("answers", MODEL, CALLS[:2]) == [old, new]
    assert (store_dir() / "VERSION").read_text() == "2\n"


def test_a_file_in_use_can_neither_be_replaced_nor_removed(backend):
    async def use() -> None:
        reserve = Reserve(store_dir())
        shelf = Shelf("answers", "f" * 32, MODEL, reserve)
        shelf.append("k" * 32, CALLS[0], LLMResponse("a"))
        with pytest.raises(UserError, match=f"process {os.getpid()} is using it"), exclusively("answers", "f" * 32):
            pass
        await shelf.close()
        reserve.release()
        with exclusively("answers", "f" * 32):
            store_path("answers", "f" * 32).unlink()

    asyncio.run(use())


def test_a_file_that_was_removed_meanwhile_is_made_anew(backend):
    asyncio.run(ask("answers", MODEL, CALLS[:1]))
    store_path("answers", backend.fingerprint(MODEL)).unlink()
    asyncio.run(ask("answers", MODEL, CALLS[:1]))
    assert len(backend.asked) == 2


def test_a_file_is_closed_with_nothing_beside_it(backend):
    asyncio.run(ask("answers", MODEL, CALLS[:3]))
    folder: Path = store_dir()
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == [
        "VERSION", "answers", f"answers/{backend.fingerprint(MODEL)}.jsonl",
    ]  # fmt: skip


def test_a_store_is_read_by_pandas_in_one_line(backend):
    import pandas as pd

    asyncio.run(ask("answers", MODEL, CALLS[:3]))
    table = pd.read_json(store_path("answers", backend.fingerprint(MODEL)), lines=True)
    assert [response["completion"][:4] for response in table["response"]] == ["a: q"] * 3
    assert set(table["model"]) == {"a"}
