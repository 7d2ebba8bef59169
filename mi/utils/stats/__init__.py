"""Rates with their intervals, and tests between groups of runs, where the training seed is the random unit."""

from mi.utils.stats.bootstrap import crossed_bootstrap, legacy_interval
from mi.utils.stats.crossed import Questions
from mi.utils.stats.estimates import (
    Cells,
    Difference,
    Rate,
    Unknown,
    cells,
    difference,
    equivalence,
    gathered,
    rate,
    unknown_of,
)
from mi.utils.stats.intervals import NO_INTERVAL, Interval, effective_n, in_figures, note, seed_interval, wilson
from mi.utils.stats.permutation import Alternative, holm, permutation_test, smallest_p_value

__all__ = [
    "NO_INTERVAL",
    "Alternative",
    "Cells",
    "Difference",
    "Interval",
    "Questions",
    "Rate",
    "Unknown",
    "cells",
    "crossed_bootstrap",
    "difference",
    "effective_n",
    "equivalence",
    "gathered",
    "holm",
    "in_figures",
    "legacy_interval",
    "note",
    "permutation_test",
    "rate",
    "seed_interval",
    "smallest_p_value",
    "unknown_of",
    "wilson",
]
