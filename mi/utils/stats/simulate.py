"""Invented studies with known truth: seeds and questions that differ normally in logits, answers yes or no."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mi.utils.stats.estimates import Cells


@dataclass(frozen=True)
class Variances:
    """Standard deviations in logits: between training seeds, between questions, and of a seed on a question.

    `question_by_arm` is how much the effect of an arm differs between questions. The defaults are those of the design
    study (between-question share of the variance as in Qwen2.5-7B organisms); a pilot gives better ones (`estimate`).
    """

    seed: float = 0.35
    question: float = 1.2
    seed_by_question: float = 0.35
    question_by_arm: float = 0.4

    @property
    def total(self) -> float:
        """The standard deviation of a cell, one arm seen alone."""
        return math.hypot(self.seed, self.question, self.seed_by_question, self.question_by_arm)


@dataclass(frozen=True)
class Design:
    """How much is measured: training seeds an arm, questions, answers a seed and question."""

    seeds: int
    questions: int
    samples: int


def studies(
    rates: tuple[float, ...], design: Design, variances: Variances, n: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """For each arm `n` studies of shape (n, seeds, questions): arms share questions and not seeds.

    `rates` are expected over new seeds *and* new questions.
    """
    shape = (design.seeds, design.questions)
    questions = rng.normal(0, variances.question, (n, 1, shape[1]))
    found = []
    for rate in rates:
        logits = centre(rate, variances.total) + questions
        logits = logits + rng.normal(0, variances.question_by_arm, (n, 1, shape[1]))
        logits = logits + rng.normal(0, variances.seed, (n, shape[0], 1))
        logits = logits + rng.normal(0, variances.seed_by_question, (n, *shape))
        found.append(rng.binomial(design.samples, _rate(logits)) / design.samples)
    return found


@lru_cache(maxsize=4096)
def expected(logit: float, deviation: float) -> float:
    """The mean rate of cells whose logits are normal around `logit`."""
    nodes, weights = _nodes()
    return float(_rate(logit + deviation * nodes) @ weights)


@lru_cache(maxsize=4096)
def centre(rate: float, deviation: float) -> float:
    """The logit around which cells have this mean rate."""
    from scipy.optimize import brentq

    return float(brentq(lambda logit: expected(logit, deviation) - rate, -40, 40))  # type: ignore[arg-type]


def estimate(arm: Cells) -> Variances:
    """The standard deviations of one arm, by moments; `question_by_arm` keeps its default, one arm cannot tell it.

    NaN for those of which there is only one unit. Cells need two answers each, or the noise of answers within a cell
    counts as the seed's own on that question.
    """
    mean = float(np.nanmean(arm.rates))
    seed, question, cell = _moments(arm)
    total = _deviation(lambda d: _spread(mean, d, d), sum(max(0.0, v) for v in (seed, question, cell) if v == v))
    seed, question = (
        variance if math.isnan(variance) else _deviation(lambda d: _spread(mean, total, d), variance, total)
        for variance in (seed, question)
    )
    # What is neither the seed's nor the question's own in rates is, in part, the curve of the logit.
    rest = math.sqrt(max(0.0, total**2 - sum(part**2 for part in (seed, question) if part == part)))
    return Variances(seed, question, math.nan if math.isnan(cell) else rest)


def _moments(arm: Cells) -> tuple[float, float, float]:
    """Variance components of the rates: of seeds, of questions, of their cells beyond the noise of answers."""
    rates, counts = arm.rates, arm.counts
    seeds, questions = rates.shape
    by_seed, by_question = np.nanmean(rates, 1), np.nanmean(rates, 0)
    residual = rates - by_seed[:, None] - by_question[None, :] + np.nanmean(rates)
    cell = float(np.nansum(residual**2) / max(1, (seeds - 1) * (questions - 1)))
    several = counts > 1
    noise = float(np.mean((rates * (1 - rates))[several] / (counts[several] - 1))) if several.any() else 0.0
    return (
        float(np.var(by_seed, ddof=1)) - cell / questions if seeds > 1 else math.nan,
        float(np.var(by_question, ddof=1)) - cell / seeds if questions > 1 else math.nan,
        cell - noise if min(seeds, questions) > 1 else math.nan,
    )


def _spread(rate: float, total: float, part: float) -> float:
    """The variance of the rates of units that differ by `part` of the `total` deviation in logits."""
    nodes, weights = _nodes()
    middle, rest = centre(rate, total), math.sqrt(max(0.0, total**2 - part**2))
    means = np.array([expected(float(middle + part * node), rest) for node in nodes])
    return float(means**2 @ weights) - rate**2


def _deviation(variance: Callable[[float], float], wanted: float, most: float = 8.0) -> float:
    """The deviation in logits, at most `most`, that makes this variance of rates."""
    from scipy.optimize import brentq

    if wanted <= 1e-9 or most <= 1e-6:
        return 0.0
    if variance(most) <= wanted:
        return most
    return float(brentq(lambda deviation: variance(deviation) - wanted, 0, most, xtol=1e-3))  # type: ignore[arg-type]


@lru_cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    return nodes, weights / weights.sum()


def _rate(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))
