"""How fast an endpoint may be asked: connections, requests and tokens, learnt from its headers and its refusals.

Three things hold a request back. *Buckets* of requests and tokens, as declared or as the x-ratelimit headers tell
them. A *pause*, where a server that has refused nearly everything said how long to wait. And a *pace*, found where
there are no headers: between two moments at which a limit was reached, what was answered is what the limit allows.
Refusals that do not come in a row are no sign of a limit: they slow nobody but themselves.
"""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mi.external.openai_driver.endpoints import Endpoint
from mi.external.openai_driver.failures import duration

_FIRST_WINDOW = 32
"""Requests under way at first; each answer allows one more, up to the endpoint's connections."""
_IN_A_ROW, _OF_THE_LAST = 14, 16
"""So many refusals among the last so many replies are a limit; where a third is refused at random, 1 in 80,000 are."""
_SHORTEST_MEASURE = 0.5
_PAUSE = 1.0
_LONGEST_NAP = 0.5
_REPLIES_A_STEP, _SHORTEST_STEP, _CALM_STEPS = 32, 0.25, 8
_MANY, _FEW, _HARDLY_LESS = 0.25, 0.05, 0.85
"""Shares of refusals: a sign of a limit, what a pace at the limit aims for, and what is no fall."""
_BOLD_STEP, _BIGGEST_STEP, _SMALLEST_STEP, _GAIN = 1.6, 1.03, 0.1, 0.6
_PROBE, _WORTH_IT = 1.25, 1.12
_SHORTEST_BURST = 0.1


class Bucket:
    """So many units a second, and at most `capacity` at once; without bounds until it is told of some."""

    def __init__(self, rate: float = math.inf, capacity: float = math.inf) -> None:
        self.rate, self.capacity, self.level, self._at = rate, capacity, capacity, 0.0

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` is there; what is larger than the bucket waits until that is full."""
        self._refill(now)
        lacking = min(amount, self.capacity) - self.level
        return 0.0 if lacking <= 1e-9 else lacking / self.rate

    def take(self, amount: float, now: float) -> None:
        """Take `amount` out, on credit where it is not there."""
        self._refill(now)
        self.level -= amount

    def set(self, rate: float, capacity: float, level: float, now: float) -> None:
        """Go on with these bounds and this level."""
        self.rate, self.capacity, self.level, self._at = rate, capacity, min(level, capacity), now

    def _refill(self, now: float) -> None:
        if self.level < self.capacity and now > self._at:
            self.level = min(self.capacity, self.level + (now - self._at) * self.rate)
        self._at = now


class Connections:
    """How many requests may be under way at once under one key, whichever models they ask."""

    def __init__(self, most: int) -> None:
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
        """A request was answered: one more may be under way."""
        self._window = min(self._most, self._window + 1)

    async def freed(self) -> None:
        """Wait until one is given back."""
        self._freed.clear()
        await self._freed.wait()


class Limiter:
    """Admits requests to one model under one key, in the order in which they come."""

    def __init__(
        self,
        endpoint: Endpoint,
        connections: Connections,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connections, self._clock, self._sleep = connections, clock, sleep
        self._turn = asyncio.Lock()
        self._in_flight, self._tokens_in_flight = 0, 0.0
        self._requests, self._tokens = _a_minute(endpoint.requests_per_minute), _a_minute(endpoint.tokens_per_minute)
        self._declared = endpoint.requests_per_minute is not None, endpoint.tokens_per_minute is not None
        self._pace = _Pace(clock())

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
            await self._sleep(min(self._wait(tokens), _LONGEST_NAP))

    def _read(self, headers: Mapping[str, str], now: float) -> None:
        """Take over what the x-ratelimit headers say: a limit, what is left of it, and when it will be whole again."""
        if "x-ratelimit-remaining-requests" in headers and not self._declared[0]:
            _tell(self._requests, headers, "requests", self._in_flight, now)
        if "x-ratelimit-remaining-tokens" in headers and not self._declared[1]:
            _tell(self._tokens, headers, "tokens", self._tokens_in_flight, now)


class _Pace:
    """A rate of requests found by being refused; without bounds until a limit has shown."""

    def __init__(self, now: float) -> None:
        self.bucket = Bucket()
        self._state: Literal["free", "tried", "guessed", "found"] = "free"
        self._paused_until = 0.0
        self._limit_at, self._answered = now, 0
        self._step = _Step(now)
        self._recent: deque[bool] = deque(maxlen=_OF_THE_LAST)
        self._probe: float | None = None
        self._calm = 0
        self._noise = 0.0
        self._share_before = 0.0
        self._held_back = False

    def wait(self, now: float) -> float:
        """Seconds until the next request may go."""
        if now < self._paused_until:
            return self._paused_until - now
        wait = self.bucket.wait(1, now)
        self._held_back |= wait > 0
        return wait

    def heard(self, ticket: float, now: float, refused: bool, wait: float | None = None) -> None:
        """Learn from a reply to a request that was sent at `ticket`."""
        self._answered += not refused
        self._step.answered += not refused
        if ticket < self._step.tickets_from:
            return  # it was sent at another pace, and tells nothing of this one
        self._recent.append(refused)
        self._step.heard += 1
        self._step.refused += refused
        if refused and sum(self._recent) >= _IN_A_ROW:
            self._limit_reached(now, wait)
        elif self._step.heard >= _REPLIES_A_STEP and now - self._step.began >= _SHORTEST_STEP:
            self._adjust(now)

    def _limit_reached(self, now: float, wait: float | None) -> None:
        """Nearly everything is refused: pause, and go on at what was answered since the limit was last reached."""
        pause = (_PAUSE if wait is None else wait) * random.uniform(1.0, 1.1)
        since, answered = now - self._limit_at, self._answered + 1
        if self._state == "free":
            rate = answered / (since + pause)
        elif since >= _SHORTEST_MEASURE:
            rate = answered / since
        else:
            rate = min(self.bucket.rate / 2, 2 * answered / max(since, 1e-3))
        if self._state == "free" or since >= _SHORTEST_MEASURE:
            self._limit_at, self._answered = now, 0
        burst = pause if self._state == "free" else _SHORTEST_BURST
        self._state = "guessed" if self._state == "free" else "found"
        self._paused_until = now + pause
        self._go_on_at(rate, burst, now)

    def _adjust(self, now: float) -> None:
        """After some replies at a pace: faster where few were refused, slower where many were, if that helps."""
        share, rate = self._step.refused / self._step.heard, self._step.answered / (now - self._step.began)
        change = 1.0
        if self._state == "free":
            self._noise = min(self._noise, share)
            if share > self._noise + _MANY:
                self._state, self._share_before = "tried", share
                self._go_on_at(rate, _SHORTEST_BURST, now)
                return
        elif self._share_before > _MANY and share > max(_MANY, _HARDLY_LESS * self._share_before):
            # Going slower did not help: the refusals have another cause than the pace.
            self._state, self._noise, self.bucket, share = "free", share, Bucket(), 0.0
        elif self._state == "guessed" and share <= _FEW:
            change = _BOLD_STEP if self._held_back else 1.0
        else:
            change = self._found_change(share - self._noise, rate)
        self._held_back, self._share_before = False, share if change < 1 - _MANY else 0.0
        # After a large change only what was sent at the new pace tells of it; with long answers that takes a while.
        self._step = _Step(now, now if abs(change - 1) > _FEW else self._step.tickets_from)
        self.bucket.rate *= change
        self.bucket.capacity = max(1.0, self.bucket.capacity * change)

    def _found_change(self, excess: float, rate: float) -> float:
        """By how much to change a pace that is near the limit, given the share of refusals and the rate of answers.

        Every now and then a faster pace is tried for one step, and kept if more is answered at it: that tells a limit,
        at which nothing more is, from refusals of another cause, and a limit that was raised.
        """
        probe, self._probe = self._probe, None
        if self._state == "guessed" or (excess > _MANY and probe is None):
            self._state = "found"
            return min(1.0, max(rate / self.bucket.rate, _SMALLEST_STEP))
        if probe is not None and rate < _WORTH_IT * probe:
            return 1 / _PROBE
        self._calm = 0 if self._calm >= _CALM_STEPS and probe is None else self._calm + 1
        if probe is not None or (self._calm == 0 and self._held_back):
            self._probe = rate
            return _PROBE
        change = min(_BIGGEST_STEP, 1 - _GAIN * (excess - _FEW))
        if change < 1:
            return min(1.0, max(change, rate / self.bucket.rate))
        return change if self._held_back else 1.0

    def _go_on_at(self, rate: float, burst: float, now: float) -> None:
        """Set the pace anew, with so many seconds' worth of requests at once at most."""
        self.bucket.set(rate, max(1.0, rate * burst), 0.0, now)
        self._recent.clear()
        self._probe = None
        self._held_back = False
        self._step = _Step(now, max(now, self._paused_until))


@dataclass
class _Step:
    """The replies between two changes of the pace, those left out that were sent before `tickets_from`."""

    began: float
    tickets_from: float = 0.0
    heard: int = 0
    refused: int = 0
    answered: int = 0
    """Of all that were answered in this time, whenever they were sent."""


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
