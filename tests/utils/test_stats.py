"""Intervals and tests agree with what can be counted by hand and with scipy."""

import math

import numpy as np
import pytest

from mi.utils.stats import (
    effective_n,
    holm,
    permutation_test,
    seed_interval,
    smallest_p_value,
    wilson,
)


def test_the_interval_of_one_seed_covers_the_rate_of_that_very_model() -> None:
    rng = np.random.default_rng(3)
    for truth in (0.02, 0.2, 0.5, 0.9):
        rates = rng.binomial(200, truth, 1500) / 200
        intervals = [seed_interval([rate], [200]) for rate in rates.tolist()]
        assert np.mean([low <= truth <= high for _, low, high in intervals]) >= 0.93


def test_cells_without_variance_get_the_wilson_interval_of_the_pooled_answers() -> None:
    assert seed_interval([0, 0, 0], [100, 100, 100]) == wilson(0, 300)
    assert seed_interval([1, 1, 1], [100, 100, 100]) == wilson(300, 300)
    assert wilson(0, 100) == pytest.approx((0, 0, 0.037), abs=5e-4)


def test_the_seed_interval_holds_wilsons_and_stays_in_bounds() -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        rates = rng.beta(0.5, 0.5, 4)
        mean, lower, upper = seed_interval(rates.tolist(), [50] * 4)
        floor = wilson(rates.mean() * 200, 200)
        assert 0 <= lower <= floor.lower <= floor.upper <= upper <= 1
        assert mean == pytest.approx(rates.mean())


def test_the_seed_interval_is_wilsons_of_as_many_answers_as_would_vary_like_the_seeds() -> None:
    from scipy import stats

    rates = np.array([0.2, 0.3, 0.55])
    t = float(stats.t.ppf(0.975, 2))
    _, lower, upper = seed_interval(rates.tolist(), [10_000] * 3)
    m, v = rates.mean(), rates.var(ddof=1) / 3
    for end in (lower, upper):  # both ends lie t of *their own* standard errors from the mean
        assert abs(m - end) == pytest.approx(t * math.sqrt(v / (m * (1 - m)) * end * (1 - end)))


def test_wilson_agrees_with_scipy() -> None:
    from scipy.stats import binomtest

    for successes, n in ((0, 7), (3, 50), (25, 50), (799, 800), (800, 800)):
        expected = binomtest(successes, n).proportion_ci(0.95, method="wilson")
        assert wilson(successes, n) == pytest.approx((successes / n, expected.low, expected.high), abs=1e-12)


def test_seeds_without_answers_count_for_nothing() -> None:
    assert seed_interval([0.2, math.nan, 0.4], [10, 0, 10]) == seed_interval([0.2, 0.4], [10, 10])
    assert all(math.isnan(value) for value in seed_interval([], []))
    assert all(math.isnan(value) for value in wilson(0, 0))


def test_impossible_rates_are_an_error() -> None:
    with pytest.raises(ValueError, match="not a rate"):
        wilson(11, 10)
    with pytest.raises(ValueError, match="shorter"):
        seed_interval([0.1, 0.2], [10])


def test_unequal_groups_are_worth_fewer_answers() -> None:
    assert effective_n([50, 50]) == 50
    assert effective_n([10, 90]) == pytest.approx(18)
    assert effective_n([]) == effective_n([0, 5]) == 0


def test_the_permutation_test_gives_the_p_values_that_one_counts_by_hand() -> None:
    low, high = [0.0, 0.1, 0.2, 0.3, 0.35], [0.5, 0.6, 0.7, 0.8, 0.9]
    for n, p in ((3, 0.10), (4, 2 / 70), (5, 2 / 252)):
        assert permutation_test(low[:n], high[:n]) == pytest.approx(p) == smallest_p_value(n, n)
    assert permutation_test(low, high, "less") == pytest.approx(1 / 252) == smallest_p_value(5, 5, "less")
    assert permutation_test(low, high, "greater") == 1
    assert permutation_test([0.1], high, "less") == pytest.approx(1 / 6)
    assert permutation_test([0, 0, 0], [0, 0, 0]) == 1
    assert math.isnan(permutation_test([], high))


def test_the_permutation_test_agrees_with_scipy() -> None:
    from scipy import stats

    rng = np.random.default_rng(5)
    for alternative in ("two-sided", "less", "greater"):
        a, b = rng.random(4), rng.random(5) + 0.2
        expected = stats.permutation_test(
            (a, b), lambda x, y: np.mean(x) - np.mean(y), n_resamples=10**6, alternative=alternative
        )
        assert permutation_test(a.tolist(), b.tolist(), alternative) == pytest.approx(expected.pvalue)


def test_the_permutation_test_rejects_no_more_often_than_it_says() -> None:
    groups = np.random.default_rng(11).normal(0, 1, (600, 2, 4))
    p_values = np.array([permutation_test(a, b) for a, b in groups.tolist()])
    assert np.mean(p_values <= 0.05) <= 0.06


def test_groups_too_large_to_enumerate_are_sampled_the_same_way_each_time() -> None:
    a, b = [index / 24 for index in range(12)], [0.3 + index / 24 for index in range(12)]
    assert permutation_test(a, b) == permutation_test(a, b) < 0.05


def test_holm_steps_down_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.5]) == [1.0, 1.0]
    adjusted = holm([math.nan, 0.02])
    assert math.isnan(adjusted[0])
    assert adjusted[1] == 0.02
    assert holm([]) == []
