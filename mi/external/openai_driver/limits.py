"""How fast an endpoint may be asked: connections, requests and tokens.

Three things hold a request back: buckets of requests and tokens, as declared or as the x-ratelimit headers tell them;
the pace, which is found by being refused where there are no headers (`pace.py`); and the connections in use.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from mi.external.openai_driver.endpoints import Endpoint
from mi.external.openai_driver.failures import duration
from mi.external.openai_driver.pace import Bucket, Pace

_FIRST_WINDOW, _WIDER = 32, 2
"""Requests under way at first, and how many more each answer allows, up to the endpoint's connections."""
_LONGEST_NAP = 0.5


class Connections:
    """What all models under one key share: how many requests may be under way at once, and at what pace they go.

    OpenAI limits each model for itself, so that there each has a pace of its own.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock, self.pace = clock, Pace(clock())
        self._most, self._window = most, min(_FIRST_WINDOW, most)
        self._in_flight, self._freed = 0, asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether no further request may be sent now."""
        return self._in_flight >= self._window

    def take(self) -> None:
        """One more is under way."""
        self._in_flight += 1

    def give_back(self) -> None:
        """One less is under way."""
        self._in_flight -= 1
        self._freed.set()

    def widen(self) -> None:
        """A request was answered: more may be under way."""
        self._window = min(self._most, self._window + _WIDER)

    async def freed(self) -> None:
        """Wait until one is given back."""
        self._freed.clear()
        await self._freed.wait()


class Limiter:
    """Admits requests to one model under one key, in the order in which they come."""

    def __init__(self, endpoint: Endpoint, connections: Connections) -> None:
        self._connections, self._clock = connections, connections.clock
        self._pace = Pace(self._clock()) if endpoint.provider == "openai" else connections.pace
        self._turn = asyncio.Lock()
        self._in_flight, self._tokens_in_flight = 0, 0.0
        self._requests, self._tokens = _a_minute(endpoint.requests_per_minute), _a_minute(endpoint.tokens_per_minute)
        self._declared = endpoint.requests_per_minute is not None, endpoint.tokens_per_minute is not None

    async def admit(self, tokens: float) -> float:
        """Wait until a request of so many tokens may be sent; the ticket returned goes into `answered` or `refused`."""
        if self._turn.locked() or not self._take(tokens):
            async with self._turn:
                while not self._take(tokens):
                    await self._until_something_changes(tokens)
        return self._clock()

    def release(self, tokens: float) -> None:
        """A request that was admitted is under way no more."""
        self._in_flight -= 1
        self._tokens_in_flight -= tokens
        self._connections.give_back()

    def answered(self, ticket: float, headers: Mapping[str, str]) -> None:
        """A request was answered, or failed in another way than by a limit."""
        now = self._clock()
        self._connections.widen()
        self._pace.heard(ticket, now, refused=False)
        self._read(headers, now)

    def refused(self, ticket: float, headers: Mapping[str, str], wait: float | None) -> None:
        """A request was refused by a limit, which asked to wait so many seconds, or did not say."""
        now = self._clock()
        self._pace.heard(ticket, now, refused=True, wait=wait)
        self._read(headers, now)

    def _take(self, tokens: float) -> bool:
        """Admit a request if nothing holds it back."""
        if self._connections.full or self._wait(tokens) > 0:
            return False
        now = self._clock()
        self._requests.take(1, now)
        self._tokens.take(tokens, now)
        self._pace.bucket.take(1, now)
        self._connections.take()
        self._in_flight += 1
        self._tokens_in_flight += tokens
        return True

    def _wait(self, tokens: float) -> float:
        now = self._clock()
        paced = self._pace.wait(now)
        return max(paced, self._requests.wait(1, now), self._tokens.wait(tokens, now))

    async def _until_something_changes(self, tokens: float) -> None:
        if self._connections.full:
            await self._connections.freed()
        else:
            await asyncio.sleep(min(self._wait(tokens), _LONGEST_NAP))

    def _read(self, headers: Mapping[str, str], now: float) -> None:
        """Take over what the x-ratelimit headers say: a limit, what is left of it, and when it will be whole again."""
        if "x-ratelimit-remaining-requests" in headers and not self._declared[0]:
            _tell(self._requests, headers, "requests", self._in_flight, now)
        if "x-ratelimit-remaining-tokens" in headers and not self._declared[1]:
            _tell(self._tokens, headers, "tokens", self._tokens_in_flight, now)


def _a_minute(units: float | None) -> Bucket:
    """What is declared for a minute, at most a second's worth at once."""
    return Bucket() if units is None else Bucket(units / 60, max(1.0, units / 60))


def _tell(bucket: Bucket, headers: Mapping[str, str], unit: str, under_way: float, now: float) -> None:
    """Set a bucket to what the headers say of a unit; what is under way may not have been counted yet."""
    try:
        limit = float(headers.get(f"x-ratelimit-limit-{unit}", "nan"))
        remaining = float(headers[f"x-ratelimit-remaining-{unit}"])
    except ValueError:
        return
    reset = duration(headers.get(f"x-ratelimit-reset-{unit}"))
    if not limit > 0 or remaining < 0:
        return
    # The time to be whole again tells the rate of any limit, by the minute or by the day.
    rate = (limit - remaining) / reset if reset and limit - remaining >= 1 else min(bucket.rate, limit / 60)
    bucket.set(rate, limit, remaining - under_way, now)
