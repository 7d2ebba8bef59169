"""Exact permutation tests between two groups of runs, and Holm's adjustment of a family of p-values."""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import Literal

Alternative = Literal["two-sided", "less", "greater"]

_MOST_ARRANGEMENTS = 200_000
"""Above this many ways to deal runs into two groups (11 against 11) a fixed sample of them is drawn instead."""


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
