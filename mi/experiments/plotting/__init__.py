"""Figures: pure functions from the tables of `mi.experiments.summary` to a matplotlib Figure."""

from mi.experiments.plotting.intervals import intervals
from mi.experiments.plotting.scatter import scatter
from mi.experiments.plotting.style import save

__all__ = ["intervals", "save", "scatter"]
