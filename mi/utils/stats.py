"""Rates with their intervals, and tests between groups of runs, where the training seed is the random unit."""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

Alternative = Literal["two-sided", "less", "greater"]

_MOST_ARRANGEMENTS = 200_000
"""Above this many ways to deal runs into two groups (11 against 11) a fixed sample of them is drawn instead."""


class Interval(NamedTuple):
    """A rate in [0, 1] and the ends of its interval; all three NaN where there is no answer."""

    mean: float
    lower: float
    upper: float


NO_INTERVAL = Interval(math.nan, math.nan, math.nan)


def seed_interval(per_seed_rates: Sequence[float], per_seed_n: Sequence[float], confidence: float = 0.95) -> Interval:
    """The mean over training seeds of a rate, with an interval for it.

    Estimand: the expected rate of *this base model, trained on these data, asked these questions*, under a new
    training seed. Questions are fixed; seeds are the random unit, each with equal weight. The interval is
    Student-t over the seeds' rates, clipped to [0, 1], united with the Wilson interval of the answers pooled, so
    that cells without variance (all zero, say) are not given one of width nothing. It is therefore never narrower
    than either.

    Coverage of the 95 % interval by simulation at 2, 3, 5 and 10 seeds (tests/utils/test_stats.py): .94 or more
    where seeds differ by a standard deviation of .5 logits; .85 to .94 where they differ by 1.5, worst at rates
    near an end, whose seed rates are skewed.

    With one seed only Wilson's is left: it holds for this one trained model and knows nothing of how another seed
    would have come out, which `note` says in words. Seeds without an answer (n of 0, or a rate of NaN) count for
    nothing. `per_seed_n` is in answers and may be fractional (see `effective_n`). Raises ValueError where the two
    sequences differ in length or a rate lies outside [0, 1].
    """
    pairs = [(r, n) for r, n in zip(per_seed_rates, per_seed_n, strict=True) if n > 0 and not math.isnan(r)]
    if not pairs:
        return NO_INTERVAL
    rates = [rate for rate, _ in pairs]
    mean = math.fsum(rates) / len(rates)
    # One weight a seed: the pooled answers are worth as many as carry the same variance under equal weights.
    n = len(pairs) * effective_n([n for _, n in pairs])
    floor = wilson(mean * n, n, confidence)
    if len(rates) == 1:
        return floor
    variance = math.fsum((rate - mean) ** 2 for rate in rates) / (len(rates) - 1)
    half = _t_quantile(len(rates) - 1, confidence) * math.sqrt(variance / len(rates))
    return Interval(mean, min(floor.lower, max(0.0, mean - half)), max(floor.upper, min(1.0, mean + half)))


def note(n_seeds: int) -> str:
    """What a reader must know of an interval over this many seeds beyond its ends; empty from two on."""
    return {0: "no data", 1: "one seed: training variance unknown"}.get(n_seeds, "")


def wilson(successes: float, n: float, confidence: float = 0.95) -> Interval:
    """The score interval of a binomial rate; `successes` may be a sum of scores in [0, 1].

    Its coverage holds for independent answers of one model. Raises ValueError for successes outside [0, n].
    """
    if n == 0:
        return NO_INTERVAL
    rate = successes / n
    if not -1e-9 <= rate <= 1 + 1e-9:
        raise ValueError(f"{successes} successes of {n} are not a rate in [0, 1]")
    rate = min(1.0, max(0.0, rate))
    z2 = _normal_quantile(confidence) ** 2
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # At the ends the formula gives 0 and 1 but for rounding; say so exactly.
    return Interval(rate, min(rate, max(0.0, centre - half)), max(rate, min(1.0, centre + half)))


def effective_n(counts: Sequence[float]) -> float:
    """Answers a group that would carry the same variance if the groups, weighted equally, were of one size."""
    return len(counts) / math.fsum(1 / count for count in counts) if counts and min(counts) > 0 else 0.0


def permutation_test(a: Sequence[float], b: Sequence[float], alternative: Alternative = "two-sided") -> float:
    """The exact p-value of the difference mean(a) - mean(b) when the runs are dealt anew into two groups.

    One number a run (its mean), since answers of one run are not independent. "less" asks whether `a` lies below
    `b`. Groups may have one run, which scipy's test refuses. NaN where a group is empty. Few runs cannot give a
    small p-value: see `smallest_p_value`.
    """
    if not len(a) or not len(b):
        return math.nan
    observed = math.fsum(a)
    sums = [math.fsum(group) for group in _deals([*a, *b], len(a))]
    # Sums of the same runs in another order may differ in the last bit, and are ties all the same.
    below = sum(value <= observed + 1e-9 for value in sums) / len(sums)
    above = sum(value >= observed - 1e-9 for value in sums) / len(sums)
    return {"two-sided": min(1.0, 2 * min(below, above)), "less": below, "greater": above}[alternative]


def smallest_p_value(n_a: int, n_b: int, alternative: Alternative = "two-sided") -> float:
    """The smallest p-value that `permutation_test` can give with groups of these sizes (3 against 3: .10)."""
    if not n_a or not n_b:
        return math.nan
    return min(1.0, (2 if alternative == "two-sided" else 1) / math.comb(n_a + n_b, n_a))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment within one family, in the order given; NaN stays NaN and is not of the family."""
    adjusted = [math.nan] * len(p_values)
    family = sorted((p, i) for i, p in enumerate(p_values) if not math.isnan(p))
    highest = 0.0
    for rank, (p, index) in enumerate(family):
        highest = max(highest, min(1.0, p * (len(family) - rank)))
        adjusted[index] = highest
    return adjusted


def _deals(runs: list[float], size: int) -> Iterator[Sequence[float]]:
    """Every way to take `size` of the runs, or, where these are too many, the actual one and a fixed sample."""
    if math.comb(len(runs), size) <= _MOST_ARRANGEMENTS:
        yield from itertools.combinations(runs, size)
        return
    generator = random.Random(0)
    yield runs[:size]
    yield from (generator.sample(runs, size) for _ in range(_MOST_ARRANGEMENTS))


@lru_cache
def _t_quantile(degrees_of_freedom: int, confidence: float) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + confidence) / 2, degrees_of_freedom))


@lru_cache
def _normal_quantile(confidence: float) -> float:
    from scipy import stats

    return float(stats.norm.ppf((1 + confidence) / 2))
