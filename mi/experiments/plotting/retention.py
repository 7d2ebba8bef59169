"""What each arm removed against what it kept, with the margin within which "kept" is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mi.experiments.plotting.style import (
    FOOTER,
    HAIR,
    QUIET,
    Look,
    legend_below,
    looks,
    name,
    new_figure,
    number,
    styled,
    write_footer,
)
from mi.experiments.summary import select

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARK: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.5, "zorder": 4}


def retention_plot(
    table: pd.DataFrame,
    labels: Mapping[str, str] | None = None,
    source: str = "Model organism",
    among: Sequence[str] = (),
) -> Figure:
    """One point an arm: across what was removed, up what was kept, both against the reference; a panel a setting.

    `table` is that of `mi.experiments.summary.retention`. The band is the margin: an arm is "retained" only where
    two one-sided tests say so. Each arm's verdict stands in the legend, also of those without data. `among` are all
    arms of the run, of which each has its look.
    """
    settings = list(dict.fromkeys(table["setting"]))
    all_looks = looks(list(dict.fromkeys([*among, *table["arm"]])))
    arms = {arm: all_looks[arm] for arm in dict.fromkeys(table["arm"])}
    verdicts = [(arms[arm], _named(select(table, arm=arm), arm, labels)) for arm in arms]
    with styled():
        figure = new_figure(2.9 * len(settings) + 0.2 + FOOTER)
        grid: Sequence[Axes] = figure.subplots(len(settings), 1, squeeze=False, sharex=True)[:, 0]  # type: ignore
        for setting, axes in zip(settings, grid, strict=True):
            _panel(axes, select(table, setting=setting), arms)
            if len(settings) > 1:
                axes.set_title(name(setting, labels), loc="left", fontweight="bold")
        reference = name(str(table["reference"].iloc[0]), labels) if len(table) else ""
        grid[-1].set_xlabel(f"unwanted trait removed: rate below “{reference}”")
        legend_below(figure, verdicts)
        bars = (
            "Bars: 95 % interval, Student-t over pairs of seeds, Wilson at least. Band: margin of two one-sided tests."
        )
        write_footer(figure, table, source, bars)
    return figure


def _panel(axes: Axes, table: pd.DataFrame, arms: Mapping[str, Look]) -> None:
    axes.axhline(0, color=QUIET, linewidth=0.6, zorder=1)
    axes.axvline(0, color=QUIET, linewidth=0.6, zorder=1)
    for margin in table["margin"].dropna().unique():
        axes.axhspan(-margin, margin, color=HAIR, alpha=0.55, linewidth=0, zorder=0)
    records = table.to_dict("records")
    for index, row in enumerate(records):
        look = arms[row["arm"]]
        if row["removed"] != row["removed"] or row["kept"] != row["kept"]:
            continue
        axes.plot([row["removed_lower"], row["removed_upper"]], [row["kept"]] * 2, color=look.colour, linewidth=0.9)
        axes.plot([row["removed"]] * 2, [row["kept_lower"], row["kept_upper"]], color=look.colour, linewidth=0.9)
        face = look.colour if row["verdict"] == "retained" else "white"
        edge = {} if row["verdict"] == "retained" else {"markeredgecolor": look.colour, "markeredgewidth": 1.0}
        size = {"markersize": 5.5 + 3.0 * _covered(row, records[index + 1 :])}
        style: dict[str, Any] = _MARK | edge | size | {"color": look.colour, "markerfacecolor": face}
        axes.plot(row["removed"], row["kept"], look.marker, **style)
    low = min(-0.25, float(table["kept_lower"].min(skipna=True)) - 0.05 if table["kept_lower"].notna().any() else 0)
    high = max(0.25, float(table["kept_upper"].max(skipna=True)) + 0.05 if table["kept_upper"].notna().any() else 0)
    left = min(-0.15, float(table["removed_lower"].min()) - 0.05 if table["removed_lower"].notna().any() else 0)
    axes.set(xlim=(max(-1.03, left), 1.03), ylim=(max(-1.03, low), min(1.03, high)))
    ticks = [tick / 4 for tick in range(-4, 5)]
    axes.set_xticks(inside := [tick for tick in ticks if axes.get_xlim()[0] <= tick], [number(t, True) for t in inside])
    low, high = axes.get_ylim()
    axes.set_yticks(inside := [t for t in ticks if low <= t <= high], [number(t, True) for t in inside])
    axes.set_ylabel("wanted trait: change\nfrom the reference")


def _covered(row: Any, later: Sequence[Any]) -> int:
    """How many later marks lie on this one, which is drawn so much larger that it shows around them."""
    return sum(max(abs(row["removed"] - one["removed"]), abs(row["kept"] - one["kept"])) < 0.02 for one in later)


def _named(rows: Any, arm: str, labels: Mapping[str, str] | None) -> str:
    verdicts = list(dict.fromkeys(rows["verdict"]))
    margin = rows["margin"].iloc[0]
    words = [f"{verdict} (± {margin:.2f})" if verdict == "retained" else verdict for verdict in verdicts]
    return f"{name(arm, labels)}: {name(rows['kept_trait'].iloc[0], labels)} – {' / '.join(words)}"
