"""A rate of requests found by being refused, for servers whose headers tell none.

Between two moments at which a limit was reached, what was answered is what the limit allows. Refusals of which few come
in a row are no sign of a limit, and slow nobody but themselves; where many come, a slower pace is tried, and given up
again where it does not help.
"""

import math
import random
from collections import deque
from dataclasses import dataclass
from typing import Literal

_IN_A_ROW, _OF_THE_LAST = 14, 16
"""So many refusals among the last so many replies are a limit; where a third is refused at random, 1 in 80,000 are."""
_SHORTEST_MEASURE = 0.5
"""Seconds between two signs of a limit from which a rate is measured rather than guessed."""
_PAUSE = 1.0
"""Seconds to pause where the server does not say."""
_REPLIES_A_STEP, _SHORTEST_STEP = 32, 0.25
_FEW_REPLIES, _LONG_STEP = 6, 1.5
"""A pace is looked at after so many replies and seconds, and after fewer replies where they take longer than that."""
_MANY, _FEW, _HARDLY_LESS = 0.25, 0.05, 0.85
"""Shares of refusals: a sign of a limit, what a pace at the limit aims for, and what is no fall."""
_BOLD_STEP, _BIGGEST_STEP, _SMALLEST_STEP, _GAIN = 1.6, 1.03, 0.1, 0.6
"""By how much a guessed pace grows, a found one at most, either shrinks at most, and how strongly a share counts."""
_PROBE, _WORTH_IT, _CALM_STEPS = 1.25, 1.12, 8
"""How much faster is tried, how much more must be answered to go on at it, and after how many steps it is tried."""
_SHORTEST_BURST = 0.1
_SLOWEST = 0.05


class Bucket:
    """So many units a second, and at most `capacity` at once; without bounds until it is told of some."""

    def __init__(self, rate: float = math.inf, capacity: float = math.inf) -> None:
        self.rate, self.capacity, self.level, self._at = rate, capacity, capacity, 0.0

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` is there; what is larger than the bucket waits until that is full."""
        if self.rate == math.inf:
            return 0.0
        self._refill(now)
        lacking = min(amount, self.capacity) - self.level
        return 0.0 if lacking <= 1e-9 else lacking / self.rate

    def take(self, amount: float, now: float) -> None:
        """Take `amount` out, on credit where it is not there."""
        if self.rate != math.inf:
            self._refill(now)
            self.level -= amount

    def set(self, rate: float, capacity: float, level: float, now: float) -> None:
        """Go on with these bounds and this level."""
        self.rate, self.capacity, self.level, self._at = rate, capacity, min(level, capacity), now

    def _refill(self, now: float) -> None:
        if self.level < self.capacity and now > self._at:
            self.level = min(self.capacity, self.level + (now - self._at) * self.rate)
        self._at = now


class Pace:
    """A rate of requests found by being refused; without bounds until a limit has shown."""

    def __init__(self, now: float) -> None:
        self.bucket = Bucket()
        self._state: Literal["free", "tried", "guessed", "found"] = "free"
        self._paused_until = 0.0
        self._limit_at, self._answered = now, 0
        self._step = Step(now)
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
        elif self._step.is_over(now):
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
        self._step = Step(now, now if abs(change - 1) > _FEW else self._step.tickets_from)
        self.bucket.rate = max(self.bucket.rate * change, _SLOWEST)
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
        self.bucket.set(max(rate, _SLOWEST), max(1.0, rate * burst), 0.0, now)
        self._recent.clear()
        self._probe = None
        self._held_back = False
        self._step = Step(now, max(now, self._paused_until))


@dataclass
class Step:
    """The replies between two changes of the pace, those left out that were sent before `tickets_from`."""

    began: float
    tickets_from: float = 0.0
    heard: int = 0
    refused: int = 0
    answered: int = 0
    """Of all that were answered in this time, whenever they were sent."""

    def is_over(self, now: float) -> bool:
        """Whether enough was heard to judge the pace: at a slow one, less is enough, or it would stay slow for long."""
        lasted = now - self.began
        enough = _REPLIES_A_STEP if lasted < _LONG_STEP else _FEW_REPLIES
        return self.heard >= enough and lasted >= _SHORTEST_STEP
