"""How often a study of a given size would show an effect of a given size, by simulation."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mi.utils.stats.crossed import Questions, mover_bounds, paired_bounds, question_correlation, spread
from mi.utils.stats.simulate import Design, Variances, studies


@dataclass(frozen=True)
class Power:
    """A design with the share of its studies whose interval excludes no effect, and that interval's median width."""

    design: Design
    shown: float
    width: float

    @property
    def error(self) -> float:
        """The standard error of `shown`, with the number of studies that `power` uses by default."""
        return float(np.sqrt(max(self.shown * (1 - self.shown), 1e-4) / STUDIES))


STUDIES = 1000


def power(
    effect: tuple[float, float],
    designs: Iterable[Design],
    variances: Variances,
    questions: Questions = "sampled",
    confidence: float = 0.95,
) -> list[Power]:
    """For each design: how often two arms with the rates of `effect` are told apart.

    The test is that of `mi.utils.stats.difference`: no effect lies outside the interval. Rates are expected over
    new seeds and new questions. The same designs give the same numbers. Designs need two seeds or more.
    """
    found = []
    for design in designs:
        a, b = studies(effect, design, variances, STUDIES, np.random.default_rng(0))
        lower, upper = difference_bounds(a, b, design.samples, questions, confidence)
        shown = float(np.mean((lower > 0) | (upper < 0)))
        found.append(Power(design, shown, float(np.median(upper - lower))))
    return found


def difference_bounds(
    a: np.ndarray, b: np.ndarray, samples: int, questions: Questions, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of `mi.utils.stats.difference` for many studies of shape (studies, seeds, questions) at once."""
    strata = np.zeros(a.shape[-1], int)
    n = a.shape[-2] * a.shape[-1] * samples
    first, second = (spread(arm, strata, n, questions) for arm in (a, b))
    if questions == "sampled":
        return mover_bounds(first, second, question_correlation(a, b, strata), confidence)
    first, second = (spread(arm.mean(-2, keepdims=True), strata, n, "fixed") for arm in (a, b))
    least, most = mover_bounds(first, second, 0.0, confidence)
    lower, upper = paired_bounds(a, b, strata, confidence)
    return np.minimum(lower, least), np.maximum(upper, most)
