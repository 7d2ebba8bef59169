"""Every way in which a server can fail: each ends in the right result or in one sentence, on a real connection."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from replies import Reply, Seen, completion, error
from standin import StandIn

from mi.external.openai_driver import services
from mi.external.openai_driver.client import Patience
from mi.external.openai_driver.keys import read_keyring
from mi.llm.data_models import LLMResponse, Model, SampleCfg, chat
from mi.llm.services import batch_sample, request, sample
from mi.utils.errors import UserError

MODEL = Model("gpt-4.1")
Make = Callable[[Seen], Reply]
SOON = {"Retry-After": "0.01"}

MENDED: dict[str, Make] = {
    "429": lambda seen: error(429, "slow down", SOON),
    "429 in milliseconds": lambda seen: error(429, "slow down", {"retry-after-ms": "5"}),
    "429 without a word": lambda seen: Reply(429, b""),
    "500": lambda seen: error(500, "oops"),
    "502 in HTML": lambda seen: Reply(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
    "503 with a wait": lambda seen: error(503, "overloaded", SOON),
    "529": lambda seen: error(529, "overloaded"),
    "408": lambda seen: error(408, "too slow"),
    "409": lambda seen: error(409, "conflict"),
    "an error inside a reply that says 200": lambda seen: Reply(200, {"error": {"code": 502, "message": "down"}}),
    "half a body": lambda seen: Reply(200, completion(seen.body, "half").content, cut=True),
    "a connection that is reset": lambda seen: Reply(drop=True),
    "invalid JSON": lambda seen: Reply(200, b'{"choices": [{"mess'),
    "another JSON": lambda seen: Reply(200, {"choices": [{"text": "old style"}]}),
    "an empty choice": lambda seen: completion(seen.body),
    "no choices": lambda seen: Reply(200, {"choices": None}),
}

RESULTS: dict[str, tuple[Make, LLMResponse]] = {
    "a refusal": (
        lambda seen: completion(seen.body, "", message={"content": None, "refusal": "I cannot."}),
        LLMResponse(None, "refusal", (), 7, 2),
    ),
    "a filtered answer": (
        lambda seen: completion(seen.body, "", finish_reason="content_filter"),
        LLMResponse(None, "content_filter", (), 7, 2),
    ),
    "a filtered question": (
        lambda seen: error(400, "policy", code="content_filter"),
        LLMResponse(None, "content_filter"),
    ),
    "a flagged question": (
        lambda seen: error(403, "flagged", metadata={"reasons": ["violence"]}),
        LLMResponse(None, "content_filter"),
    ),
    "an answer cut at its length": (
        lambda seen: completion(seen.body, " so ", finish_reason="length"),
        LLMResponse(" so ", "length", (), 7, 2),
    ),
    "an answer of nothing": (lambda seen: completion(seen.body, ""), LLMResponse("", "stop", (), 7, 2)),
    "content null where thinking took all tokens": (
        lambda seen: completion(seen.body, "", message={"content": None}, finish_reason="length"),
        LLMResponse("", "length", (), 7, 2),
    ),
    "a dated snapshot of an alias": (
        lambda seen: completion(seen.body, "x", model="gpt-4.1-2025-04-14"),
        LLMResponse("x", "stop", (), 7, 2),
    ),
}

FATAL: dict[str, tuple[Make, str]] = {
    "401": (lambda seen: error(401, "Incorrect API key"), r"refuses \(401: Incorrect API key\); give a valid key"),
    "402": (lambda seen: error(402, "Insufficient credits"), r"\(402: Insufficient credits\); add credit"),
    "403": (lambda seen: error(403, "not yours"), r"\(403: not yours\); use a key that may"),
    "404": (lambda seen: error(404, "no such model"), r"\(404: no such model\); name a model that"),
    "400": (lambda seen: error(400, "bad\n temperature"), r"\(400: bad temperature\); mend the request"),
    "413": (lambda seen: error(413, "too large"), r"\(413: too large\); ask a shorter question"),
    "422 of another form": (lambda seen: Reply(422, {"detail": "bad"}), r"\(422: bad\)"),
    "no credit": (lambda seen: error(429, "You exceeded", code="insufficient_quota"), r"no credit left \(429: You exc"),
    "another place": (lambda seen: Reply(308, b"", {"Location": "https://x/v1"}), r"points to https://x/v1; give that"),
    "a wrong model": (
        lambda seen: completion(seen.body, "x", model="gpt-4.1-mini-2025-04-14"),
        r"answered as gpt-4\.1-mini-2025-04-14; ask for that model",
    ),
    "an hour's wait": (
        lambda seen: error(429, "daily", {"Retry-After": "3600"}),
        r"asks to wait 3600 seconds \(429: da",
    ),
}


@pytest.mark.parametrize("fault", MENDED.values(), ids=MENDED)
def test_what_a_retry_can_mend_is_asked_again(server: StandIn, fault: Make):
    server.fault = lambda seen: fault(seen) if seen.number == 0 else None
    answer = asyncio.run(sample(MODEL, chat("q")))
    assert (answer.completion or "").startswith("Answer") and len(server.completions) == 2


@pytest.mark.parametrize(("fault", "result"), RESULTS.values(), ids=RESULTS)
def test_what_a_provider_withholds_is_a_result(server: StandIn, fault: Make, result: LLMResponse):
    server.fault = fault
    assert asyncio.run(sample(MODEL, chat("q"))) == result
    assert len(server.completions) == 1


@pytest.mark.parametrize(("fault", "sentence"), FATAL.values(), ids=FATAL)
def test_what_no_retry_can_mend_fails_at_once_with_the_reason(server: StandIn, fault: Make, sentence: str):
    server.fault = fault
    with pytest.raises(UserError, match=rf"^gpt-4\.1 at {server.url} \(key none\): .*{sentence}[^\n]*$"):
        asyncio.run(sample(MODEL, chat("q")))
    assert len(server.completions) == 1


@pytest.mark.parametrize(
    ("fault", "requests"), [(MENDED["500"], 8), (MENDED["invalid JSON"], 3), (MENDED["an empty choice"], 3)]
)
def test_a_failure_that_lasts_ends_in_one_sentence(server: StandIn, fault: Make, requests: int):
    server.fault = fault
    with pytest.raises(
        UserError, match=rf"{requests} tries brought no answer \(.+\); run the same command again later"
    ):
        asyncio.run(sample(MODEL, chat("q")))
    assert len(server.completions) == requests


def test_a_server_that_only_refuses_is_given_up_after_a_while(server: StandIn, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(services, "PATIENCE", Patience(0.01, 0.02, without_answer=0.1))
    server.fault = lambda seen: error(429, "never")
    with pytest.raises(UserError, match=r"it has only refused for 0\.1 seconds \(429: never\)"):
        asyncio.run(sample(MODEL, chat("q")))


def test_a_wrong_address_fails_soon(server: StandIn):
    nowhere = Model("m", endpoint="http://127.0.0.1:9/v1")
    with pytest.raises(UserError, match=r"4 tries brought no answer \(the connection failed"):
        asyncio.run(sample(nowhere, chat("q")))


def test_a_stall_is_cut_off_and_asked_again(server: StandIn, mi_home: Path):
    write = f'[endpoints.slow]\nbase_url = "{server.url}"\nkind = "vllm"\ntimeout = 0.1\n'
    (mi_home / "mi-keys.toml").write_text(write, encoding="utf-8")
    server.fault = lambda seen: Reply(stall=True) if seen.number == 0 else None
    assert asyncio.run(sample(Model("m", endpoint="slow"), chat("q"))).completion
    server.fault = lambda seen: Reply(stall=True)
    with pytest.raises(UserError, match=r"4 tries .*no reply within 0\.1 seconds"):
        asyncio.run(sample(Model("m", endpoint="slow"), chat("q")))


def test_the_time_of_a_call_begins_when_it_is_sent_and_not_when_it_queues(server: StandIn, mi_home: Path):
    # Forty calls of 0.05 s, two at a time: 1 s in all, with 0.9 s allowed to each.
    server.latency = 0.05
    write = f'[endpoints.two]\nbase_url = "{server.url}"\nkind = "vllm"\ntimeout = 0.9\nconnections = 2\n'
    (mi_home / "mi-keys.toml").write_text(write, encoding="utf-8")
    asyncio.run(batch_sample(Model("m", endpoint="two"), [request(chat(str(n)), SampleCfg()) for n in range(40)]))
    assert len(server.completions) == 40 and server.counts["most_in_flight"] == 2


def test_a_third_of_refusals_costs_a_third_more_requests_and_no_answer(server: StandIn):
    server.fault = lambda seen: error(429, "slow down", SOON) if seen.number % 3 == 0 else None
    answers = asyncio.run(batch_sample(MODEL, [request(chat(str(n)), SampleCfg()) for n in range(300)]))
    assert len({answer.completion for answer in answers}) == 300 and len(server.completions) <= 300 * 1.55


def test_a_server_may_be_let_answer_under_another_name(server: StandIn, mi_home: Path):
    server.fault = lambda seen: completion(seen.body, "x", model="/models/weights.gguf")
    write = f'[endpoints.llama]\nbase_url = "{server.url}"\nany_model_name = true\n'
    (mi_home / "mi-keys.toml").write_text(write, encoding="utf-8")
    assert asyncio.run(sample(Model("m", endpoint="llama"), chat("q"))).completion == "x"


@pytest.mark.parametrize(
    ("model", "cfg", "system", "sentence"),
    [
        ("o3-mini", SampleCfg(temperature=0), None, "o3-mini samples at temperature 1 and top_p 1 only"),
        ("o1-mini", SampleCfg(), "Be kind.", "o1-mini takes no system message"),
        ("gpt-4.1", SampleCfg(), "\ud800", "holds half of a surrogate pair"),
    ],
)
def test_what_a_model_cannot_be_asked_is_said_before_it_is_sent(
    server: StandIn, mi_home: Path, model: str, cfg: SampleCfg, system: str | None, sentence: str
):
    (mi_home / "mi-keys.toml").write_text(f'[endpoints.o]\nbase_url = "{server.url}"\nkind = "openai"\n', "utf-8")
    with pytest.raises(UserError, match=sentence):
        asyncio.run(sample(Model(model, endpoint="o"), chat("q", system), cfg))
    assert not server.requests


def test_no_secret_is_in_what_is_said(server: StandIn, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    server.fault = lambda seen: error(401, "wrong key")
    with pytest.raises(UserError) as caught:
        asyncio.run(sample(MODEL, chat("q")))
    assert server.completions[0].key == "sk-very-secret" and "very-secret" not in str(caught.value)
    assert "very-secret" not in repr(read_keyring())
