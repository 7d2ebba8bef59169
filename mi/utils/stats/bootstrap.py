"""Bootstrap intervals: the reference implementation's, kept to be compared with, and that of seeds × questions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mi.utils.stats.estimates import Cells
from mi.utils.stats.intervals import NO_INTERVAL, Interval, wilson


def legacy_interval(per_seed_rates: Sequence[float], confidence: float = 0.95, resamples: int = 2000) -> Interval:
    """The interval of the code of Tan et al. (2025), for comparison only: percentiles of resampled seed means.

    Three seeds give their smallest and largest rate, which hold a new seed's expectation in 75 %, not 95 %; equal
    seeds, or one, give no width at all. Missing rates must be left out.
    """
    if not len(per_seed_rates):
        return NO_INTERVAL
    rates = np.asarray(per_seed_rates, float)
    means = np.random.default_rng(0).choice(rates, (resamples, len(rates))).mean(1)
    lower, upper = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(rates.mean()), float(lower), float(upper))


def crossed_bootstrap(arm: Cells, confidence: float = 0.95, resamples: int = 2000, seed: int = 0) -> Interval:
    """Percentiles of the mean when seeds and questions are drawn anew, crossed, and answers within each cell.

    A sensitivity analysis beside `rate(…, "sampled")`: percentiles know nothing of small samples, so that it covers
    .84 to .93 with 2 to 5 seeds and 8 questions (tests/utils/test_stats_coverage.py). Questions are drawn within their
    evaluation; scores within cells count as yes or no. Wilson's interval is its floor.
    """
    if not arm.seeds:
        return NO_INTERVAL
    draws = np.random.default_rng(seed)
    seeds = draws.integers(len(arm.seeds), size=(resamples, len(arm.seeds)))
    totals: list[Any] = []
    for stratum in dict.fromkeys(arm.strata):
        columns = np.flatnonzero([own == stratum for own in arm.strata])
        chosen = draws.choice(columns, (resamples, len(columns)))
        rates, counts = (table[seeds[:, :, None], chosen[:, None, :]] for table in (arm.rates, arm.counts))
        drawn = draws.binomial(counts.astype(int), np.nan_to_num(rates)) / np.where(counts > 0, counts, 1)
        known = counts > 0
        totals.append((drawn * known).sum((1, 2)) / np.maximum(known.sum((1, 2)), 1))
    means = np.mean(totals, axis=0)
    lower, upper = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    by_question = np.nanmean(arm.rates, 0)
    groups = [by_question[[own == stratum for own in arm.strata]].mean() for stratum in dict.fromkeys(arm.strata)]
    mean = float(np.mean(groups))
    floor = wilson(mean * arm.n, arm.n, confidence)
    return Interval(mean, min(floor.lower, float(lower)), max(floor.upper, float(upper)))
