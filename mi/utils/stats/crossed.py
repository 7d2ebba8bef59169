"""Rates and differences of seeds × questions, on arrays: any number of studies at once, no labels.

All functions take rates of shape (…, seeds, questions) in [0, 1], a cell without answers being NaN, and `strata`, the
number of the evaluation that each question belongs to: evaluations have equal weight, and so have the questions
within one. The leading dimensions are independent studies (one study: none; a simulation: thousands).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mi.utils.stats.intervals import score_bounds, t_quantile, wilson_bounds

Questions = Literal["fixed", "sampled"]
"""The estimand: these very questions, or all those of which they are a sample."""

_CAUTION = 0.1
"""Satterthwaite's degrees of freedom are too many where few seeds happen to agree. A tenth of the way is gone towards
the half-width that is never too small (the root of the summed squares, each with its own quantile); by simulation this
keeps 2 seeds × 48 questions above .93 and 2 × 8 below .98."""
_TWICE = 2 / 3
"""How much of the interaction is taken out of each arm's variance when their correlation is told; by simulation two
like arms are then told apart in 3 to 7 %."""
_LEEWAY = 1.25
"""How much wider than the safe half-width, without logits, the interval on logits may be."""


@dataclass(frozen=True)
class Part:
    """One source of variance: the mean without each of its units in turn, of shape (…, units)."""

    without: np.ndarray

    @property
    def freedom(self) -> int:
        """Degrees of freedom."""
        return self.without.shape[-1] - 1

    def variance(self, scale: Any = None) -> np.ndarray:
        """The jackknife variance of the mean, on a scale (a function) of one's own."""
        values = self.without if scale is None else scale(self.without)
        return ((values - values.mean(-1, keepdims=True)) ** 2).sum(-1) * self.freedom / (self.freedom + 1)


@dataclass(frozen=True)
class Spread:
    """The mean of studies with what it varies by; `n` is what its answers are worth as a simple sample."""

    mean: np.ndarray
    seeds: Part | None
    questions: tuple[Part, ...]
    """One an evaluation with two questions or more; none where questions are fixed."""
    n: np.ndarray

    def interval(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds of the rate, at least Wilson's."""
        lower, upper = wilson_bounds(self.mean, self.n, confidence)
        if not self.questions and self.seeds:
            bounds = score_bounds(self.mean, self.seeds.variance(), t_quantile(self.seeds.freedom, confidence))
        elif self.parts:
            bounds = self._crossed(confidence)
        else:
            return lower, upper
        return np.fmin(lower, bounds[0]), np.fmax(upper, bounds[1])

    @property
    def parts(self) -> tuple[Part, ...]:
        """All sources of variance."""
        return (*([self.seeds] if self.seeds else []), *self.questions)

    def _crossed(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """Student-t on logits, within the wide score interval; see `docs/statistics.md`."""
        end = 0.5 / self.n

        def logit(rate: np.ndarray) -> np.ndarray:
            edge = end if rate.ndim == self.mean.ndim else end[..., None]
            rate = np.clip(rate, edge, 1 - edge)
            return np.log(rate / (1 - rate))

        half = _half_width([(part.variance(logit), part.freedom) for part in self.parts], confidence, _CAUTION)
        centre = logit(self.mean)
        lower, upper = (1 / (1 + np.exp(-np.clip(centre + sign * half, -700, 700))) for sign in (-1, 1))
        # A rate that one seed alone carries has no finite logit without it; without this bound, 0, 0 and .05 would
        # give [0, 1].
        raw = [(part.variance(), part.freedom) for part in self.parts]
        total = sum(variance for variance, _ in raw)
        with np.errstate(divide="ignore", invalid="ignore"):
            quantile = _LEEWAY * _half_width(raw, confidence, 1.0) / np.sqrt(total)
        wide = score_bounds(self.mean, total, quantile)
        return np.fmax(lower, wide[0]), np.fmin(upper, wide[1])


def spread(rates: np.ndarray, strata: np.ndarray, n: Any, questions: Questions) -> Spread:
    """Measure what the mean of (…, seeds, questions) varies by; `n` as in `Spread`."""
    weights = _weights(strata)
    by_question = _mean(rates, -2)
    mean = _weighted(by_question, weights)
    seeds = None
    if rates.shape[-2] > 1 and questions == "fixed":
        by_seed = _weighted(rates, weights)
        seeds = Part((by_seed.sum(-1, keepdims=True) - by_seed) / (by_seed.shape[-1] - 1))
        mean = by_seed.mean(-1)
    elif rates.shape[-2] > 1:
        left = [_weighted(_mean(np.delete(rates, seed, -2), -2), weights) for seed in range(rates.shape[-2])]
        seeds = Part(np.stack(left, -1))
    parts: list[Part] = []
    for stratum in np.unique(strata) if questions == "sampled" else ():
        own = by_question[..., strata == stratum]
        size, share = own.shape[-1], len(np.unique(strata))
        if size > 1:
            total = own.sum(-1, keepdims=True)
            parts.append(Part(mean[..., None] + ((total - own) / (size - 1) - total / size) / share))
    return Spread(mean, seeds, tuple(parts), np.broadcast_to(np.asarray(n, float), mean.shape))


def paired_bounds(a: np.ndarray, b: np.ndarray, strata: np.ndarray, confidence: float) -> tuple[Any, Any]:
    """Questions fixed: bounds of a - b by Student-t over pairs of seeds, two or more; both of one shape."""
    pairs = _weighted(a - b, _weights(strata))
    mean, freedom = pairs.mean(-1), pairs.shape[-1] - 1
    half = t_quantile(freedom, confidence) * pairs.std(-1, ddof=1) / np.sqrt(freedom + 1)
    return mean - half, mean + half


def mover_bounds(first: Spread, second: Spread, correlation: Any, confidence: float) -> tuple[Any, Any]:
    """Bounds of a difference from the intervals of its two rates (Zou and Donner 2008, Stat. Med. 27)."""
    (l1, u1), (l2, u2) = first.interval(confidence), second.interval(confidence)
    m1, m2 = first.mean, second.mean

    def joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(one**2 + other**2 - 2 * correlation * one * other, 0))

    return m1 - m2 - joined(m1 - l1, u2 - m2), m1 - m2 + joined(u1 - m1, m2 - l2)


def question_correlation(a: np.ndarray, b: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """How far the means of two arms err together since both were asked the same questions; in [0, .98].

    The sum of the variances over seeds and over questions holds that of their interaction twice, which makes rates
    safe and would make differences timid: most of one is taken out here.
    """
    ones, others = _mean(a, -2), _mean(b, -2)
    covariance: Any = 0.0
    share = len(np.unique(strata))
    for stratum in np.unique(strata):
        x, y = (by_question[..., strata == stratum] for by_question in (ones, others))
        size = x.shape[-1]
        if size > 1:
            product = (x - x.mean(-1, keepdims=True)) * (y - y.mean(-1, keepdims=True))
            covariance = covariance + product.sum(-1) / (size - 1) / size / share**2
    variances = [_variance(rates, strata) for rates in (a, b)]
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = covariance / np.sqrt(variances[0] * variances[1])
    return np.clip(np.nan_to_num(correlation), 0, 0.98)


def _variance(rates: np.ndarray, strata: np.ndarray) -> np.ndarray:
    whole = spread(rates, strata, 1, "sampled")
    total = sum((part.variance() for part in whole.parts), np.zeros(whole.mean.shape))
    seeds, questions = rates.shape[-2], rates.shape[-1]
    left = questions - len(np.unique(strata))
    if seeds < 2 or left < 1:
        return total
    residual = rates - _mean(rates, -2)[..., None, :]
    for stratum in np.unique(strata):
        own = strata == stratum
        residual[..., own] -= _mean(residual[..., own], -1)[..., None]
    per_cell = np.nansum(residual**2, (-2, -1)) / ((seeds - 1) * left)
    return np.maximum(total - per_cell * (_weights(strata) ** 2).sum() / seeds * _TWICE, total / 4)


def _half_width(parts: list[tuple[np.ndarray, int]], confidence: float, caution: float) -> np.ndarray:
    """Of the sum of variances with their degrees of freedom: Satterthwaite's, `caution` of the way to the safe one."""
    total = sum(variance for variance, _ in parts)
    squares = sum(variance**2 / freedom for variance, freedom in parts)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.maximum(np.where(squares > 0, np.divide(total**2, squares), 1), 1)
    usual = t_quantile(freedom, confidence) * np.sqrt(total)
    safe = np.sqrt(sum(variance * t_quantile(freedom, confidence) ** 2 for variance, freedom in parts))
    return (1 - caution) * usual + caution * safe


def _weights(strata: np.ndarray) -> np.ndarray:
    _, index, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    return 1 / (len(sizes) * sizes[index])


def _mean(rates: np.ndarray, axis: int) -> np.ndarray:
    known = ~np.isnan(rates)
    with np.errstate(invalid="ignore"):
        return np.where(known, rates, 0).sum(axis) / known.sum(axis)


def _weighted(rates: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean over questions of those that are known."""
    known = ~np.isnan(rates)
    return (np.where(known, rates, 0) * weights).sum(-1) / (known * weights).sum(-1)
