"""Rates and differences are of labelled answers: paired, counted, and honest about what is missing."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mi.utils.stats import Cells, cells, crossed_bootstrap, difference, equivalence, rate, seed_interval
from mi.utils.stats.power import difference_bounds, power
from mi.utils.stats.simulate import Design, Variances, estimate, expected, studies


def arm(per_seed: dict[int, list[float]], samples: int = 20) -> Cells:
    """From seed -> the rate of each question."""
    return cells(
        (seed, f"q{index}", "e", float(sample < round(value * samples)))
        for seed, rates in per_seed.items()
        for index, value in enumerate(rates)
        for sample in range(samples)
    )


LOW = arm({0: [0.1, 0.2], 1: [0.2, 0.3], 2: [0.1, 0.3]})
HIGH = arm({0: [0.6, 0.8], 1: [0.7, 0.8], 2: [0.5, 0.9]})


def test_a_rate_on_fixed_questions_is_the_seed_interval() -> None:
    assert rate(LOW).interval == pytest.approx(seed_interval([0.15, 0.25, 0.2], [40] * 3))
    assert (rate(LOW).n_seeds, rate(LOW).n_questions, rate(LOW).unknown) == (3, 2, ())


def test_every_question_has_equal_weight_whatever_its_answers() -> None:
    uneven = cells([(0, "a", "e", 1.0)] * 9 + [(0, "b", "e", 0.0)] + [(0, "c", "f", 1.0)])
    assert rate(uneven).interval.mean == pytest.approx((0.5 + 1) / 2)


def test_sampled_questions_make_the_interval_wider() -> None:
    few = arm({seed: [0.1, 0.2, 0.9, 0.4] for seed in range(3)})
    assert np.ptp(rate(few, "sampled").interval[1:]) > 3 * np.ptp(rate(few).interval[1:])


def test_a_rate_that_one_seed_alone_carries_is_not_given_the_whole_range() -> None:
    one = arm({0: [0, 0, 0, 0], 1: [0, 0, 0, 0], 2: [0.1, 0, 0.1, 0]})
    assert rate(one, "sampled").interval.upper < 0.5
    assert rate(one).interval.upper < 0.3


def test_one_question_of_a_sample_leaves_the_variance_of_questions_unknown() -> None:
    single = arm({0: [0.5], 1: [0.7]})
    assert rate(single, "sampled").unknown == ("question variance",)
    assert rate(single).unknown == ()
    assert rate(arm({0: [0.5]}), "sampled").unknown == ("training variance", "question variance")


def test_an_arm_without_answers_is_a_value_too() -> None:
    nothing = cells([(0, "q0", "e", None)])
    assert rate(nothing).unknown == ("data",)
    assert math.isnan(rate(nothing).interval.mean)
    assert difference(nothing, LOW).unknown == ("data",)
    assert math.isnan(equivalence(LOW, nothing, 0.1))
    assert all(map(math.isnan, crossed_bootstrap(nothing)))


def test_a_missing_cell_leaves_the_rest_in_place() -> None:
    whole = arm({0: [0.1, 0.2, 0.3], 1: [0.2, 0.3, 0.4]})
    rates, counts = whole.rates.copy(), whole.counts.copy()
    rates[1, 2], counts[1, 2] = np.nan, 0
    ragged = Cells(whole.seeds, whole.questions, whole.strata, rates, counts)
    for questions in ("fixed", "sampled"):
        assert 0 < rate(ragged, questions).interval.lower < rate(ragged, questions).interval.upper < 1
        assert not math.isnan(difference(ragged, whole, questions).interval.mean)


def test_a_difference_is_paired_by_seed_and_agrees_with_scipy() -> None:
    from scipy import stats

    low, high = (replace(arm, counts=arm.counts * 1000) for arm in (LOW, HIGH))
    found = difference(low, high)
    expected_p = stats.ttest_rel(LOW.rates.mean(1), HIGH.rates.mean(1))
    assert found.paired
    assert found.p == pytest.approx(float(expected_p.pvalue))
    assert found.interval == pytest.approx((found.interval.mean, *expected_p.confidence_interval()))
    assert found.interval.mean == pytest.approx(0.2 - 43 / 60)


def test_seeds_that_do_not_match_are_compared_without_pairs_and_questions_only_where_both_have_them() -> None:
    other = arm({7: [0.6, 0.8, 0.0], 8: [0.7, 0.8, 0.0]})
    found = difference(LOW, other)
    assert not found.paired
    assert found.n_questions == 2
    assert found.interval.mean == pytest.approx(0.2 - 0.725)
    assert found.p < 0.05


def test_the_p_value_of_sampled_questions_is_that_of_the_interval() -> None:
    some = arm({0: [0.1, 0.6, 0.3], 1: [0.2, 0.5, 0.6], 2: [0.3, 0.3, 0.7]})
    other = arm({0: [0.5, 0.7, 0.9], 1: [0.6, 0.9, 0.7], 2: [0.7, 0.8, 0.6]})
    found = difference(some, other, "sampled")
    assert found.interval.upper < 0
    assert found.p < 0.05
    like = difference(some, arm({0: [0.2, 0.5, 0.4], 1: [0.1, 0.6, 0.5], 2: [0.3, 0.4, 0.7]}), "sampled")
    assert like.interval.lower < 0 < like.interval.upper
    assert like.p > 0.05


def test_one_seed_against_several_says_what_is_unknown_and_gives_no_p() -> None:
    found = difference(arm({0: [0.1, 0.2]}), HIGH)
    assert found.unknown == ("training variance",)
    assert math.isnan(found.p)
    assert found.interval.upper < 0


def test_two_arms_at_zero_differ_by_no_less_than_their_answers_leave_open() -> None:
    zero = arm({seed: [0, 0] for seed in range(3)})
    found = difference(zero, zero)
    assert found.interval.lower < 0 < found.interval.upper
    assert found.p == 1


def test_equivalence_is_shown_within_a_wide_margin_and_not_within_a_narrow_one() -> None:
    like = arm({0: [0.1, 0.25], 1: [0.2, 0.3], 2: [0.1, 0.35]})
    assert equivalence(LOW, like, 0.3) < 0.05 < equivalence(LOW, like, 0.02)
    assert equivalence(LOW, HIGH, 0.3) > 0.4


def test_many_studies_at_once_give_what_each_gives_alone() -> None:
    a, b = studies((0.3, 0.1), Design(3, 6, 10), Variances(), 4, np.random.default_rng(0))
    for questions in ("fixed", "sampled"):
        lower, upper = difference_bounds(a, b, 10, questions)
        for index in range(4):
            first, second = (
                Cells((0, 1, 2), tuple(range(6)), (0,) * 6, study[index], np.full((3, 6), 10)) for study in (a, b)
            )
            assert difference(first, second, questions).interval[1:] == pytest.approx((lower[index], upper[index]))


def test_the_variances_of_a_pilot_are_found_again() -> None:
    true = Variances(seed=0.6, question=1.2, seed_by_question=0.4, question_by_arm=0)
    (rates,) = studies((0.3,), Design(30, 60, 20), true, 1, np.random.default_rng(3))
    found = estimate(Cells(tuple(range(30)), tuple(range(60)), (0,) * 60, rates[0], np.full((30, 60), 20)))
    assert found.seed == pytest.approx(0.6, abs=0.15)
    assert found.question == pytest.approx(1.2, abs=0.25)
    assert found.seed_by_question == pytest.approx(0.4, abs=0.1)


def test_a_pilot_of_one_seed_does_not_tell_how_seeds_differ() -> None:
    assert math.isnan(estimate(arm({0: [0.2, 0.5]})).seed)
    assert estimate(arm({0: [0, 0], 1: [0, 0]})).seed == 0


def test_the_expected_rate_is_nearer_to_one_half_than_that_of_the_middle_cell() -> None:
    assert expected(-2.0, 0) == pytest.approx(1 / (1 + math.exp(2)))
    assert expected(-2.0, 1.5) > expected(-2.0, 0)


def test_power_grows_with_seeds_and_is_the_false_alarm_rate_without_an_effect() -> None:
    designs = [Design(2, 24, 10), Design(5, 24, 10)]
    few, many = power((0.24, 0.08), designs, Variances())
    assert few.shown < many.shown
    assert few.width > many.width
    (none,) = power((0.24, 0.24), designs[1:], Variances())
    assert none.shown < 0.08
