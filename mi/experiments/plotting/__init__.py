"""Figures: pure functions from the tables of `mi.experiments.summary` to a matplotlib Figure."""

from mi.experiments.plotting.curves import curves
from mi.experiments.plotting.forest import forest
from mi.experiments.plotting.intervals import intervals
from mi.experiments.plotting.matrix import matrix
from mi.experiments.plotting.power_curve import power_curve
from mi.experiments.plotting.retention import retention_plot
from mi.experiments.plotting.scatter import scatter
from mi.experiments.plotting.style import save

__all__ = ["curves", "forest", "intervals", "matrix", "power_curve", "retention_plot", "save", "scatter"]
