"""From answers to the tables one reads: rates a seed, rates an arm with intervals, contrasts, retention. No I/O."""

from mi.experiments.summary.claims import against, bound_of, by_seed, tally, value_of
from mi.experiments.summary.columns import (
    CELL,
    COUNTS,
    PER_SEED_COLUMNS,
    POOLED,
    SUMMARY_COLUMNS,
    UNTRAINED,
    headline,
    select,
)
from mi.experiments.summary.comparisons import Measure, contrasts, retention
from mi.experiments.summary.rates import cells_of, per_seed, summarise, tables
from mi.experiments.summary.terminal import answered, format_table, unknown_variance

__all__ = [
    "CELL",
    "COUNTS",
    "PER_SEED_COLUMNS",
    "POOLED",
    "SUMMARY_COLUMNS",
    "UNTRAINED",
    "Measure",
    "against",
    "answered",
    "bound_of",
    "by_seed",
    "cells_of",
    "contrasts",
    "format_table",
    "headline",
    "per_seed",
    "retention",
    "select",
    "summarise",
    "tables",
    "tally",
    "unknown_variance",
    "value_of",
]
