"""Answers on disk: kept per call, read back, and safe from a crash at any byte."""

import asyncio
import math
from dataclasses import replace
from pathlib import Path

import pytest

from mi.evaluation.budget import Budget
from mi.evaluation.calls import Desk, ask, recall
from mi.evaluation.reserve import Reserve
from mi.evaluation.store import Call, Shelf, call_key, read_store, store_dir, store_path
from mi.llm.data_models import LLMResponse, Model, SampleCfg, TokenLogprob, chat
from mi.utils.errors import UserError

MODEL = Model("a", "local")
CALLS = [Call(chat(question), SampleCfg(), index) for question in ("q", "¿q?\n") for index in (0, 1)]


def store_of(backend) -> Path:
    return store_path("answers", backend.fingerprint(MODEL))


def test_a_response_is_read_back_as_it_was():
    top = ((" Yes", -0.5), ("\ud83d", -math.inf))
    responses = [
        LLMResponse(" ¿Qué?\n\u2028", "length", (TokenLogprob(" Yes", -0.5, top), TokenLogprob("", -1.0)), 3, 2),
        LLMResponse(None, "content_filter"),
        LLMResponse(""),
        LLMResponse("\ud83d"),
    ]

    async def keep() -> None:
        reserve = Reserve(store_dir())
        shelf = Shelf("answers", "f", MODEL, reserve)
        for call, response in zip(CALLS, responses, strict=True):
            shelf.append(call_key("f", call), call, response)
        await shelf.close()
        reserve.release()

    asyncio.run(keep())
    known = read_store("answers", "f")
    assert [known[call_key("f", call)] for call in CALLS] == responses


def test_everything_that_can_change_an_answer_is_in_its_key_and_nothing_else():
    call = CALLS[0]
    others = [
        call_key("g", call),
        call_key("f", replace(call, index=1)),
        call_key("f", replace(call, chat=chat("q", ""))),
        call_key("f", replace(call, chat=chat("q "))),
        *(call_key("f", replace(call, cfg=cfg)) for cfg in (SampleCfg(temperature=0.5), SampleCfg(top_p=0.5))),
        *(call_key("f", replace(call, cfg=cfg)) for cfg in (SampleCfg(max_tokens=7), SampleCfg(seed=7))),
        call_key("f", replace(call, cfg=SampleCfg(top_logprobs=7))),
    ]
    assert len({call_key("f", call), *others}) == len(others) + 1
    assert call_key("f", call) == call_key("f", Call(chat("q"), SampleCfg(temperature=1)))


def test_a_file_cut_off_at_any_byte_costs_one_call_at_most(backend):
    whole_answers = asyncio.run(ask("answers", MODEL, CALLS))
    whole = store_of(backend).read_bytes()
    last_line = whole[:-1].rfind(b"\n") + 1
    for end in (*range(last_line, len(whole), 20), len(whole) - 1):
        store_of(backend).write_bytes(whole[:end])
        backend.asked.clear()
        assert recall("answers", MODEL, CALLS)[-1] is None
        assert asyncio.run(ask("answers", MODEL, CALLS)) == whole_answers
        assert len(backend.asked) == 1
        assert store_of(backend).read_bytes() == whole


def damaged(line: bytes) -> list[bytes]:
    """The line cut, emptied, overwritten with zeros, and with one letter changed that leaves it JSON."""
    answer = line.index(b"a: ")
    return [b"{}\n", b"\n", line[:40] + b"\n", b"\0" * 30 + b"\n", line[:answer] + b"b" + line[answer + 1 :]]


@pytest.mark.parametrize("way", range(5))
def test_a_damaged_line_is_named_and_its_call_alone_is_asked_again(backend, caplog, way: int):
    whole_answers = asyncio.run(ask("answers", MODEL, CALLS))
    lines = store_of(backend).read_bytes().splitlines(keepends=True)
    store_of(backend).write_bytes(b"".join([lines[0], damaged(lines[1])[way], *lines[2:]]))
    backend.asked.clear()
    assert recall("answers", MODEL, CALLS)[1] is None
    assert "line 2: damaged" in caplog.text and str(store_of(backend)) in caplog.text
    assert asyncio.run(ask("answers", MODEL, CALLS)) == whole_answers
    assert len(backend.asked) == 1


def test_a_call_that_two_tasks_need_at_once_is_asked_once(backend):
    async def both() -> tuple[list[LLMResponse], list[LLMResponse]]:
        return await asyncio.gather(ask("answers", MODEL, CALLS), ask("answers", MODEL, CALLS[::-1]))

    forth, back = asyncio.run(both())
    assert forth == back[::-1]
    assert len(backend.asked) == len(CALLS)


def test_an_answer_that_is_damaged_while_another_task_asks_is_asked_again(backend):
    """The second task learns of the first one's answer from the file's index, and finds the line damaged."""

    async def damage_then_ask() -> list[LLMResponse]:
        reserve = Reserve(store_dir())
        known: dict[str, LLMResponse] = {}
        desk = Desk("answers", MODEL, known.__setitem__, reserve, Budget())
        desk.load(())
        await ask("answers", MODEL, CALLS)
        whole = store_of(backend).read_bytes()
        keys = [call_key(desk.fingerprint, call) for call in CALLS]
        desk.submit(keys[0], CALLS[0])
        await desk.drain()
        backend.asked.clear()
        store_of(backend).write_bytes(whole.replace(b"a: ", b"b: "))
        for key, call in zip(keys[1:], CALLS[1:], strict=True):
            desk.submit(key, call)
        await desk.drain()
        await desk.close()
        reserve.release()
        return [known[key] for key in keys]

    answers = asyncio.run(damage_then_ask())
    assert all((answer.completion or "").startswith("a: ") for answer in answers)
    assert len(backend.asked) == len(CALLS) - 1


def test_a_call_that_occurs_twice_is_asked_once(backend):
    first, second = asyncio.run(ask("answers", MODEL, [CALLS[0], CALLS[0]]))
    assert first == second
    assert len(backend.asked) == 1


def test_what_came_back_before_a_failure_is_kept(backend):
    backend.dies_after = 3
    with pytest.raises(UserError, match="network"):
        asyncio.run(ask("answers", MODEL, CALLS))
    backend.dies_after = None
    asyncio.run(ask("answers", MODEL, CALLS))
    assert len(backend.asked) == len({chat for _, chat in backend.asked}) * 2 == len(CALLS)


def test_recalling_asks_nothing_and_makes_nothing(backend, mi_home: Path):
    assert recall("answers", MODEL, CALLS) == [None] * len(CALLS)
    assert not backend.asked
    assert not list(mi_home.iterdir())


def test_a_results_folder_that_cannot_be_written_is_named_before_anything_is_asked(backend, mi_home: Path):
    (mi_home / "results").write_text("taken")
    with pytest.raises(UserError, match="MI_HOME"):
        asyncio.run(ask("answers", MODEL, CALLS))
    assert not backend.asked
