"""How often intervals hold the truth, in invented studies of the designs that the field uses."""

import math

import numpy as np

from mi.utils.stats.bootstrap import crossed_bootstrap, legacy_interval
from mi.utils.stats.crossed import Questions, spread
from mi.utils.stats.estimates import Cells
from mi.utils.stats.intervals import wilson
from mi.utils.stats.power import difference_bounds
from mi.utils.stats.simulate import Design, Variances, studies

ONE_ARM = Variances(question_by_arm=0)
SEEDS = (2, 3, 5)
DESIGNS = tuple(Design(seeds, *size) for seeds in SEEDS for size in ((8, 100), (24, 33), (48, 17)))
RATES = (0.24, 0.08)
EFFECTS = ((0.24, 0.15), (0.24, 0.02))


def fixed_questions(n: int) -> np.ndarray:
    """Logits of `n` questions that stay the same, spread as the sampled ones are."""
    from scipy import stats

    return ONE_ARM.question * stats.norm.ppf((np.arange(n) + 0.5) / n)


def on_fixed_questions(mean: float, design: Design, n: int, seed: int, seed_sd: float = ONE_ARM.seed) -> np.ndarray:
    """Studies of shape (n, seeds, questions) whose questions are always the same; `mean` is over new seeds."""
    from scipy.optimize import brentq

    rng = np.random.default_rng(seed)
    questions = fixed_questions(design.questions)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    noise = math.hypot(seed_sd, ONE_ARM.seed_by_question) * nodes

    def expected(logit: float) -> float:
        return float((1 / (1 + np.exp(-(logit + questions[:, None] + noise))) @ weights / weights.sum()).mean())

    centre: float = brentq(lambda logit: expected(logit) - mean, -20, 20)  # type: ignore[assignment]
    shape = (n, design.seeds, design.questions)
    logits = centre + questions + rng.normal(0, seed_sd, (*shape[:2], 1))
    logits = logits + rng.normal(0, ONE_ARM.seed_by_question, shape)
    return rng.binomial(design.samples, 1 / (1 + np.exp(-logits))) / design.samples


def covered(rates: np.ndarray, samples: int, questions: Questions, truth: float) -> float:
    """The share of studies (n, seeds, questions) whose 95 % interval holds the truth."""
    size = rates.shape[-2] * rates.shape[-1]
    lower, upper = spread(rates, np.zeros(rates.shape[-1], int), size * samples, questions).interval(0.95)
    return float(np.mean((lower <= truth) & (truth <= upper)))


def coverage(design: Design, questions: Questions, n: int, truth: float) -> float:
    """The share of `n` studies whose interval of one arm's rate holds it."""
    if questions == "sampled":
        (rates,) = studies((truth,), design, ONE_ARM, n, np.random.default_rng(1))
    else:
        rates = on_fixed_questions(truth, design, n, 1)
    return covered(rates, design.samples, questions, truth)


def false_alarms(design: Design, questions: Questions, n: int, truth: float) -> float:
    """How often two arms with the same rate are told apart."""
    if questions == "sampled":
        a, b = studies((truth, truth), design, Variances(), n, np.random.default_rng(2))
    else:
        a, b = (on_fixed_questions(truth, design, n, seed) for seed in (2, 3))
    lower, upper = difference_bounds(a, b, design.samples, questions)
    return float(np.mean((lower > 0) | (upper < 0)))


def effect_covered(design: Design, effect: tuple[float, float], n: int) -> float:
    """The share of studies whose interval of a true difference, on sampled questions, holds it."""
    a, b = studies(effect, design, Variances(), n, np.random.default_rng(4))
    lower, upper = difference_bounds(a, b, design.samples, "sampled")
    truth = effect[0] - effect[1]
    return float(np.mean((lower <= truth) & (truth <= upper)))


def legacy_covered(questions: Questions, n: int, truth: float = 0.24) -> float:
    """How often the percentile bootstrap of three seed means holds the rate, on 8 questions of 100 answers."""
    design = Design(3, 8, 100)
    if questions == "sampled":
        (found,) = studies((truth,), design, ONE_ARM, n, np.random.default_rng(5))
    else:
        found = on_fixed_questions(truth, design, n, 5)
    bounds = [legacy_interval(rates, resamples=500)[1:] for rates in found.mean(-1).tolist()]
    return float(np.mean([lower <= truth <= upper for lower, upper in bounds]))


def crossed_covered(seeds: int, n: int, truth: float = 0.24) -> float:
    """How often the crossed bootstrap of seeds × questions holds the rate, on 8 questions of 100 answers."""
    (rates,) = studies((truth,), Design(seeds, 8, 100), ONE_ARM, n, np.random.default_rng(6))
    names = tuple(range(seeds)), tuple(range(8))
    arms = [Cells(*names, (0,) * 8, study, np.full(study.shape, 100)) for study in rates]
    bounds = [crossed_bootstrap(arm, resamples=200)[1:] for arm in arms]
    return float(np.mean([lower <= truth <= upper for lower, upper in bounds]))


def pooled_covered(n: int, truth: float = 0.24) -> float:
    """How often Wilson's interval of all answers pooled, as if independent, holds the rate with three seeds."""
    means = on_fixed_questions(truth, Design(3, 8, 100), n, 8).mean((1, 2))
    bounds = [wilson(mean * 2400, 2400)[1:] for mean in means.tolist()]
    return float(np.mean([lower <= truth <= upper for lower, upper in bounds]))


def where_seeds_differ_much(seeds: int, seed_sd: float, n: int, truth: float) -> float:
    """Coverage on fixed questions, 8 of 100 answers, of seeds that differ by this standard deviation in logits."""
    return covered(on_fixed_questions(truth, Design(seeds, 8, 100), n, 7, seed_sd), 100, "fixed", truth)


def where_sampled_differ_much(design: Design, variances: Variances, n: int, truth: float) -> float:
    """Coverage on sampled questions under other variances than the defaults."""
    (rates,) = studies((truth,), design, variances, n, np.random.default_rng(1))
    return covered(rates, design.samples, "sampled", truth)
