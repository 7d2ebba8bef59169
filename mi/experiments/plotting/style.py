"""The one style of all figures: colours, markers, sizes of type and lines, and how files are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mi.experiments.summary import UNTRAINED, unknown_variance
from mi.utils.files import whole_file

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

WIDTH = 5.5
"""Inches: the text width of a one-column paper."""
INK, QUIET, HAIR = "#222222", "#6b6b6b", "#d9d9d9"
FOOTER_SIZE = 5.8
FOOTER = 0.26
"""Inches that two lines of it take."""
ZERO_ONE = (0.0, 0.25, 0.5, 0.75, 1.0)


class Look(NamedTuple):
    """How an arm is drawn, in every figure."""

    colour: str
    marker: str


# The first word that occurs in an arm's name decides. Hues are Okabe and Ito's, which colour-blind readers can tell
# apart: untrained and control grey, inoculated cool, trained without a fitting inoculation warm.
_LOOKS = (
    ("base", Look("#8c8c8c", "o")),
    ("control", Look("#222222", "s")),
    ("irrelevant", Look("#8a5a00", "v")),
    ("placebo", Look("#e69f00", "^")),
    ("negative", Look("#8f1d14", "X")),
    ("no_inoculation", Look("#d55e00", "D")),
    ("none", Look("#d55e00", "D")),
    ("uninoculated", Look("#d55e00", "D")),
    ("both", Look("#aa4499", "D")),
    ("spanish", Look("#0072b2", "o")),
    ("capital", Look("#009e73", "s")),
    ("general", Look("#332288", "p")),
    ("specific", Look("#56b4e9", "h")),
)
_SPARE = tuple(
    Look(colour, marker)
    for marker, colours in (
        ("d", ("#56b4e9", "#117733", "#cc79a7", "#999933")),
        ("*", ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#222222", "#e69f00")),
        ("H", ("#332288", "#8a5a00", "#882255", "#44aa99", "#6b6b6b", "#0072b2")),
    )
    for colour in colours
)


def looks(arms: Sequence[str]) -> dict[str, Look]:
    """A look for every arm, no two alike as long as there are enough: by the words in its name, or else a spare one.

    Of the spare ones the next whose colour fewest arms have: another marker tells less than another colour.
    """
    chosen: dict[str, Look] = {}
    for arm in arms:
        slug = arm.lower().replace(" ", "_").replace("-", "_")
        look = next((look for word, look in _LOOKS if word in slug), None)
        if look and look not in chosen.values():
            chosen[arm] = look
    for arm in arms:
        if arm not in chosen:
            taken, colours = Counter(chosen.values()), Counter(look.colour for look in chosen.values())
            chosen[arm] = min(_SPARE, key=lambda look: (taken[look], colours[look.colour]))
    return {arm: chosen[arm] for arm in arms}


def shade(colour: str, amount: float) -> tuple[float, float, float]:
    """The colour blended with white (amount > 0) or black (amount < 0)."""
    from matplotlib.colors import to_rgb

    red, green, blue = ((1 - abs(amount)) * part + max(0.0, amount) for part in to_rgb(colour))
    return red, green, blue


def draw_seeds(axes: Axes, x: ArrayLike, y: ArrayLike, look: Look) -> None:
    """Small dots, paler than the arm's mark and bars, on which they lie."""
    axes.scatter(x, y, s=7, color=[shade(look.colour, 0.5)], linewidths=0, zorder=3.5, clip_on=False)


def name(key: str, labels: Mapping[str, str] | None) -> str:
    """What people call an arm, trait or setting: its label, or the key without underscores."""
    return (labels or {}).get(key, key.replace("_", " "))


@contextmanager
def styled() -> Iterator[None]:
    """matplotlib's settings for the time of a block; nothing is changed outside it."""
    import matplotlib

    settings: Any = {
        "font.family": "DejaVu Sans",
        "font.size": 7.5,
        "axes.titlesize": 8.5,
        "axes.labelsize": 8,
        "axes.edgecolor": QUIET,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.color": INK,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7.5,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "lines.solid_capstyle": "butt",
        "legend.frameon": False,
        "legend.fontsize": 7.5,
        "figure.dpi": 100,
        "savefig.facecolor": "white",
        "pdf.fonttype": 42,
    }
    with matplotlib.rc_context(settings):
        yield


def write_footer(figure: Figure, summary: pd.DataFrame, source: str, bars: str | None = None) -> None:
    """Whose results these are, over how many seeds, and what the intervals are: up to two lines at the bottom.

    `summary` has an arm and n_seeds a row; `bars` says what the intervals are where they are not those of rates.
    """
    import textwrap

    trained = summary.loc[~summary["arm"].isin(UNTRAINED) & (summary["n_seeds"] > 0), "n_seeds"]
    few, most = (int(trained.min()), int(trained.max())) if len(trained) else (0, 0)
    seeds = f"{few} to {most} seeds" if few != most else f"{most} seed{'' if most == 1 else 's'}"
    if bars is not None:
        pass
    elif most > 1:
        bars = "Bars: 95 % interval, Student-t over seeds, Wilson at least. Small dots: seeds."
    else:
        bars = "Bars: 95 % interval, Wilson over answers."
    unknown = unknown_variance(summary)
    text = f"{source}, {seeds}. {bars}" + (f" {unknown.capitalize()}." if unknown else "")
    width, height = figure.get_size_inches()
    lines = textwrap.fill(text, int(24 * width))
    figure.text(0.06 / width, 0.05 / height, lines, fontsize=FOOTER_SIZE, color=QUIET, va="bottom", linespacing=1.3)


def legend_below(figure: Figure, entries: Sequence[tuple[Look, str]], line: bool = False) -> None:
    """Name the looks in a strip that is added below a figure in constrained layout, above the footer.

    They stand in as many columns as the longest text leaves room for.
    """
    from matplotlib.lines import Line2D

    style: dict[str, Any] = {"markersize": 4.5, "markeredgecolor": "white", "markeredgewidth": 0.4, "linewidth": 1.1}
    style["linestyle"] = "-" if line else ""
    texts = [wrapped(text, 70) for _, text in entries]
    longest = max((len(part) for text in texts for part in text.split("\n")), default=1)
    columns = max(1, min(len(texts), 4, int(figure.get_figwidth() * 18 / (longest + 6))))
    rows = -(-len(texts) // columns) + max(text.count("\n") for text in texts)
    strip = 0.155 * rows + 0.12
    figure.set_figheight(figure.get_figheight() + strip)
    figure.legend(
        [Line2D([], [], color=look.colour, marker=look.marker, **style) for look, _ in entries], texts,
        loc="lower center", bbox_to_anchor=(0.5, FOOTER / figure.get_figheight()), ncols=columns, fontsize=7,
        handlelength=1.6 if line else 0.8, columnspacing=1.4, labelspacing=0.35, borderpad=0.3, handletextpad=0.5,
    ).set_in_layout(False)  # fmt: skip
    leave_footer(figure, strip)


def wrapped(text: str, width: int) -> str:
    """The text in lines of at most so many characters, longer words excepted."""
    import textwrap

    return textwrap.fill(text, width, break_long_words=False)


def leave_footer(figure: Figure, more: float = 0.0) -> None:
    """Keep a strip at the bottom for the footer, and `more` inches, of which constrained layout does not know."""
    strip = (FOOTER + more) / figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, strip, 1, 1 - strip))  # type: ignore[union-attr,call-arg]


def new_figure(height: float) -> Figure:
    """An empty figure of the text's width, `height` inches high, in constrained layout; to be called in `styled`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def number(value: float, sign: bool = False) -> str:
    """A rate or a difference in two digits without a leading zero: .85, 1.00, −.12; an en dash where there is none."""
    if value != value:
        return "–"
    text = f"{abs(value):.2f}".removeprefix("0") if abs(value) < 0.995 else f"{abs(value):.2f}"
    if value < 0 and text != ".00":
        return f"−{text}"
    return f"+{text}" if sign and text != ".00" else text


def save(figure: Figure, path_stem: Path) -> tuple[Path, Path]:
    """Write `path_stem`.png (200 dpi) and `path_stem`.pdf, each whole or not at all, and return their paths.

    The same figure gives the same bytes: no date, no version of the drawing library. Raises UserError where the
    folder cannot be written.
    """
    png, pdf = (path_stem.with_name(f"{path_stem.name}.{suffix}") for suffix in ("png", "pdf"))
    with styled():
        with whole_file(png, "wb") as file:
            figure.savefig(file, format="png", dpi=200, metadata={"Software": None})
        with whole_file(pdf, "wb") as file:
            figure.savefig(file, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return png, pdf
