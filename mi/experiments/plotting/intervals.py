"""Arms down the side, a panel a trait: rate, interval and seeds, in and out of distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mi.experiments.plotting.style import (
    FOOTER,
    HAIR,
    INK,
    QUIET,
    ZERO_ONE,
    Look,
    draw_seeds,
    leave_footer,
    looks,
    name,
    new_figure,
    styled,
    write_footer,
)
from mi.experiments.summary import headline, select

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.27
"""Inches an arm."""
_OFFSET = {"id": -0.19, "ood": 0.19}
"""Rows are 1 apart; y grows downwards, so that in distribution stands above."""

_MARK: dict[str, Any] = {"markersize": 4.2, "markeredgewidth": 0.9, "zorder": 4, "clip_on": False}


def intervals(
    summary: pd.DataFrame,
    per_seed: pd.DataFrame,
    traits: Sequence[str],
    labels: Mapping[str, str] | None = None,
    source: str = "Model organism",
) -> Figure:
    """A panel a trait (columns) and setting (rows): every arm of the summary with its rate in and out of distribution.

    `summary` and `per_seed` are tables of `mi.experiments.summary`; `labels` names arms, traits and settings for
    people; `source` says whose results these are. An arm without data is there and says so. Where no setting has all
    of the traits, each has panels for its own only.
    """
    settings = list(dict.fromkeys(summary["setting"]))
    arms = {s: list(dict.fromkeys(select(summary, setting=s)["arm"])) for s in settings}
    heights = [_ROW * len(arms[s]) + 0.5 for s in settings]
    look = looks(list(dict.fromkeys(summary["arm"])))
    with styled():
        figure = new_figure(sum(heights) + 0.2 + FOOTER)
        shown = _shown(summary, settings, traits)
        columns = len(shown[settings[0]]) if settings else len(traits)
        grid = figure.subplots(len(settings), columns, squeeze=False, sharex=True, height_ratios=heights)
        for setting, row in zip(settings, grid, strict=True):
            for trait, axes in zip(shown[setting], row, strict=True):
                tables = [select(table, setting=setting, trait=trait) for table in (summary, per_seed)]
                _panel(axes, tables[0], tables[1], {arm: look[arm] for arm in arms[setting]})
                axes.set_title(name(trait, labels), loc="left", fontweight="bold")
            row[0].set_yticks(range(len(arms[setting])), [name(arm, labels) for arm in arms[setting]])
            if len(settings) > 1:
                row[0].set_ylabel(name(setting, labels))
        _frame(figure, grid[-1])
        write_footer(figure, summary, source)
    return figure


def _shown(summary: pd.DataFrame, settings: Sequence[str], traits: Sequence[str]) -> dict[str, list[str]]:
    """The traits of each setting's panels, equally many: its own, then others that are not measured there."""
    measured = {setting: set(select(summary, setting=setting)["trait"]) for setting in settings}
    most = max((len(found.intersection(traits)) for found in measured.values()), default=0)
    first = {setting: sorted(traits, key=lambda trait: trait not in measured[setting]) for setting in settings}
    return {setting: sorted(first[setting][: max(1, most)], key=list(traits).index) for setting in settings}


def _panel(axes: Axes, summary: pd.DataFrame, per_seed: pd.DataFrame, arms: Mapping[str, Look]) -> None:
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.set_yticks(range(len(arms)), [])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for tick in ZERO_ONE:
        axes.axvline(tick, color=HAIR, linewidth=0.6, zorder=0)
    for row, (arm, look) in enumerate(arms.items()):
        own = select(summary, arm=arm)
        if not own["n_seeds"].any():
            _say(axes, row, "no data" if len(own) else "not measured")
            continue
        for distribution, offset in _OFFSET.items():
            mean = headline(own, distribution)
            if len(mean):
                _rate(axes, mean.iloc[0], look, row + offset)
            seeds = headline(select(per_seed, arm=arm), distribution)["mean"].dropna()
            if len(seeds) > 1:
                draw_seeds(axes, seeds, [row + offset] * len(seeds), look)


def _rate(axes: Axes, row: Any, look: Look, y: float) -> None:
    if not row["n_seeds"]:
        _say(axes, y, "no data")
        return
    axes.plot([row["lower"], row["upper"]], [y, y], color=look.colour, linewidth=1.0, zorder=3, clip_on=False)
    face = look.colour if row["distribution"] == "ood" else "white"
    axes.plot(row["mean"], y, look.marker, color=look.colour, markerfacecolor=face, **_MARK)


def _say(axes: Axes, y: float, text: str) -> None:
    axes.text(0.015, y, text, color=QUIET, fontsize=6.5, va="center_baseline", style="italic")


def _frame(figure: Figure, bottom: Sequence[Axes]) -> None:
    from matplotlib.lines import Line2D

    for axes in bottom:
        axes.set_xticks(ZERO_ONE, ["0", ".25", ".5", ".75", "1"])
        axes.set_xlabel("share of answers with the trait", fontsize=7)
    handles = [
        Line2D([], [], linestyle="", marker="o", color=INK, markerfacecolor=face, **_MARK) for face in ("white", INK)
    ]
    names = ["in distribution", "out of distribution"]
    figure.legend(
        handles, names, loc="outside upper right", ncols=2, handletextpad=0.1, columnspacing=1.2, borderpad=0.2
    )
    leave_footer(figure)
