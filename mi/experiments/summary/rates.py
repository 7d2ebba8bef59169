"""From answers to rates: one row a seed, one row an arm with its interval. No I/O."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mi.experiments.summary.columns import (
    CELL,
    COUNTS,
    PER_SEED_COLUMNS,
    POOLED,
    SUMMARY_COLUMNS,
    UNTRAINED,
)
from mi.experiments.summary.plan import Plan, in_order, read_plan
from mi.experiments.summary.scores import columns, number, question
from mi.utils.stats import Cells, Questions, cells, effective_n, gathered, rate, seed_interval, unknown_of

if TYPE_CHECKING:
    import pandas as pd

_Key = tuple[Any, ...]


@dataclass(slots=True)
class _Told:
    """What one seed answered in a cell, counted in answers."""

    by_question: dict[Any, list[float]] = field(default_factory=dict)
    """The valid scores of each question that has one."""
    n_sampled: int = 0
    n_refused: int = 0


_Scores = Mapping[_Key, _Told]
"""By setting, arm, evaluation, distribution, trait and seed."""


def per_seed(answers: pd.DataFrame, planned: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a setting, arm, seed, evaluation and trait (PER_SEED_COLUMNS), pooled rows included.

    `answers` has one row an answer: setting, arm, seed, evaluation, distribution ("id" or "ood"), question,
    system_prompt, scores (trait -> value in [0, 1] or None) and refused; other columns are passed over. `planned` is
    described at `summarise`. Questions have equal weight within an evaluation, however many of their answers are valid.
    A pooled row has a mean (equal weight for each evaluation) only where *every* evaluation of the distribution has
    a valid answer, so that it is the same mean for all seeds and arms. `n_effective`, in answers, is the size of a
    simple sample of the same weight. Cells of which nothing was sampled have no row.
    """
    import pandas as pd

    plan = read_plan(answers, planned)
    return pd.DataFrame(_per_seed(_scores(answers, plan), plan), columns=PER_SEED_COLUMNS)


def summarise(
    answers: pd.DataFrame, planned: pd.DataFrame, confidence: float = 0.95, questions: Questions = "fixed"
) -> pd.DataFrame:
    """One row a setting, arm, evaluation and trait (SUMMARY_COLUMNS): the mean over seeds with its interval.

    `planned` has setting, arm, evaluation, distribution, trait and n_planned (in answers), in the experiment's
    order, one row a cell or one a cell and seed; a summary is a plan too. Every planned cell has a row; mean, lower
    and upper are NaN where no answer was valid. Answers that were not planned follow, with n_planned 0. Pooled rows
    are named in POOLED. `questions` is the estimand: the interval holds for new seeds on these questions, or on
    questions of which these are a sample (`mi.utils.stats.rate`); n_seeds counts its seeds.
    """
    return tables(answers, planned, confidence, questions)[1]


def tables(
    answers: pd.DataFrame, planned: pd.DataFrame, confidence: float = 0.95, questions: Questions = "fixed"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What `per_seed` and `summarise` give, the answers read once."""
    import pandas as pd

    plan = read_plan(answers, planned)
    scores = _scores(answers, plan)
    rates = _per_seed(scores, plan)
    groups: dict[_Key, list[dict[str, Any]]] = {}
    for row in rates:
        groups.setdefault(tuple(row[name] for name in CELL), []).append(row)
    by_cell = _cells(scores, plan)
    numbers = dict(plan.n_planned) | {key: 0 for key in groups if key not in plan.n_planned}
    rows = []
    for key, n_planned in in_order(numbers, plan):
        group, arm = groups.get(key, []), by_cell.get(key, cells(()))
        seeds = [row for row in group if row["n_effective"] > 0]
        if questions == "fixed":
            interval = seed_interval([row["mean"] for row in seeds], [row["n_effective"] for row in seeds], confidence)
        else:
            interval = rate(arm, questions, confidence).interval
        unknown = [u for u in unknown_of(arm, questions) if not (u == "training variance" and key[1] in UNTRAINED)]
        counts = [sum(row[name] for row in group) for name in COUNTS]
        held = [len(arm.questions), questions, ", ".join(unknown) or "none"]
        rows.append([*key, *interval, len(seeds), n_planned, *counts, *held])
    return pd.DataFrame(rates, columns=PER_SEED_COLUMNS), pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def cells_of(answers: pd.DataFrame, planned: pd.DataFrame | None = None) -> dict[_Key, Cells]:
    """(setting, arm, evaluation, distribution, trait) -> the answers as seeds × questions, pooled cells included."""
    plan = read_plan(answers, planned)
    return _cells(_scores(answers, plan), plan)


def _scores(answers: pd.DataFrame, plan: Plan) -> _Scores:
    found: dict[_Key, _Told] = {}
    cells_of_model: dict[_Key, list[tuple[str, _Told]]] = {}
    asked: dict[tuple[str, str | None], tuple[str, str | None]] = {}  # one object a question: compared at once
    names = [*CELL[:-1], "seed", "question", "system_prompt", "scores", "refused"]
    for *key, seed, words, prompt, scores, refused in columns(answers, names):
        of_model = cells_of_model.get((*key, seed))
        if of_model is None:
            traits = plan.evaluations.get(key[0], {}).get(key[2], ("", []))[1]
            of_model = [(trait, found.setdefault((*key, trait, seed), _Told())) for trait in traits]
            cells_of_model[(*key, seed)] = of_model
        put = question(words, prompt)
        put = asked.setdefault(put, put)
        for trait, told in of_model:
            told.n_sampled += 1
            told.n_refused += bool(refused)
            score = number((scores or {}).get(trait))
            if score is not None:
                told.by_question.setdefault(put, []).append(score)
    return found


def _cells(scores: _Scores, plan: Plan) -> dict[_Key, Cells]:
    valid: dict[_Key, dict[Any, dict[Any, list[float]]]] = defaultdict(dict)
    for key, told in scores.items():
        if told.by_question:
            valid[key[:-1]][key[-1]] = told.by_question
    found = {
        key: gathered((seed, key[2], by_question) for seed, by_question in seeds.items())
        for key, seeds in valid.items()
    }
    for setting, arm in dict.fromkeys(key[:2] for key in valid):
        for distribution, trait, names in plan.pools(setting):
            parts = [(name, valid.get((setting, arm, name, distribution, trait), {})) for name in names]
            whole = [seed for seed in parts[0][1] if all(seed in part for _, part in parts)]
            cell = gathered((seed, name, part[seed]) for name, part in parts for seed in whole)
            found[setting, arm, POOLED[distribution], distribution, trait] = cell
    return found


def _per_seed(scores: _Scores, plan: Plan) -> list[dict[str, Any]]:
    rows = [_rate(key, told) for key, told in scores.items()]
    by_key = {tuple(row[name] for name in ("setting", "arm", "seed", "evaluation", "trait")): row for row in rows}
    for setting, arm, seed in dict.fromkeys((row["setting"], row["arm"], row["seed"]) for row in rows):
        for distribution, trait, names in plan.pools(setting):
            parts = [by_key.get((setting, arm, seed, name, trait)) for name in names]
            cell = dict(zip(CELL, (setting, arm, POOLED[distribution], distribution, trait), strict=True))
            rows.append(cell | {"seed": seed} | _equal_weights(parts))
    return rows


def _rate(key: _Key, told: _Told) -> dict[str, Any]:
    means = [math.fsum(scores) / len(scores) for scores in told.by_question.values()]
    return dict(zip([*CELL, "seed"], key, strict=True)) | {
        "mean": math.fsum(means) / len(means) if means else math.nan,
        "n_effective": len(means) * effective_n([len(scores) for scores in told.by_question.values()]),
        "n_sampled": told.n_sampled,
        "n_valid": sum(map(len, told.by_question.values())),
        "n_refused": told.n_refused,
        "n_questions": len(means),
    }


def _equal_weights(parts: list[dict[str, Any] | None]) -> dict[str, Any]:
    """The mean over evaluations of one seed; NaN, with its answers counted, where one of them has none."""
    found = [part for part in parts if part is not None]
    counts = {name: sum(part[name] for part in found) for name in (*COUNTS, "n_questions")}
    whole = len(found) == len(parts) and all(part["n_valid"] for part in found)
    mean = math.fsum(part["mean"] for part in found) / len(parts) if whole else math.nan
    weight = len(parts) * effective_n([part["n_effective"] for part in found]) if whole else 0.0
    return {"mean": mean, "n_effective": weight} | counts
