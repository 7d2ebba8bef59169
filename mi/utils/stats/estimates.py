"""One arm's rate and the difference of two, each a value that says for what it holds and what it cannot know."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mi.utils.stats.crossed import Questions, mover_bounds, paired_bounds, question_correlation, spread
from mi.utils.stats.intervals import Interval, effective_n, t_quantile

Unknown = Literal["data", "training variance", "question variance"]
"""What an interval does not hold: there is no answer; only one seed; only one question of a sample."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The answers of one arm as rates of shape (seeds, questions), NaN where a cell has none.

    `counts` has the same shape, in answers; `strata` says to which evaluation a question belongs. Every seed and
    every question has an answer somewhere.
    """

    seeds: tuple[Any, ...]
    questions: tuple[Any, ...]
    strata: tuple[Any, ...]
    rates: np.ndarray
    counts: np.ndarray

    def of(self, seeds: Sequence[Any], questions: Sequence[Any]) -> "Cells":
        """These seeds and questions alone, in this order, those without any answer left out."""
        rows = [self.seeds.index(seed) for seed in seeds if seed in self.seeds]
        columns = [self.questions.index(question) for question in questions if question in self.questions]
        counts = self.counts[np.ix_(rows, columns)]
        rows = [row for row, n in zip(rows, counts.sum(1), strict=True) if n]
        columns = [column for column, n in zip(columns, counts.sum(0), strict=True) if n]
        chosen = np.ix_(rows, columns)
        return Cells(
            tuple(self.seeds[row] for row in rows),
            tuple(self.questions[column] for column in columns),
            tuple(self.strata[column] for column in columns),
            self.rates[chosen],
            self.counts[chosen],
        )

    @property
    def n(self) -> float:
        """Answers that a simple sample would need for the same variance within cells."""
        columns = self.counts.sum(0).tolist()
        groups: dict[Any, list[float]] = {}
        for stratum, n in zip(self.strata, columns, strict=True):
            groups.setdefault(stratum, []).append(n)
        return len(groups) * effective_n([len(group) * effective_n(group) for group in groups.values()])


def cells(answers: Iterable[tuple[Any, Any, Any, float | None]]) -> Cells:
    """From (seed, question, evaluation, score in [0, 1]); a score of None is an answer without one."""
    return gathered(
        (seed, stratum, {question: [float(score)]})
        for seed, question, stratum, score in answers
        if score is not None and not math.isnan(score)
    )


def gathered(parts: Iterable[tuple[Any, Any, Mapping[Any, Sequence[float]]]]) -> Cells:
    """From (seed, evaluation, question -> scores in [0, 1], one at least and all of them numbers)."""
    sums: dict[Any, dict[Any, list[float]]] = {}
    strata: dict[Any, Any] = {}
    for seed, stratum, by_question in parts:
        of_seed = sums.setdefault(seed, {})
        for question, scores in by_question.items():
            strata.setdefault((stratum, question), stratum)
            of_seed.setdefault((stratum, question), []).extend(scores)
    shape = (len(sums), len(strata))
    rates, counts = np.full(shape, np.nan), np.zeros(shape)
    place = {question: column for column, question in enumerate(strata)}
    for row, by_cell in enumerate(sums.values()):
        columns = [place[cell] for cell in by_cell]
        rates[row, columns] = [math.fsum(scores) / len(scores) for scores in by_cell.values()]
        counts[row, columns] = [len(scores) for scores in by_cell.values()]
    return Cells(tuple(sums), tuple(strata), tuple(strata.values()), rates, counts)


@dataclass(frozen=True)
class Rate:
    """An arm's rate with its interval, the estimand it is for, and what the interval does not know."""

    interval: Interval
    questions: Questions
    n_seeds: int
    n_questions: int
    unknown: tuple[Unknown, ...]


def rate(arm: Cells, questions: Questions = "fixed", confidence: float = 0.95) -> Rate:
    """The arm's mean with an interval for a new seed on these questions, or ("sampled") on new ones as well.

    Fixed: Student-t over seeds in Wilson's form (`seed_interval`). Sampled: a jackknife over seeds and over questions,
    on logits, with Student's quantile; evaluations stay the same. Neither is narrower than Wilson's interval of the
    answers, which is all that is left of one seed and fixed questions; `unknown` then says so.
    """
    if not arm.seeds:
        return Rate(Interval(math.nan, math.nan, math.nan), questions, 0, 0, ("data",))
    whole = spread(arm.rates, _numbers(arm.strata), arm.n, questions)
    lower, upper = whole.interval(confidence)
    interval = Interval(float(whole.mean), float(lower), float(upper))
    return Rate(interval, questions, len(arm.seeds), len(arm.questions), unknown_of(arm, questions))


@dataclass(frozen=True)
class Difference:
    """How far the rate of one arm lies above another's.

    `p` is two-sided and below 1 - confidence where the interval excludes zero; NaN where a variance is unknown.
    `freedom` is that of its t; `paired` says whether seeds were compared in pairs.
    """

    interval: Interval
    questions: Questions
    p: float
    freedom: int
    paired: bool
    n_questions: int
    unknown: tuple[Unknown, ...]


def difference(a: Cells, b: Cells, questions: Questions = "fixed", confidence: float = 0.95) -> Difference:
    """The rate of `a` less that of `b` on the questions that both answered, compared question by question.

    Fixed: Student-t over pairs of equal seeds where there are two pairs or more, which holds whether or not arms of one
    seed are alike and however much they differ in variance. Otherwise, and for sampled questions, the intervals of
    the two rates are joined (Zou and Donner 2008), seeds independent, with the correlation that shared questions make.
    """
    common = [question for question in a.questions if question in b.questions]
    a, b = a.of(a.seeds, common), b.of(b.seeds, common)
    common = [question for question in a.questions if question in b.questions]
    a, b = a.of(a.seeds, common), b.of(b.seeds, common)
    if not a.seeds or not b.seeds:
        nothing = Interval(math.nan, math.nan, math.nan)
        return Difference(nothing, questions, math.nan, 0, False, 0, ("data",))
    unknown = tuple(dict.fromkeys((*unknown_of(a, questions), *unknown_of(b, questions))))
    pairs = [seed for seed in a.seeds if seed in b.seeds]
    if questions == "fixed" and len(pairs) > 1:
        middle, bounds, freedom = _paired(a.of(pairs, common), b.of(pairs, common), confidence)
    else:
        middle, bounds = _joined(a, b, questions, confidence)
        freedom = len(a.seeds) + len(b.seeds) - 2
    interval = Interval(middle, max(-1.0, bounds[0]), min(1.0, bounds[1]))
    half = middle - bounds[0] if middle > 0 else bounds[1] - middle
    p = math.nan if unknown else min(1.0, 2 * _tail(abs(middle), half, freedom, confidence))
    return Difference(interval, questions, p, freedom, questions == "fixed" and len(pairs) > 1, len(common), unknown)


def equivalence(a: Cells, b: Cells, margin: float, questions: Questions = "fixed") -> float:
    """The p-value of two one-sided tests that the rates differ by less than `margin`; NaN where variance is unknown.

    It is at most .05 where the 90 % interval of the difference lies within ± margin.
    """
    found = difference(a, b, questions, 0.9)
    if found.unknown:
        return math.nan
    middle, lower, upper = found.interval
    above = _tail(middle + margin, middle - lower, found.freedom, 0.9)
    below = _tail(margin - middle, upper - middle, found.freedom, 0.9)
    return max(above, below)


def _tail(distance: float, half: float, freedom: int, confidence: float) -> float:
    """The one-sided p-value of a distance, of which `half` would be just shown at this two-sided confidence."""
    from scipy import special

    if half <= 0:
        return 0.0 if distance > 0 else 0.5
    return float(special.stdtr(freedom, -t_quantile(freedom, confidence) * distance / half))


def _paired(a: Cells, b: Cells, confidence: float) -> tuple[float, tuple[float, float], int]:
    """Arms of the same seeds: mean difference, bounds and degrees of freedom."""
    pairs, strata = len(a.seeds), _numbers(a.strata)
    per_seed = spread(a.rates - b.rates, strata, 1, "fixed")
    middle = float(per_seed.mean)
    least, most = paired_bounds(a.rates, b.rates, strata, confidence)
    # Two arms whose seeds all agree differ by no less than their answers leave open.
    first, second = (spread(np.nanmean(arm.rates, 0, keepdims=True), strata, arm.n, "fixed") for arm in (a, b))
    lower, upper = mover_bounds(first, second, 0.0, confidence)
    return middle, (min(float(least), float(lower)), max(float(most), float(upper))), pairs - 1


def _joined(a: Cells, b: Cells, questions: Questions, confidence: float) -> tuple[float, tuple[float, float]]:
    """Arms whose seeds are independent: difference of means, and bounds."""
    strata = _numbers(a.strata)
    first, second = (spread(arm.rates, strata, arm.n, questions) for arm in (a, b))
    correlation = question_correlation(a.rates, b.rates, strata) if questions == "sampled" else 0.0
    lower, upper = mover_bounds(first, second, correlation, confidence)
    return float(first.mean - second.mean), (float(lower), float(upper))


def unknown_of(arm: Cells, questions: Questions) -> tuple[Unknown, ...]:
    """What an interval of the arm's rate does not hold."""
    if not arm.seeds:
        return ("data",)
    alone = any(arm.strata.count(stratum) == 1 for stratum in set(arm.strata))
    seeds: tuple[Unknown, ...] = ("training variance",) if len(arm.seeds) == 1 else ()
    return (*seeds, "question variance") if questions == "sampled" and alone else seeds


def _numbers(strata: Sequence[Any]) -> np.ndarray:
    known = list(dict.fromkeys(strata))
    return np.array([known.index(stratum) for stratum in strata])
