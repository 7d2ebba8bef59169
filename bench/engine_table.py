"""What the benchmark of engines found, as tables: medians, then each line of the acceptance with its verdict."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

OURS, AT_200, AGAIN = "mi", "mi, 200 at once", "mi, opened again"
Figures = dict[str, float]
LIMIT = 40
WIRE = {"wire-0ms": "0 ms", "wire-50ms": "50 ms"}
SLOWER = (("inspect_ai", 30), ("reference", 15), ("openai_sdk", 6))
"""Peers and how many times our time theirs is to be at least."""
IDLE = 0.1
"""The share of the processors that others may use while wall times count."""


class Job(NamedTuple):
    """One run of one engine."""

    part: str
    engine: str
    n: int
    round: int


@dataclass(frozen=True)
class Sizes:
    """How much is asked: samples side by side, of the large store, under the limit; and how often."""

    samples: int = 2000
    large: int = 100_000
    limited: int = 500
    rounds: int = 3


class Line(NamedTuple):
    """A line of the acceptance: what was found, by the wall clock and by CPU seconds, and what is wanted."""

    what: str
    wanted: str
    wall: float | None
    cpu: float | None
    holds: Callable[[float], bool]


Pair = tuple[float | None, float | None]


class Medians:
    """The medians of the figures that are there."""

    def __init__(self, found: Mapping[Job, Figures]) -> None:
        self._found = found

    def of(self, part: str, engine: str, n: int, key: str) -> float | None:
        """One median; None where nothing was measured."""
        values = [figures[key] for job, figures in self._found.items() if job[:3] == (part, engine, n)]
        return statistics.median(values) if values else None

    def ratio(self, part: str, above: tuple[str, int], below: tuple[str, int], by: float = 1) -> Pair:
        """One engine's medians, by the wall clock and by CPU seconds, over another's and over `by`."""
        over, under = self.pair(part, *above), self.pair(part, *below)
        wall, cpu = (None if a is None or not b else a / b / by for a, b in zip(over, under, strict=True))
        return wall, cpu

    def pair(self, part: str, engine: str, n: int) -> Pair:
        """An engine's seconds, by the wall clock and of CPU."""
        return self.of(part, engine, n, "wall"), self.of(part, engine, n, "cpu")

    def engines(self, part: str) -> list[tuple[str, int]]:
        """The engines of a part with their numbers of samples, those of the least CPU first."""
        pairs = {(job.engine, job.n) for job in self._found if job.part == part}
        return sorted(pairs, key=lambda pair: (pair[1], self.of(part, *pair, "cpu") or 0))

    def rounds(self, part: str, engine: str, n: int) -> int:
        """How often an engine was measured."""
        return sum(job[:3] == (part, engine, n) for job in self._found)


def print_tables(found: Mapping[Job, Figures], sizes: Sizes, quick: bool) -> None:
    """Every part that was measured, then the acceptance. A quick run has no verdicts: it is too small to tell."""
    medians = Medians(found)
    for part in dict.fromkeys(job.part for job in found):
        print(f"\n{part}: medians")
        print(f"{'':18}{'samples':>9}{'rounds':>7}{'wall s':>9}{'CPU s':>9}{'MB':>7}{'requests':>10}{'wall/ours':>11}")
        for engine, n in medians.engines(part):
            wall, cpu, mb, requests = (medians.of(part, engine, n, key) for key in ("wall", "cpu", "mb", "requests"))
            ratio = _shown(medians.ratio(part, (engine, n), (OURS, n))[0])
            rounds = medians.rounds(part, engine, n)
            print(f"{engine:18}{n:>9}{rounds:>7}{wall:>9.2f}{cpu:>9.2f}{mb:>7.0f}{requests:>10.0f}{ratio:>11}")
    busy = max((figures["others"] for figures in found.values()), default=float("nan"))
    idle = busy <= IDLE
    print(
        f"\nThe acceptance; others used up to {busy:.0%} of the processors{'' if idle else ': wall times mean little'}"
    )
    print(f"{'':52}{'wanted':>10}{'found':>10}{'by CPU':>10}")
    for line in acceptance(medians, sizes):
        print(f"{line.what:52}{line.wanted:>10}{_shown(line.wall):>10}{_shown(line.cpu):>10}  {_verdict(line, quick)}")


def acceptance(medians: Medians, sizes: Sizes) -> list[Line]:
    """The lines of the acceptance, in its order."""
    lines = [line for part in WIRE for line in _side_by_side(medians, part, sizes.samples)]
    few, many = (OURS, sizes.samples), (OURS, sizes.large)
    memory = [medians.of("scale", *size, "mb") for size in (few, many)]
    growth = medians.ratio("scale", many, few, by=sizes.large / sizes.samples)
    calls, ideal = 2 * sizes.limited, (2 * sizes.limited - LIMIT) / LIMIT
    limited = (medians.of("limit", OURS, sizes.limited, key) for key in ("wall", "requests"))
    seconds, requests = (_over(value, by) for value, by in zip(limited, (ideal, calls), strict=True))
    again = medians.pair("scale", AGAIN, sizes.large)
    asked_again = medians.of("scale", AGAIN, sizes.large, "requests")
    return [
        *lines,
        Line(f"peak MB, {sizes.samples:,} samples", "< 120", memory[0], None, lambda found: found < 120),
        Line(f"peak MB, {sizes.large:,} samples", "< 400", memory[1], None, lambda found: found < 400),
        Line(f"cost a sample, {sizes.large:,} over {sizes.samples:,}", "<= 1.3", *growth, lambda found: found <= 1.3),
        Line(f"{LIMIT} requests a second: time over the ideal", "<= 1.1", seconds, None, lambda found: found <= 1.1),
        Line(f"{LIMIT} requests a second: requests over calls", "<= 1.25", requests, None, lambda found: found <= 1.25),
        Line(f"opening and scoring {sizes.large:,}: seconds", "< 3", *again, lambda found: found < 3),
        Line(f"opening and scoring {sizes.large:,}: requests", "0", asked_again, None, lambda found: found == 0),
    ]


def _side_by_side(medians: Medians, part: str, n: int) -> list[Line]:
    lines = []
    for peer, least in SLOWER:
        found = medians.ratio(part, (peer, n), (OURS, n))
        lines.append(Line(f"{peer} over ours, {WIRE[part]}", f">= {least}", *found, lambda r, least=least: r >= least))
    found = medians.ratio(part, (OURS, n), ("bare_aiohttp", n))
    return [*lines, Line(f"ours over bare aiohttp, {WIRE[part]}", "<= 2", *found, lambda ratio: ratio <= 2)]


def _over(value: float | None, by: float) -> float | None:
    return None if value is None else value / by


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}" if value % 1 else f"{value:,.0f}"


def _verdict(line: Line, quick: bool) -> str:
    if line.wall is None:
        return "not measured"
    if quick:
        return "(quick)"
    return "PASS" if line.holds(line.wall) else "short of it"
