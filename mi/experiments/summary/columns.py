"""What the tables hold: the names of their columns, and the rows that one asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

CELL = ["setting", "arm", "evaluation", "distribution", "trait"]
COUNTS = ["n_sampled", "n_valid", "n_refused"]
HELD = ["n_questions", "questions", "unknown"]
"""Questions that have an answer; whether they are "fixed" or "sampled"; what the interval does not know, or "none"."""
SUMMARY_COLUMNS = [*CELL, "mean", "lower", "upper", "n_seeds", "n_planned", *COUNTS, *HELD]
PER_SEED_COLUMNS = [*CELL, "seed", "mean", "n_effective", *COUNTS, "n_questions"]
POOLED = {"id": "in_distribution", "ood": "out_of_distribution"}
"""The evaluation's name in rows that are the mean over all evaluations of a distribution, each with equal weight.

Those out of distribution are always written; those in distribution where a setting has several such evaluations.
"""
UNTRAINED = ("base",)
"""Arms that are the base model itself."""


def select(table: Any, **wanted: str) -> Any:
    """The rows of a table whose columns have the values that are named."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def headline(table: pd.DataFrame, distribution: str) -> Any:
    """The rows that stand for a whole distribution: the pooled ones, or those of its only evaluation."""
    rows = select(table, distribution=distribution)
    pooled = rows["evaluation"] == POOLED[distribution]
    return rows[pooled | ~rows["setting"].isin(rows.loc[pooled, "setting"])]
