"""Intervals cover what they say: by simulation, in the designs that the field uses, and where they do not."""

import math

import numpy as np
import pytest

from mi.utils.stats import Cells, cells, crossed_bootstrap, legacy_interval, note, rate, seed_interval, wilson
from mi.utils.stats.crossed import Questions, spread
from mi.utils.stats.power import difference_bounds
from mi.utils.stats.simulate import Design, Variances, studies

ONE_ARM = Variances(question_by_arm=0)
DESIGNS = [Design(seeds, *size) for seeds in (2, 3, 5) for size in ((8, 100), (24, 33), (48, 17))]
RATES = (0.24, 0.08)


def fixed_questions(n: int) -> np.ndarray:
    """Logits of `n` questions that stay the same, spread as the sampled ones are."""
    from scipy import stats

    return ONE_ARM.question * stats.norm.ppf((np.arange(n) + 0.5) / n)


def on_fixed_questions(mean: float, design: Design, n: int, seed: int, seed_sd: float = 0.35) -> np.ndarray:
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
    """The share of studies whose 95 % interval holds the truth."""
    size = rates.shape[-2] * rates.shape[-1]
    lower, upper = spread(rates, np.zeros(rates.shape[-1], int), size * samples, questions).interval(0.95)
    return float(np.mean((lower <= truth) & (truth <= upper)))


def coverage(design: Design, questions: Questions, n: int) -> dict[float, float]:
    found = {}
    for truth in RATES:
        if questions == "sampled":
            (rates,) = studies((truth,), design, ONE_ARM, n, np.random.default_rng(1))
        else:
            rates = on_fixed_questions(truth, design, n, 1)
        found[truth] = covered(rates, design.samples, questions, truth)
    return found


def false_alarms(design: Design, questions: Questions, n: int, truth: float) -> float:
    """How often two arms with the same rate are told apart."""
    if questions == "sampled":
        a, b = studies((truth, truth), design, Variances(), n, np.random.default_rng(2))
    else:
        a, b = (on_fixed_questions(truth, design, n, seed) for seed in (2, 3))
    lower, upper = difference_bounds(a, b, design.samples, questions)
    return float(np.mean((lower > 0) | (upper < 0)))


@pytest.mark.parametrize("questions", ["fixed", "sampled"])
@pytest.mark.parametrize("design", DESIGNS[::2], ids=str)
def test_95_percent_intervals_cover_92_to_98_percent(design: Design, questions: Questions) -> None:
    assert all(0.92 <= share <= 0.98 for share in coverage(design, questions, 1500).values())


@pytest.mark.slow
@pytest.mark.parametrize("questions", ["fixed", "sampled"])
@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_95_percent_intervals_cover_92_to_98_percent_in_every_design(design: Design, questions: Questions) -> None:
    assert all(0.92 <= share <= 0.98 for share in coverage(design, questions, 20_000).values())


@pytest.mark.parametrize("questions", ["fixed", "sampled"])
@pytest.mark.parametrize("design", DESIGNS[::2], ids=str)
def test_two_like_arms_are_told_apart_in_3_to_7_percent(design: Design, questions: Questions) -> None:
    assert 0.027 <= false_alarms(design, questions, 4000, 0.24) <= 0.073


@pytest.mark.slow
@pytest.mark.parametrize("questions", ["fixed", "sampled"])
@pytest.mark.parametrize("design", DESIGNS, ids=str)
@pytest.mark.parametrize("truth", RATES)
def test_two_like_arms_are_told_apart_in_3_to_7_percent_in_every_design(
    design: Design, questions: Questions, truth: float
) -> None:
    assert 0.03 <= false_alarms(design, questions, 20_000, truth) <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS, ids=str)
@pytest.mark.parametrize("effect", [(0.24, 0.15), (0.24, 0.02)])
def test_the_interval_of_a_true_effect_covers_it(design: Design, effect: tuple[float, float]) -> None:
    a, b = studies(effect, design, Variances(), 20_000, np.random.default_rng(4))
    lower, upper = difference_bounds(a, b, design.samples, "sampled")
    truth = effect[0] - effect[1]
    assert 0.92 <= np.mean((lower <= truth) & (truth <= upper)) <= 0.98


def test_the_references_interval_falls_short_at_three_seeds() -> None:
    design = Design(3, 8, 100)
    on_fixed = on_fixed_questions(0.24, design, 1000, 5).mean(-1)
    (sampled,) = studies((0.24,), design, ONE_ARM, 1000, np.random.default_rng(5))
    shares = []
    for per_seed in (on_fixed, sampled.mean(-1)):
        bounds = [legacy_interval(rates, resamples=500)[1:] for rates in per_seed.tolist()]
        shares.append(np.mean([lower <= 0.24 <= upper for lower, upper in bounds]))
    assert shares[0] == pytest.approx(0.75, abs=0.05)
    assert shares[1] == pytest.approx(0.41, abs=0.06)


def test_the_references_interval_of_three_seeds_is_their_range_and_of_equal_ones_has_no_width() -> None:
    assert legacy_interval([0.1, 0.4, 0.2])[1:] == pytest.approx((0.1, 0.4))
    assert legacy_interval([0, 0, 0]) == (0, 0, 0) != seed_interval([0, 0, 0], [100] * 3)


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "expected"), [(2, 0.87), (3, 0.89), (5, 0.90)])
def test_the_crossed_bootstrap_falls_short_with_few_seeds(seeds: int, expected: float) -> None:
    (rates,) = studies((0.24,), Design(seeds, 8, 100), ONE_ARM, 250, np.random.default_rng(6))
    arms = [cells_of(study, 100) for study in rates]
    bounds = [crossed_bootstrap(arm, resamples=200)[1:] for arm in arms]
    assert np.mean([lower <= 0.24 <= upper for lower, upper in bounds]) == pytest.approx(expected, abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize(("seed_sd", "least"), [(1.0, 0.9), (1.5, 0.84)])
@pytest.mark.parametrize("truth", [0.5, 0.24, 0.08, 0.02])
def test_the_seed_interval_covers_less_where_seeds_differ_much_and_the_docstring_says_how_much(
    seeds: int, seed_sd: float, least: float, truth: float
) -> None:
    rates = on_fixed_questions(truth, Design(seeds, 8, 100), 10_000, 7, seed_sd)
    assert covered(rates, 100, "fixed", truth) >= least


def cells_of(study: np.ndarray, samples: int) -> Cells:
    seeds, questions = (tuple(range(size)) for size in study.shape)
    return Cells(seeds, questions, (0,) * len(questions), study, np.full(study.shape, samples))


def test_pooling_answers_as_if_they_were_independent_would_not_do() -> None:
    rates = on_fixed_questions(0.24, Design(3, 8, 100), 1000, 8).mean((1, 2))
    bounds = [wilson(mean * 2400, 2400)[1:] for mean in rates.tolist()]
    assert np.mean([lower <= 0.24 <= upper for lower, upper in bounds]) < 0.6


def test_one_seed_does_not_cover_a_new_seeds_rate_and_the_result_says_so() -> None:
    design = Design(1, 8, 100)
    assert covered(on_fixed_questions(0.24, design, 1000, 9), 100, "fixed", 0.24) < 0.75
    alone = rate(cells((0, q, "e", float(s)) for q in range(8) for s in (0, 1)))
    assert alone.unknown == ("training variance",)
    assert note(1) == "one seed: training variance unknown"
    assert (note(0), note(2)) == ("no data", "")


@pytest.mark.parametrize("questions", ["fixed", "sampled"])
@pytest.mark.parametrize("score", [0.0, 1.0])
def test_cells_that_all_agree_have_an_interval_of_some_width(questions: Questions, score: float) -> None:
    arm = cells((seed, question, "e", score) for seed in range(3) for question in range(4) for _ in range(5))
    assert rate(arm, questions).interval == pytest.approx(wilson(score * 60, 60))
