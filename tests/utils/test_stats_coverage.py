"""Intervals cover what they say: by simulation, in the designs that the field uses, and where they do not."""

import pytest

from mi.utils.stats import cells, legacy_interval, note, rate, seed_interval, wilson
from mi.utils.stats.coverage import (
    DESIGNS,
    EFFECTS,
    RATES,
    coverage,
    covered,
    crossed_covered,
    effect_covered,
    false_alarms,
    legacy_covered,
    on_fixed_questions,
    pooled_covered,
    where_seeds_differ_much,
)
from mi.utils.stats.crossed import Questions
from mi.utils.stats.simulate import Design


@pytest.mark.parametrize("questions", ["fixed", "sampled"])
@pytest.mark.parametrize("design", DESIGNS[::2], ids=str)
def test_95_percent_intervals_cover_92_to_98_percent(design: Design, questions: Questions) -> None:
    assert all(0.92 <= coverage(design, questions, 1500, truth) <= 0.98 for truth in RATES)


@pytest.mark.slow
@pytest.mark.parametrize("questions", ["fixed", "sampled"])
@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_95_percent_intervals_cover_92_to_98_percent_in_every_design(design: Design, questions: Questions) -> None:
    assert all(0.92 <= coverage(design, questions, 20_000, truth) <= 0.98 for truth in RATES)


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
@pytest.mark.parametrize("effect", EFFECTS)
def test_the_interval_of_a_true_effect_covers_it(design: Design, effect: tuple[float, float]) -> None:
    assert 0.92 <= effect_covered(design, effect, 20_000) <= 0.98


def test_the_references_interval_falls_short_at_three_seeds() -> None:
    assert legacy_covered("fixed", 1000) == pytest.approx(0.75, abs=0.05)
    assert legacy_covered("sampled", 1000) == pytest.approx(0.41, abs=0.06)


def test_the_references_interval_of_three_seeds_is_their_range_and_of_equal_ones_has_no_width() -> None:
    assert legacy_interval([0.1, 0.4, 0.2])[1:] == pytest.approx((0.1, 0.4))
    assert legacy_interval([0, 0, 0]) == (0, 0, 0) != seed_interval([0, 0, 0], [100] * 3)


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "expected"), [(2, 0.87), (3, 0.89), (5, 0.90)])
def test_the_crossed_bootstrap_falls_short_with_few_seeds(seeds: int, expected: float) -> None:
    assert crossed_covered(seeds, 250) == pytest.approx(expected, abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize(("seed_sd", "least"), [(1.0, 0.9), (1.5, 0.84)])
@pytest.mark.parametrize("truth", [0.5, 0.24, 0.08, 0.02])
def test_the_seed_interval_covers_less_where_seeds_differ_much_and_the_docstring_says_how_much(
    seeds: int, seed_sd: float, least: float, truth: float
) -> None:
    assert where_seeds_differ_much(seeds, seed_sd, 10_000, truth) >= least


def test_pooling_answers_as_if_they_were_independent_would_not_do() -> None:
    assert pooled_covered(1000) < 0.6


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
