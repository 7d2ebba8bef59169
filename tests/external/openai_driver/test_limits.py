"""The limiter against limits of every kind, in virtual time: how long it takes and how much it is refused."""

import asyncio
import math
import random
from collections.abc import Callable, Mapping

import pytest
import virtual_time
from replies import Reply, error

from mi.external.openai_driver.client import Client, Patience, Pool
from mi.external.openai_driver.deadlines import Deadlines
from mi.external.openai_driver.endpoints import Capabilities, Endpoint
from mi.external.openai_driver.failures import duration, retry_after
from mi.external.openai_driver.keys import Key
from mi.external.openai_driver.limits import Connections, Limiter
from mi.external.openai_driver.pace import Bucket
from mi.llm.data_models import SampleCfg, chat
from mi.llm.services import request

Server = Callable[[float], Reply | None]
"""What a request at a moment is met with; None is an answer."""


def bucket(rate: float, at_once: float | None = None, retry: str = "whole", told: bool = False) -> Server:
    """A server that allows `rate` a second and says when to come back in whole seconds, exactly, or not at all."""
    state = Bucket(rate, at_once or rate)

    def meet(now: float) -> Reply | None:
        wait = state.wait(1, now)
        if not wait:
            state.take(1, now)
        remaining = max(0, math.floor(state.level))
        headers = {
            "x-ratelimit-limit-requests": f"{state.capacity:.0f}",
            "x-ratelimit-remaining-requests": f"{remaining}",
            "x-ratelimit-reset-requests": f"{(state.capacity - state.level) / rate:.3f}s",
        }
        headers = headers if told else {}
        if not wait:
            return Reply(200, None, headers)
        asked = {"whole": f"{math.ceil(wait)}", "exact": f"{wait:.3f}"}.get(retry)
        return error(429, "slow down", headers | ({"Retry-After": asked} if asked else {}))

    return meet


def at_random(share: float, seed: int) -> Server:
    """A server that refuses a share of all requests, however fast they come."""
    draw = random.Random(seed)
    return lambda now: error(429, "slow down", {"Retry-After": "1"}) if draw.random() < share else None


class _Simulated(Client):
    """The client with all its retries, whose exchange takes pretended time and meets `server`."""

    def __init__(
        self, endpoint: Endpoint, server: Server, latency: float, connections: Connections | None = None
    ) -> None:
        self._time = asyncio.get_running_loop().time
        connections = connections or Connections(endpoint.connections, self._time)
        super().__init__(Key("k", None, endpoint), "m", Pool(None, connections, Deadlines(1)), Patience())  # type: ignore[arg-type]
        self._server, self._latency, self.sent = server, latency, 0

    async def _exchange(self, method: str, url: str, body: bytes | None) -> tuple[int, Mapping[str, str], bytes]:
        self.sent += 1
        await asyncio.sleep(self._latency / 2)
        reply = self._server(self._time()) or Reply()
        await asyncio.sleep(self._latency / 2)
        if reply.status != 200:
            return reply.status, reply.headers, b""
        return 200, reply.headers, b'{"choices": [{"message": {"content": "x"}}]}'


def take(
    server: Server, calls: int, latency: float = 0.05, max_tokens: int = 10, **declared: float
) -> tuple[float, int]:
    """(seconds, requests) that so many calls need, of 200 workers."""

    async def run() -> tuple[float, int]:
        client = _Simulated(Endpoint("http://127.0.0.1/v1", **declared), server, latency)  # type: ignore[arg-type]
        await work_off(client, calls, max_tokens)
        return asyncio.get_running_loop().time(), client.sent

    return virtual_time.run(run())


async def work_off(client: Client, calls: int, max_tokens: int = 10) -> None:
    """So many calls, of 200 workers."""
    work = iter(range(calls))

    async def worker() -> None:
        for place in work:
            asked = request(chat(str(place)), SampleCfg(max_tokens=max_tokens))
            await client.ask(asked, Capabilities(), 1, lambda begins: None)

    await asyncio.gather(*(worker() for _ in range(200)))


@pytest.fixture(autouse=True)
def the_same_jitter_each_time() -> None:
    random.seed(0)


@pytest.mark.parametrize("latency", [0.001, 0.05])
@pytest.mark.parametrize("retry", ["whole", "exact", "silent"])
def test_a_thousand_calls_at_forty_a_second_take_little_longer_and_few_more_requests(retry: str, latency: float):
    seconds, requests = take(bucket(40, retry=retry), 1000, latency)
    assert seconds <= 1.1 * 24
    assert requests <= 1.25 * 1000


def test_two_models_that_share_a_limit_share_what_is_known_of_it():
    async def run() -> tuple[float, int]:
        endpoint, server = Endpoint("http://127.0.0.1/v1"), bucket(40)
        loop = asyncio.get_running_loop()
        connections = Connections(endpoint.connections, loop.time)
        clients = [_Simulated(endpoint, server, 0.05, connections) for _ in range(2)]
        await asyncio.gather(work_off(clients[0], 500), work_off(clients[1], 500))
        return loop.time(), sum(client.sent for client in clients)

    seconds, requests = virtual_time.run(run())
    assert seconds <= 1.1 * 24
    assert requests <= 1.25 * 1000


def test_a_limit_that_the_headers_tell_is_hardly_ever_run_into():
    seconds, requests = take(bucket(40, told=True), 1000)
    assert seconds <= 1.05 * 24
    assert requests <= 1.06 * 1000


def test_over_a_long_run_nearly_nothing_is_wasted():
    seconds, requests = take(bucket(40), 4000)
    assert seconds <= 1.02 * 99
    assert requests <= 1.12 * 4000


def test_a_limit_much_higher_than_what_it_allows_at_once_is_found():
    seconds, _ = take(bucket(400, at_once=40), 4000)
    assert seconds <= 1.6 * 9.9


def test_answers_that_take_a_second_do_not_hide_a_limit():
    seconds, requests = take(bucket(40), 1000, latency=1.0)
    assert seconds <= 1.4 * 24
    assert requests <= 1.35 * 1000


@pytest.mark.parametrize(("share", "most"), [(0.1, 8), (1 / 3, 25)])
def test_refusals_at_random_slow_nobody_but_themselves(share: float, most: float):
    # The connections allow 4,000 calls of 50 ms in a second; each refusal costs a second, and some calls have several.
    seconds, requests = take(at_random(share, 1), 4000)
    assert seconds <= most
    assert requests <= 1.05 * 4000 / (1 - share)


def test_declared_limits_are_kept_from_the_first_request_on():
    seconds, requests = take(bucket(40, at_once=41), 400, requests_per_minute=2400)
    assert requests == 400 and seconds <= 1.1 * 9
    seconds, requests = take(bucket(1000), 60, max_tokens=600, tokens_per_minute=600 * 60)
    assert requests == 60 and 55 <= seconds <= 65


def test_a_limit_on_tokens_that_the_headers_tell_is_kept():
    state = Bucket(10_000 / 60, 10_000)

    def meet(now: float) -> Reply:
        wait = state.wait(500, now)
        if not wait:
            state.take(500, now)
        told = {
            "limit": "10000",
            "remaining": f"{state.level:.0f}",
            "reset": f"{(10_000 - state.level) / 166.7:.0f}s",
        }
        headers = {f"x-ratelimit-{name}-tokens": value for name, value in told.items()}
        return error(429, "tokens", headers | {"Retry-After": f"{wait:.2f}"}) if wait else Reply(200, None, headers)

    seconds, requests = take(meet, 100, max_tokens=500)
    assert seconds <= 1.1 * (100 * 500 - 10_000) / (10_000 / 60)
    assert requests <= 100 + 32  # those that were on their way before the first header came


def test_requests_are_admitted_in_the_order_in_which_they_come():
    async def run() -> list[int]:
        loop = asyncio.get_running_loop()
        limiter = Limiter(Endpoint("http://h/v1", requests_per_minute=60), Connections(4, loop.time))
        order: list[int] = []

        async def one(place: int) -> None:
            await limiter.admit(0)
            order.append(place)
            limiter.release(0)

        await asyncio.gather(*(one(place) for place in range(8)))
        return order

    assert virtual_time.run(run()) == list(range(8))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1s", 1),
        ("6m0s", 360),
        ("1h2m3.5s", 3723.5),
        ("20", 20),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_the_times_of_headers_are_read(text: str | None, seconds: float | None):
    assert duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "2"}, 2),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"Retry-After": "in a while"}, None),
        ({}, None),
    ],
)
def test_the_wait_that_a_server_asks_for_is_read(headers: dict[str, str], seconds: float | None):
    assert retry_after(headers) == seconds
