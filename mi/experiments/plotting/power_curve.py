"""How often a study would show an effect, along the number of seeds, one line a number of questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mi.experiments.plotting.style import (
    FOOTER,
    HAIR,
    QUIET,
    ZERO_ONE,
    Look,
    legend_below,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOOKS = tuple(
    Look(colour, marker)
    for colour, marker in (("#56b4e9", "o"), ("#0072b2", "s"), ("#332288", "^"), ("#e69f00", "D"), ("#d55e00", "v"))
)


def power_curve(table: pd.DataFrame, title: str) -> Figure:
    """`table` has seeds, questions, samples and shown (the share of studies that show the effect), one row a design."""
    lines = list(dict.fromkeys(zip(table["questions"], table["samples"], strict=True)))
    with styled():
        figure = new_figure(2.5 + FOOTER)
        axes: Axes = figure.subplots()  # type: ignore[assignment]
        for tick in ZERO_ONE:
            axes.axhline(tick, color=HAIR, linewidth=0.5, zorder=0)
        axes.axhline(0.8, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        style: dict[str, Any] = {
            "markersize": 4.5,
            "markeredgecolor": "white",
            "markeredgewidth": 0.4,
            "clip_on": False,
        }
        named = []
        for index, (questions, samples) in enumerate(lines):
            own = table[(table["questions"] == questions) & (table["samples"] == samples)].sort_values("seeds")
            look = _LOOKS[index % len(_LOOKS)]
            axes.plot(
                own["seeds"], own["shown"], color=look.colour, marker=look.marker, linewidth=1.1, zorder=3, **style
            )
            named.append((look, f"{questions} questions × {samples} answers"))
        axes.set(ylim=(-0.02, 1.02), ylabel="studies that show it", xlabel="seeds an arm")
        axes.set_yticks([*ZERO_ONE, 0.8], ["0", ".25", ".5", ".75", "1", ".8"])
        axes.set_xticks(sorted(set(table["seeds"])))
        axes.set_title(title, loc="left", fontweight="bold")
        legend_below(figure, named, line=True)
    return figure
