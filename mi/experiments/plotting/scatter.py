"""Two traits against each other: what an arm removed and what it kept, in one point with its intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mi.experiments.plotting.style import (
    FOOTER,
    QUIET,
    ZERO_ONE,
    Look,
    draw_seeds,
    looks,
    name,
    shade,
    styled,
    write_footer,
)
from mi.experiments.summary import headline, select

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.transforms import Bbox

_SIDE, _LEFT, _BOTTOM, _TOP, _RIGHT = 2.95, 0.5, 0.84, 0.26, 0.1
"""Inches: the side of a panel's square, and the margins around it."""
_NEAR = 0.14
"""Points closer than this (in rate, both ways) are named in one block."""
_SAME = 0.012
"""Points closer than this lie on one another."""
_SIZE = 5.0
_MARK: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.5, "zorder": 4, "clip_on": False}
_GAPS = (5, 8, 12, 17, 23, 30, 40)
"""Points (1/72 inch) between a mark and its name: the first at which there is room is taken."""


def scatter(
    summary: pd.DataFrame,
    per_seed: pd.DataFrame,
    x_trait: str,
    y_trait: str,
    labels: Mapping[str, str] | None = None,
    source: str = "Model organism",
) -> Figure:
    """One point an arm, out of distribution, with its intervals both ways and its seeds; a panel a setting.

    Arguments as in `intervals`. Arms are named beside their points where there is room, those that lie together in
    one block; the others, and those without data, are named in a legend below.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    settings = list(dict.fromkeys(summary["setting"]))
    arms = looks(list(dict.fromkeys(summary["arm"])))
    words = {key: name(key, labels) for key in (*arms, *settings, x_trait, y_trait)}
    pitch = _LEFT + _SIDE + _RIGHT
    with styled():
        title = 0.2 if len(settings) > 1 else 0.0
        figure = Figure(figsize=(pitch * len(settings), _BOTTOM + _SIDE + _TOP + title))
        FigureCanvasAgg(figure)
        panels = [figure.add_axes(_rectangle(figure, pitch * column)) for column in range(len(settings))]
        unnamed: dict[str, bool] = {}
        for axes, setting in zip(panels, settings, strict=True):
            _frame(axes, words[x_trait], words[y_trait])
            if len(settings) > 1:
                axes.set_title(words[setting], fontweight="bold", pad=15)
            points = _points(select(summary, setting=setting), x_trait, y_trait, arms)
            seeds = headline(select(per_seed, setting=setting), "ood")
            obstacles = _draw(axes, points, seeds, arms)
            unnamed |= _name_points(axes, points, arms, words, obstacles)
        _legend_below(
            figure, panels, [(arms[a], words[a] + ("" if has else " (no data)")) for a, has in unnamed.items()]
        )
        write_footer(figure, summary, source)
    return figure


def _rectangle(figure: Figure, left: float, below: float = 0.0) -> tuple[float, float, float, float]:
    """Where a panel lies, in fractions of the figure; `left` and `below` are inches kept free."""
    width, height = figure.get_size_inches()
    return ((left + _LEFT) / width, (below + _BOTTOM) / height, _SIDE / width, _SIDE / height)


def _points(
    summary: pd.DataFrame, x_trait: str, y_trait: str, arms: Iterable[str]
) -> dict[str, tuple[pd.Series, pd.Series] | None]:
    """Arm -> (row of x, row of y); None where one of them has no data."""
    rows = headline(summary, "ood")
    points: dict[str, Any] = {}
    present = set(summary["arm"])
    for arm in (arm for arm in arms if arm in present):
        pair = [select(rows, arm=arm, trait=trait) for trait in (x_trait, y_trait)]
        whole = all(len(found) and found.iloc[0]["n_seeds"] for found in pair)
        points[arm] = (pair[0].iloc[0], pair[1].iloc[0]) if whole else None
    return points


def _frame(axes: Axes, x: str, y: str) -> None:
    axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
    axes.set_xticks(ZERO_ONE, ["0", ".25", ".5", ".75", "1"])
    axes.set_yticks(ZERO_ONE, ["0", ".25", ".5", ".75", "1"])
    axes.set_xlabel(f"{x}, out of distribution", labelpad=13)
    axes.set_ylabel(f"{y}, out of distribution", labelpad=3)
    corners = (("neither", 0, -0.082), (f"{x} only", 1, -0.082), (f"{y} only", 0, 1.02), ("both", 1, 1.02))
    for text, across, up in corners:
        axes.text(
            across, up, text, transform=axes.transAxes, color=QUIET, style="italic", fontsize=6.8,
            ha="right" if across else "left", va="bottom" if up > 0 else "top",
        )  # fmt: skip


def _draw(axes: Axes, points: Mapping[str, Any], seeds: pd.DataFrame, arms: Mapping[str, Look]) -> list[Bbox]:
    """Draw marks, bars and seeds; give back the boxes (in display units) that no name may cover."""
    from matplotlib.transforms import Bbox

    inked: list[tuple[float, float, float, float, float]] = []
    for arm, point in ((arm, point) for arm, point in points.items() if point is not None):
        (x, y), look = point, arms[arm]
        bars = ((x["lower"], y["mean"], x["upper"], y["mean"]), (x["mean"], y["lower"], x["mean"], y["upper"]))
        for x0, y0, x1, y1 in bars:
            axes.plot([x0, x1], [y0, y1], color=look.colour, linewidth=0.9, zorder=3, clip_on=False)
        size = _SIZE + 2.0 * _covered_by(arm, points)
        axes.plot(x["mean"], y["mean"], look.marker, color=look.colour, markersize=size, **_MARK)
        own = select(seeds, arm=arm).pivot_table(index="seed", columns="trait", values="mean")
        dots = own.reindex(columns=[x["trait"], y["trait"]]).dropna().to_numpy()
        if len(dots) > 1:
            draw_seeds(axes, dots[:, 0], dots[:, 1], look)
        inked += [(*bar, 1.5) for bar in bars] + [(x["mean"], y["mean"]) * 2 + (size / 2 + 1.5,)]
        inked += [(a, b, a, b, 2.0) for a, b in dots.tolist()]
    boxes = [(axes.transData.transform([(x0, y0), (x1, y1)]), pad) for x0, y0, x1, y1, pad in inked]
    return [Bbox(corners).padded(pad * axes.figure.dpi / 72) for corners, pad in boxes]


def _covered_by(arm: str, points: Mapping[str, Any]) -> int:
    """How many later marks lie on this one, which is drawn so much larger that it shows around them."""
    x, y = points[arm]
    later = [point for point in list(points.values())[list(points).index(arm) + 1 :] if point is not None]
    return sum(max(abs(x["mean"] - a["mean"]), abs(y["mean"] - b["mean"])) < _SAME for a, b in later)


def _name_points(
    axes: Axes, points: Mapping[str, Any], arms: Mapping[str, Look], words: Mapping[str, str], taken: list[Bbox]
) -> dict[str, bool]:
    """Write names beside the points; give back the arms for which there was no room, and whether they have data."""
    unnamed = {arm: False for arm, point in points.items() if point is None}
    for group in _clusters(points):
        block = _block(axes, [(arms[arm], words[arm]) for arm in group])
        place = _free_place(axes, block, [points[arm] for arm in group], taken)
        if place is None:
            block.remove()
            unnamed |= dict.fromkeys(group, True)
        else:
            across, up = axes.transAxes.inverted().transform(place.min).tolist()
            block.set_bbox_to_anchor((across, up), transform=axes.transAxes)
            taken.append(place)
    return {arm: unnamed[arm] for arm in points if arm in unnamed}


def _clusters(points: Mapping[str, Any]) -> list[list[str]]:
    """Arms that lie together, directly or through others, in the order of the table; the largest groups first."""
    clusters: list[list[str]] = []
    at = {arm: (point[0]["mean"], point[1]["mean"]) for arm, point in points.items() if point is not None}
    for arm, (x, y) in at.items():
        near = [c for c in clusters if any(max(abs(at[b][0] - x), abs(at[b][1] - y)) < _NEAR for b in c)]
        clusters = [c for c in clusters if c not in near] + [[other for c in near for other in c] + [arm]]
    order = list(at)
    return sorted((sorted(c, key=order.index) for c in clusters), key=lambda c: (-len(c), order.index(c[0])))


def _block(axes: Axes, entries: Sequence[tuple[Look, str]]) -> Legend:
    """The names of one cluster, movable by its lower left corner; two or more stand behind their marks."""
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

    mark: dict[str, Any] = (
        {"handlelength": 0.7, "handletextpad": 0.4} if len(entries) > 1 else {"handlelength": 0, "handletextpad": 0}
    )
    handles = _handles(entries) if len(entries) > 1 else [Line2D([], [], linestyle="")]
    block = Legend(
        axes, handles, [text for _, text in entries], loc="lower left", bbox_to_anchor=(0, 0),
        labelcolor=[shade(look.colour, -0.3) for look, _ in entries],
        borderpad=0, borderaxespad=0, labelspacing=0.25, fontsize=7, **mark,
    )  # fmt: skip
    axes.add_artist(block)
    return block


def _handles(entries: Sequence[tuple[Look, str]]) -> list[Any]:
    from matplotlib.lines import Line2D

    style: dict[str, Any] = {"linestyle": "", "markersize": 4.5, "markeredgecolor": "white", "markeredgewidth": 0.4}
    return [Line2D([], [], color=look.colour, marker=look.marker, **style) for look, _ in entries]


def _free_place(axes: Axes, block: Legend, points: Sequence[Any], taken: Sequence[Bbox]) -> Bbox | None:
    """The nearest box around the points of a cluster that is within the panel and covers nothing."""
    from matplotlib.transforms import Bbox

    size = block.get_window_extent(axes.figure.canvas.get_renderer())  # type: ignore[attr-defined]
    marks = axes.transData.transform([(x["mean"], y["mean"]) for x, y in points])
    (left, bottom), (right, top) = marks.min(axis=0), marks.max(axis=0)
    middle = ((left + right - size.width) / 2, (bottom + top - size.height) / 2)
    panel = axes.bbox.padded(-3 * axes.figure.dpi / 72)
    for gap in (gap * axes.figure.dpi / 72 for gap in _GAPS):
        columns = (right + gap, left - gap - size.width, middle[0])
        rows = (middle[1], top + gap, bottom - gap - size.height)
        for x, y in ((x, y) for y in rows for x in columns):
            inside = (min(max(x, panel.x0), panel.x1 - size.width), min(max(y, panel.y0), panel.y1 - size.height))
            box = Bbox.from_bounds(*inside, size.width, size.height)
            if not box.count_overlaps(taken):
                return box
    return None


def _legend_below(figure: Figure, panels: Sequence[Axes], entries: Sequence[tuple[Look, str]]) -> None:
    """Name what has no name beside its point, in a strip that is added below the panels."""
    if not entries:
        return
    columns = 2 * len(panels)
    strip = 0.16 * -(-len(entries) // columns) + 0.06
    figure.set_figheight(figure.get_figheight() + strip)
    for column, axes in enumerate(panels):
        axes.set_position(_rectangle(figure, column * (_LEFT + _SIDE + _RIGHT), strip))
    figure.legend(
        _handles(entries), [text for _, text in entries], loc="lower center", ncols=columns, fontsize=7,
        bbox_to_anchor=(0.5, (FOOTER + 0.06) / figure.get_figheight()),
        borderpad=0, borderaxespad=0, handlelength=0.7, labelspacing=0.3,
    )  # fmt: skip
