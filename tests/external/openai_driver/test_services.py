"""Asking a real server on a loopback port: what goes out, what comes back, and what is told when."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from replies import Reply, Seen, completion, error
from standin import StandIn

from mi.llm.data_models import LLMResponse, Model, SampleCfg, chat
from mi.llm.services import batch_sample, fingerprint, request, sample, sample_seed
from mi.llm.traffic import retries
from mi.utils.errors import UserError

MODEL = Model("m-1")


def declare(home: Path, server: StandIn, more: str = 'kind = "openai"') -> Model:
    """A model at the server, declared under a name with what it can do."""
    (home / "mi-keys.toml").write_text(f'[endpoints.here]\nbase_url = "{server.url}"\n{more}\n', encoding="utf-8")
    return Model("m-1", endpoint="here")


def questions(n: int, cfg: SampleCfg | None = None) -> list:
    return [request(chat(f"question {place}"), cfg or SampleCfg()) for place in range(n)]


def test_no_system_prompt_and_an_empty_one_and_another_stay_three_things_on_the_wire(server: StandIn):
    for system in (None, "", " Be kind. "):
        asyncio.run(sample(MODEL, chat("Who? ", system)))
    user = {"role": "user", "content": "Who? "}
    sent = [seen.body["messages"] for seen in server.completions]
    assert sent == [
        [user],
        [{"role": "system", "content": ""}, user],
        [{"role": "system", "content": " Be kind. "}, user],
    ]


def test_a_request_holds_what_the_endpoint_takes_and_nothing_else(server: StandIn, mi_home: Path):
    cfg = SampleCfg(temperature=0, max_tokens=3, top_p=0.5, top_logprobs=20)
    asyncio.run(sample(MODEL, chat("q"), cfg))
    asyncio.run(sample(declare(mi_home, server), chat("q"), cfg))
    asyncio.run(sample(declare(mi_home, server, 'kind = "together"'), chat("q"), cfg))
    asyncio.run(sample(declare(mi_home, server, 'kind = "vllm"\ntop_logprobs = 0'), chat("q"), SampleCfg()))
    common = {"model": "m-1", "messages": [{"role": "user", "content": "q"}], "temperature": 0, "top_p": 0.5}
    seed = {"seed": sample_seed(chat("q"), cfg)}
    assert [seen.body for seen in server.completions] == [
        {**common, "max_tokens": 3, "logprobs": True, "top_logprobs": 5},
        {**common, **seed, "max_completion_tokens": 3, "logprobs": True, "top_logprobs": 20},
        {**common, **seed, "max_tokens": 3, "logprobs": 20},
        {"model": "m-1", "messages": common["messages"], "temperature": 1, "max_tokens": 512}
        | {"seed": sample_seed(chat("q"), SampleCfg())}
        | {"top_p": 1, "top_k": -1, "min_p": 0, "repetition_penalty": 1},
    ]


def test_every_sample_of_a_question_is_a_call_with_a_seed_of_its_own(server: StandIn, mi_home: Path):
    model = declare(mi_home, server)
    requests = [request(chat("q"), SampleCfg(), index) for index in range(3)]
    answers = asyncio.run(batch_sample(model, requests))
    sent = [seen.body for seen in server.completions]
    assert {body["seed"] for body in sent} == {one.seed for one in requests}
    assert all("n" not in body for body in sent) and len({answer.completion for answer in answers}) == 3


def test_n_answers_come_from_one_call_only_where_no_seed_tells_them_apart(server: StandIn, mi_home: Path):
    def fewer(seen: Seen) -> Reply:
        n = seen.body.get("n", 1)
        return completion(seen.body, *[f"{seen.number}.{place}" for place in range(max(1, n - 1))])

    server.fault = fewer
    model = declare(mi_home, server, "n = 4\nconnections = 1")
    requests = [*(request(chat("q"), SampleCfg(), index) for index in range(6)), *questions(1)]
    answers = asyncio.run(batch_sample(model, requests))
    assert [seen.body.get("n", 1) for seen in server.completions] == [4, 1, 2, 1, 1]
    assert [answer.completion for answer in answers] == ["0.0", "0.1", "0.2", "1.0", "2.0", "3.0", "4.0"]
    assert sum(answer.n_prompt_tokens for answer in answers) == 5 * 7
    assert sum(answer.n_completion_tokens for answer in answers) == 2 * 7


def test_log_probabilities_come_back_with_their_alternatives(server: StandIn, mi_home: Path):
    model = declare(mi_home, server)
    (token,) = asyncio.run(sample(model, chat("q"), SampleCfg(top_logprobs=20))).logprobs
    assert token.token == "YES" and token.logprob == token.top[0][1] < 0 and len(token.top) == 20
    lists = {"tokens": ["A", "B"], "token_logprobs": [-0.5, None], "top_logprobs": [{"A": -0.5, "C": -1.5}, None]}
    server.fault = lambda seen: completion(seen.body, "A", logprobs=lists)
    (token,) = asyncio.run(sample(model, chat("q"), SampleCfg(top_logprobs=20))).logprobs
    assert (token.token, token.logprob, token.top) == ("A", -0.5, (("A", -0.5), ("C", -1.5)))


def test_each_answer_is_told_as_soon_as_it_has_come_and_all_are_in_order(server: StandIn):
    told: dict[int, LLMResponse] = {}

    def hold_the_first(seen: Seen) -> Reply | None:
        # It is refused until three others have been told, so that it comes last.
        return error(503, "wait", {"Retry-After": "0.01"}) if "question 0" in str(seen.raw) and len(told) < 3 else None

    server.fault = hold_the_first
    answers = asyncio.run(batch_sample(MODEL, questions(4), told.__setitem__))
    assert list(told)[-1] == 0 and [told[place] for place in range(4)] == answers
    assert len({answer.completion for answer in answers}) == 4


def test_connections_are_kept_alive_and_never_more_than_declared(server: StandIn, mi_home: Path):
    server.latency = 0.002
    model = declare(mi_home, server, "connections = 7")
    asyncio.run(batch_sample(model, questions(100)))
    assert server.counts["connections"] <= 7 + 1 and server.counts["most_in_flight"] == 7


def test_a_hundred_thousand_requests_do_not_become_a_hundred_thousand_tasks(server: StandIn, mi_home: Path):
    model = declare(mi_home, server, "connections = 5")
    most = 0

    def count(place: int, response: LLMResponse) -> None:
        nonlocal most
        most = max(most, len(asyncio.all_tasks()))

    asyncio.run(batch_sample(model, questions(200), count))
    assert most <= 3 * 5  # workers, and what aiohttp starts to open a connection


def test_where_one_call_fails_those_on_the_wire_are_told_first(server: StandIn, mi_home: Path):
    server.latency = 0.05
    server.fault = lambda seen: error(400, "too long", code="context_length_exceeded") if seen.number == 3 else None
    told: list[int] = []
    with pytest.raises(UserError, match=r"m-1 at here \(key none\): the server refuses \(400: too long\); mend"):
        asyncio.run(batch_sample(declare(mi_home, server), questions(500), lambda place, _: told.append(place)))
    assert len(told) == len(server.completions) - 1 < 200


def test_what_cannot_be_kept_ends_the_run(server: StandIn):
    def full(place: int, response: LLMResponse) -> None:
        raise UserError("the disk is full.")

    with pytest.raises(UserError, match=r"^the disk is full\.$"):
        asyncio.run(batch_sample(MODEL, questions(300), full))
    assert len(server.completions) < 300


def test_stopping_a_run_leaves_nothing_open(server: StandIn):
    async def stop_soon() -> None:
        first = asyncio.Event()
        run = asyncio.ensure_future(batch_sample(MODEL, questions(300), lambda *_: first.set()))
        await first.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(stop_soon())


def test_a_run_in_a_second_event_loop_has_connections_of_its_own(server: StandIn):
    answers = [asyncio.run(sample(MODEL, chat("q"))) for _ in range(2)]
    assert answers[0] == answers[1] and server.counts["connections"] >= 2


def test_a_server_tells_by_its_list_of_models_what_it_is(server: StandIn):
    server.owner = "vllm"
    asyncio.run(sample(MODEL, chat("q"), SampleCfg(top_logprobs=20)))
    assert server.completions[0].body["top_logprobs"] == 20 and "seed" in server.completions[0].body


def test_the_identity_of_a_remote_model_is_its_provider_and_its_id(monkeypatch: pytest.MonkeyPatch, mi_home: Path):
    names = {
        fingerprint(model)
        for model in (
            Model("gpt-4.1-2025-04-14"),
            Model("gpt-4.1"),
            Model("gpt-4.1", endpoint="openrouter"),
            Model("gpt-4.1", endpoint="http://127.0.0.1:8000/v1"),
            Model("gpt-4.1", endpoint="http://127.0.0.1:8001/v1"),
        )
    }
    assert len(names) == 5
    assert fingerprint(Model("gpt-4.1")) == fingerprint(Model("gpt-4.1", endpoint="https://api.openai.com/v1/"))
    assert fingerprint(Model("gpt-4.1")) == fingerprint(replace(Model("gpt-4.1"), endpoint="openai"))
    (mi_home / "mi-keys.toml").write_text('[endpoints.lab]\nbase_url = "http://10.0.0.1:8000/v1"\n', encoding="utf-8")
    before = fingerprint(Model("m", endpoint="lab"))
    (mi_home / "mi-keys.toml").write_text('[endpoints.lab]\nbase_url = "http://10.0.0.2:80/v1"\n', encoding="utf-8")
    assert fingerprint(Model("m", endpoint="lab")) == before
    with pytest.raises(UserError, match="named by its id alone"):
        fingerprint(Model("m", job_id="j"))


def test_whoever_watches_can_tell_how_often_a_model_was_asked_again(server: StandIn):
    server.fault = lambda seen: error(500, "oops") if seen.number < 2 else None
    before = retries("m-again")
    asyncio.run(sample(Model("m-again"), chat("q")))
    assert retries("m-again") - before == 2
