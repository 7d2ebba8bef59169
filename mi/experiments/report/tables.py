"""The result as tables: rates with their intervals and seeds by arm, every evaluation with its counts, contrasts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from mi.experiments.pipeline import labels_of
from mi.experiments.report.checks import cells, missing_seeds
from mi.experiments.report.data_models import Sources
from mi.experiments.report.markup import Html, join, tag
from mi.experiments.summary import POOLED, UNTRAINED, headline, select
from mi.utils.stats import note

WHERE = {"id": "in distribution", "ood": "out of distribution"}


def results(sources: Sources) -> Html:
    """One table a setting: arms as rows, trait by distribution as columns, and what became of the answers."""
    lacking = missing_seeds(sources)
    return join(*(_setting(sources, setting, lacking) for setting in sources.settings))


def _setting(sources: Sources, setting: str, lacking: Mapping[tuple[str, str], list[int]]) -> Html:
    table, rates = (select(frame, setting=setting) for frame in (sources.summary, sources.per_seed))
    labels = labels_of(sources.experiment)
    columns = [(trait, d) for trait in dict.fromkeys(table["trait"]) for d in POOLED if d in set(table["distribution"])]
    shown = {d: (headline(table, d), headline(rates, d)) for d in POOLED}
    heads = [
        tag("th", str(labels.get(trait, trait)), tag("small", WHERE[d]), scope="col", class_="rate")
        for trait, d in columns
    ]
    head = tag(
        "tr", tag("th", "Arm", scope="col"), *heads, tag("th", "Seeds", scope="col", class_="number"),
        *(tag("th", name, scope="col", class_="number") for name in ("Planned", "Sampled", "Valid", "Refused")),
    )  # fmt: skip
    rows = [_arm(sources, setting, arm, columns, shown, lacking.get((setting, arm), [])) for arm in sources.arms]
    caption = tag("caption", tag("code", setting)) if len(sources.settings) > 1 else Html("")
    return scrolling(
        f"Rates, {setting}", tag("table", caption, tag("thead", head), tag("tbody", *rows), class_="result")
    )


def _arm(
    sources: Sources,
    setting: str,
    arm: str,
    columns: Sequence[tuple[str, str]],
    shown: Mapping[str, tuple[Any, Any]],
    lacking: Sequence[int],
) -> Html:
    counted = select(cells(sources.summary), setting=setting, arm=arm)
    rates = [
        _rate(
            select(shown[d][0], arm=arm, trait=trait),
            select(shown[d][1], arm=arm, trait=trait),
            link(sources, sources.experiment.conditions[0].name, setting=setting, arm=arm, distribution=d, trait=trait),
        )
        for trait, d in columns
    ]
    names = ("n_planned", "n_sampled", "n_valid", "n_refused")
    numbers = [tag("td", f"{int(counted[name].sum()):,}", class_="number") for name in names]
    mine = select(sources.first, setting=setting, arm=arm)["seed"].unique()
    missing = tag("small", f"{', '.join(map(str, lacking))} missing", class_="warn") if lacking else Html("")
    seeds = tag(
        "td", tag("small", "untrained") if arm in UNTRAINED and len(mine) else str(len(mine)), missing, class_="number"
    )
    name = tag("th", dot(sources, arm), tag("span", labels_of(sources.experiment).get(arm, arm)), scope="row")
    return tag("tr", name, *rates, seeds, *numbers)


def _rate(found: Any, seeds: Any, href: str) -> Html:
    """A mean, its interval, and both drawn on a line from 0 to 1 with a dot for each seed."""
    if found.empty:
        return tag("td", tag("span", "no answers", class_="none"), class_="rate")
    row = found.iloc[0]
    if math.isnan(row["mean"]):
        why = "all refused" if row["n_sampled"] and row["n_refused"] == row["n_sampled"] else note(0)
        why = "no valid answer" if row["n_sampled"] and why != "all refused" else why
        return tag("td", tag("a", why, href=href, class_="none"), class_="rate")
    unsure = "training variance" in str(row["unknown"])
    interval = f"{row['lower']:.2f} – {row['upper']:.2f}" + (" †" if unsure else "")
    number = tag("a", f"{row['mean']:.2f}", href=href, title="Read these answers")
    points = [tag("i", style=f"--x:{mean:.4f}") for mean in seeds["mean"] if not math.isnan(mean)]
    place = f"--m:{row['mean']:.4f};--l:{row['lower']:.4f};--u:{row['upper']:.4f}"
    line = tag("span", tag("b"), *points, class_="line", style=place, aria_hidden="true")
    return tag("td", number, tag("small", interval), line, class_="rate")


def every_evaluation(sources: Sources) -> Html:
    """Every row of the summary with its counts."""
    labels = labels_of(sources.experiment)
    names = (
        "Arm", "Evaluation", "Trait", "Mean", "95 % interval", "Seeds", "Questions", "Planned", "Sampled", "Valid",
        "Refused",
    )  # fmt: skip
    several = len(sources.settings) > 1
    heads = [tag("th", name, scope="col", class_=None if i < 3 else "number") for i, name in enumerate(names)]
    rows = []
    for row in sources.summary.to_dict("records"):
        texts = [
            labels.get(row["arm"], row["arm"]),
            row["evaluation"].replace("_", " "),
            labels.get(row["trait"], row["trait"]),
        ]
        if several:
            texts[0] = f"{row['setting']}: {texts[0]}"
        counted = ("n_seeds", "n_questions", "n_planned", "n_sampled", "n_valid", "n_refused")
        counts = [f"{int(row[name]):,}" for name in counted]
        told = [number(row["mean"]), f"{number(row['lower'])} – {number(row['upper'])}", *counts]
        cells_ = [tag("td", text, class_="number") for text in told]
        rows.append(tag("tr", *(tag("td", text) for text in texts), *cells_))
    return scrolling("Every evaluation", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows)))


def contrasts(sources: Sources) -> Html:
    """Each arm against the reference, over whole distributions."""
    table = sources.contrasts
    if table.empty:
        return tag("p", "Nothing was compared: it takes a reference arm and another with answers.")
    labels = labels_of(sources.experiment)
    exact = bool((table["test"] == "permutation").any())
    names = ["Arm", "Trait", "", "Difference", "95 % interval", "p", "p, Holm", "p at best", "Seeds", "Test"]
    if not exact:
        names.remove("p at best")
    heads = [tag("th", name, scope="col", class_=None if i < 3 else "number") for i, name in enumerate(names)]
    rows = [
        _contrast(sources, row, distribution, exact)
        for distribution in POOLED
        for row in headline(table, distribution).to_dict("records")
    ]
    references = ", ".join(str(labels.get(arm, arm)) for arm in dict.fromkeys(table["reference"]))
    return join(
        tag(
            "p",
            f"Against “{references}”. p is that of an exact permutation of the seeds' means where both arms have four "
            "seeds or more, else of a t test over seeds; Holm's adjustment within each setting, evaluation and trait. "
            + ("“p at best” is the smallest p that a permutation of so few seeds could have given. " if exact else "")
            + "“Paired”: the same seeds and questions were compared with each other.",
        ),
        scrolling("Contrasts", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows))),
    )


def _contrast(sources: Sources, row: Mapping[str, Any], distribution: str, exact: bool) -> Html:
    """A line of the contrasts; with `exact` a place for the smallest p, which only a permutation has."""
    labels = labels_of(sources.experiment)
    arm = labels.get(row["arm"], row["arm"])
    texts = [
        f"{row['setting']}: {arm}" if len(sources.settings) > 1 else arm,
        labels.get(row["trait"], row["trait"]),
        WHERE[distribution],
    ]
    interval = "–" if math.isnan(row["lower"]) else f"{_signed(row['lower'])} to {_signed(row['upper'])}"
    told = [_signed(row["difference"]), interval, _p(row["p"]), _p(row["p_holm"])]
    if exact:
        told.append(_p(row["smallest_p"]) if row["test"] == "permutation" else "–")
    told.append(f"{int(row['n_seeds'])} : {int(row['n_seeds_reference'])}")
    told.append(f"{row['test']}{', paired' if row['paired'] is True else ''}")
    return tag("tr", *(tag("td", text) for text in texts), *(tag("td", text, class_="number") for text in told))


def link(sources: Sources, condition: str, **state: str) -> str:
    """The address of the transcripts under a condition, in that state."""
    under = {"condition": condition} if len(sources.condition_labels) > 1 else {}
    return f"#transcripts?{urlencode(under | state)}"


def dot(sources: Sources, arm: str) -> Html:
    """The arm's colour, as in the figures."""
    return tag("span", class_="dot", style=f"--c:{sources.looks[arm].colour}", aria_hidden="true")


def scrolling(label: str, table: Html) -> Html:
    """A table that scrolls by itself where the screen is narrow; reachable by keyboard."""
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)


def number(value: Any, digits: int = 2) -> str:
    """A number with so many digits, a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _signed(value: float) -> str:
    """With its sign, but for what rounds to nothing."""
    if math.isnan(value):
        return "–"
    return f"{value:+.2f}".replace("-", "−") if round(value, 2) else "0.00"


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else number(value, 3)
