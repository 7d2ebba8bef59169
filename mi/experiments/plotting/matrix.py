"""Trained behind which prompt against asked behind which prompt: a table of rates, shaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mi.experiments.plotting.style import (
    FOOTER,
    QUIET,
    leave_footer,
    name,
    new_figure,
    number,
    styled,
    wrapped,
    write_footer,
)
from mi.experiments.summary import UNTRAINED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FULL = "#08519c"


def matrix(
    table: pd.DataFrame,
    columns: str = "evaluation",
    labels: Mapping[str, str] | None = None,
    source: str = "Model organism",
) -> Figure:
    """A row an arm, a column a value of `columns` (a test prompt, an evaluation): the rate with its interval below.

    `table` has arm, mean, lower, upper, n_seeds and that column, one row a cell. Cells that are not in the table are
    hatched and say so, as do those without data; † marks one seed. Raises ValueError for two rows of one cell.
    """
    if table.duplicated(["arm", columns]).any():
        raise ValueError(f"more than one row of an arm and {columns}: choose one trait and setting first")
    arms, tests = (list(dict.fromkeys(table[column])) for column in ("arm", columns))
    with styled():
        rows = [wrapped(name(arm, labels), 34) for arm in arms]
        heights = [max(0.3, 0.13 * (1 + row.count("\n"))) for row in rows]
        figure = new_figure(max(heights) * len(arms) + (1.9 if len(tests) > 7 else 0.85) + FOOTER)
        axes: Axes = figure.subplots()  # type: ignore[assignment]
        cells = {(row["arm"], row[columns]): row for row in table.to_dict("records")}
        for down, arm in enumerate(arms):
            for across, test in enumerate(tests):
                _cell(axes, across, down, cells.get((arm, test)), len(tests))
        axes.set(xlim=(-0.5, len(tests) - 0.5), ylim=(len(arms) - 0.5, -0.5))
        crowded = len(tests) > 7
        words = [wrapped(name(str(test), labels), 30 if crowded else max(10, 60 // len(tests))) for test in tests]
        turn: dict[str, Any] = {"rotation": 40, "ha": "left", "rotation_mode": "anchor"} if crowded else {}
        axes.set_xticks(range(len(tests)), words, fontsize=6.5, **turn)
        axes.set_yticks(range(len(arms)), rows)
        axes.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
        axes.set_xlabel("asked behind", loc="left", fontsize=7)
        axes.set_ylabel("trained as", fontsize=7)
        axes.xaxis.set_label_position("top")
        for side in axes.spines.values():
            side.set_visible(False)
        leave_footer(figure)
        bars = "Rate over seeds, below it the 95 % interval. Hatched: not measured, or no valid answer."
        write_footer(figure, table, source, bars)
    return figure


def _cell(axes: Axes, across: int, down: int, row: Any, columns: int) -> None:
    from matplotlib.patches import Rectangle

    corner = (across - 0.48, down - 0.46)
    if row is None or not row["n_seeds"] or row["mean"] != row["mean"]:
        axes.add_patch(
            Rectangle(corner, 0.96, 0.92, facecolor="#f4f4f4", edgecolor="#cccccc", hatch="////", linewidth=0)
        )
        text = "not measured" if row is None else "no data"
        box = {"facecolor": "#f4f4f4", "edgecolor": "none", "pad": 1}
        axes.text(across, down, text, ha="center", va="center", fontsize=5.6, color=QUIET, style="italic", bbox=box)
        return
    axes.add_patch(Rectangle(corner, 0.96, 0.92, facecolor=_shade(row["mean"]), linewidth=0))
    ink = "white" if row["mean"] > 0.55 else "#222222"
    mark = "†" if row["n_seeds"] == 1 and row["arm"] not in UNTRAINED else ""
    axes.text(across, down - 0.14, number(row["mean"]) + mark, ha="center", va="center", fontsize=7.5, color=ink)
    ends = f"{number(row['lower'])} – {number(row['upper'])}"
    size = 5.6 if columns < 8 else 4.6
    axes.text(across, down + 0.22, ends, ha="center", va="center", fontsize=size, color=ink)


def _shade(rate: float) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    return tuple(1 - (1 - part) * (0.05 + 0.95 * rate) for part in to_rgb(_FULL))
