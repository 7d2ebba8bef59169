"""Differences from the reference, arm below arm, with intervals and adjusted p-values: an ablation at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mi.experiments.plotting.style import (
    FOOTER,
    HAIR,
    QUIET,
    Look,
    leave_footer,
    looks,
    name,
    new_figure,
    number,
    styled,
    wrapped,
    write_footer,
)
from mi.experiments.summary import headline, select

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WRAP = 34
_WHERE = {"id": "in distribution", "ood": "out of distribution"}


def forest(
    contrasts: pd.DataFrame,
    labels: Mapping[str, str] | None = None,
    source: str = "Model organism",
    distribution: str = "ood",
    among: Sequence[str] = (),
) -> Figure:
    """A block a setting and trait, a row an arm: its rate less the reference's, in numbers at the right as well.

    `contrasts` is that of `mi.experiments.summary.contrasts`. Filled marks have an adjusted p below .05. A comparison
    that could not be made is a row that says why. `among` are all arms of the run, of which each has its look.
    """
    table = headline(contrasts, distribution)
    blocks = list(dict.fromkeys(zip(table["setting"], table["trait"], strict=True)))
    arms = looks(list(dict.fromkeys([*among, *contrasts["arm"]])))
    sizes = [max(1, len(select(table, setting=setting, trait=trait))) for setting, trait in blocks] or [1]
    several = len({setting for setting, _ in blocks}) > 1
    tallest = max((wrapped(name(arm, labels), _WRAP).count("\n") for arm in set(contrasts["arm"])), default=0)
    height = max(0.21, 0.115 * (1 + tallest))
    with styled():
        figure = new_figure(sum(height * size + 0.42 for size in sizes) + 0.3 + FOOTER)
        grid = figure.subplots(len(sizes), 1, squeeze=False, sharex=True, height_ratios=[s + 0.6 for s in sizes])[:, 0]
        for (setting, trait), axes in zip(blocks, grid, strict=False):
            _block(axes, select(table, setting=setting, trait=trait), arms, labels)
            title = f"{name(trait, labels)}, {_WHERE[distribution]}"
            of = f"{name(setting, labels).capitalize()}: {title[0].lower()}{title[1:]}"
            axes.set_title(of if several else title, loc="left", fontweight="bold")
        low = min([-0.25, *table["lower"].dropna()])
        high = max([0.25, *table["upper"].dropna()])
        grid[-1].set_xlim(max(-1.02, low - 0.03), min(1.02, high + 0.03))
        reference = name(str(contrasts["reference"].iloc[0]), labels) if len(contrasts) else "the reference"
        grid[-1].set_xlabel(f"difference in rate from “{reference}”")
        leave_footer(figure)
        tests = "p: exact permutation from 4 seeds an arm, else t; Holm within a block. Filled: below .05."
        write_footer(figure, contrasts, source, f"Bars: 95 % interval, Student-t over pairs of seeds. {tests}")
    return figure


def _block(axes: Axes, rows: Any, arms: Mapping[str, Look], labels: Mapping[str, str] | None) -> None:
    records = rows.to_dict("records")
    axes.axvline(0, color=QUIET, linewidth=0.7, zorder=1)
    for line in (-0.75, -0.5, -0.25, 0.25, 0.5, 0.75):
        axes.axvline(line, color=HAIR, linewidth=0.5, zorder=0)
    axes.set_ylim(len(records) - 0.4, -0.6)
    axes.set_yticks(range(len(records)), [wrapped(name(row["arm"], labels), _WRAP) for row in records])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for y, row in enumerate(records):
        look = arms[row["arm"]]
        axes.text(1.02, y, _words(row), transform=axes.get_yaxis_transform(), fontsize=6.4, va="center")
        if row["difference"] != row["difference"]:
            continue
        axes.plot([row["lower"], row["upper"]], [y, y], color=look.colour, linewidth=1.1, zorder=3, clip_on=False)
        face = look.colour if row["p_holm"] < 0.05 else "white"
        axes.plot(
            row["difference"],
            y,
            look.marker,
            color=look.colour,
            markerfacecolor=face,
            markersize=4.6,
            zorder=4,
            clip_on=False,
        )


def _words(row: Mapping[str, Any]) -> str:
    if row["difference"] != row["difference"]:
        return "no data"
    ends = f"{number(row['difference'], True)} [{number(row['lower'], True)}, {number(row['upper'], True)}]"
    if row["p_holm"] != row["p_holm"]:
        return f"{ends}  {'one seed' if 'training' in str(row['unknown']) else 'not tested'}"
    return f"{ends}  p {number(row['p_holm']) if row['p_holm'] >= 0.005 else '< .005'}"
