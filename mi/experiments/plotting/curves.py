"""Rates along a dose or a training run: one line an arm, a panel a trait."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mi.experiments.plotting.style import (
    FOOTER,
    HAIR,
    ZERO_ONE,
    Look,
    draw_seeds,
    legend_below,
    looks,
    name,
    new_figure,
    styled,
    write_footer,
)
from mi.experiments.summary import select

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_MOST = 8
"""Ticks below a panel."""


def curves(
    table: pd.DataFrame,
    x: str,
    labels: Mapping[str, str] | None = None,
    source: str = "Model organism",
    per_seed: pd.DataFrame | None = None,
    log: bool = False,
) -> Figure:
    """Each arm's rate with its interval along the column `x` (steps, rows, share, rank); `log` for a log axis.

    `table` has arm, trait, mean, lower, upper, n_seeds and `x`; `per_seed`, whose seeds are drawn as points, has arm,
    trait, seed, mean and `x`. A line is broken where a value is missing; an arm without any is named all the same.
    """
    traits = list(dict.fromkeys(table["trait"]))
    arms = looks(list(dict.fromkeys(table["arm"])))
    places = sorted(set(table[x].dropna()))
    rows = -(-len(traits) // 2)
    with styled():
        figure = new_figure(2.1 * rows + 0.1 + FOOTER)
        grid = figure.subplots(rows, min(2, max(1, len(traits))), squeeze=False, sharex=True, sharey=True)
        for axes, trait in zip(grid.flat, traits, strict=False):
            own = select(table, trait=trait)
            dots = None if per_seed is None else select(per_seed, trait=trait)
            _panel(
                axes,
                own,
                dots,
                x,
                {arm: (look, _shift(places, i, len(arms), log)) for i, (arm, look) in enumerate(arms.items())},
            )
            axes.set_title(name(trait, labels), loc="left", fontweight="bold")
            axes.set_xlabel(name(x, labels))
            if log:
                axes.set_xscale("log")
                axes.minorticks_off()
            shown = places if len(places) <= _MOST else places[:: -(-len(places) // _MOST)]
            axes.set_xticks(shown, [f"{place:g}" for place in shown])
        for axes in list(grid.flat)[len(traits) :]:
            axes.set_visible(False)
        for row in grid:
            row[0].set_ylabel("share of answers with the trait", fontsize=7)
        known = {arm: select(table, arm=arm)["mean"].notna().any() for arm in arms}
        words = [(look, name(arm, labels) + ("" if known[arm] else " (no data)")) for arm, look in arms.items()]
        legend_below(figure, words, line=True)
        write_footer(figure, table, source)
    return figure


def _panel(axes: Axes, table: Any, per_seed: Any, x: str, arms: Mapping[str, tuple[Look, Any]]) -> None:
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks(ZERO_ONE, ["0", ".25", ".5", ".75", "1"])
    for tick in ZERO_ONE:
        axes.axhline(tick, color=HAIR, linewidth=0.5, zorder=0)
    for arm, (look, shift) in arms.items():
        own = select(table, arm=arm).sort_values(x)
        at = shift(own[x].astype(float))
        style: dict[str, Any] = {"markersize": 4, "markeredgecolor": "white", "markeredgewidth": 0.4, "clip_on": False}
        axes.plot(at, own["mean"], color=look.colour, marker=look.marker, linewidth=1.1, zorder=4, **style)
        axes.vlines(at, own["lower"], own["upper"], color=look.colour, linewidth=0.9, zorder=3, clip_on=False)
        if per_seed is not None:
            dots = select(per_seed, arm=arm).dropna(subset=["mean"])
            if dots["seed"].nunique() > 1:
                draw_seeds(axes, shift(dots[x].astype(float)), dots["mean"], look)


def _shift(places: Sequence[float], index: int, n: int, log: bool) -> Any:
    """Arms stand a little beside each other, so that no interval hides another."""
    aside = (index - (n - 1) / 2) / max(1, n)
    if log:
        return lambda values: values * (1 + 0.06 * aside)
    gap = min((b - a for a, b in itertools.pairwise(places)), default=1.0)
    return lambda values: values + 0.3 * gap * aside
