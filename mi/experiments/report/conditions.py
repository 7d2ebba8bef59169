"""What other conditions give: arm by condition in one table, and what each condition puts before a question."""

from __future__ import annotations

import math
from typing import Any

from mi.experiments.data_models import Arm, Condition
from mi.experiments.pipeline import labels_of
from mi.experiments.report.data_models import Sources
from mi.experiments.report.markup import Html, join, tag
from mi.experiments.report.tables import WHERE, dot, link, scrolling
from mi.experiments.settings import Setting
from mi.experiments.summary import POOLED, headline, select
from mi.utils.errors import UserError
from mi.utils.stats import note


def by_condition(sources: Sources) -> Html:
    """A section with a table a setting: arms as rows, under a heading for each trait and distribution; a column each.

    Empty where the experiment has one condition, which is what the result is about.
    """
    if len(sources.condition_labels) < 2:
        return Html("")
    first, *_ = sources.condition_labels.values()
    told = (
        f"Mean over seeds with its 95 % interval. “{first}” is what result, figures and contrasts are about. A "
        "dash: the arm is not asked so. A rate leads to its answers."
    )
    shown = [_setting(sources, setting) for setting in sources.settings]
    head = tag("h2", "By condition", id="h-conditions")
    return tag("section", head, tag("p", told), *shown, aria_labelledby="h-conditions")


def _setting(sources: Sources, setting: str) -> Html:
    table, labels = select(sources.conditions, setting=setting), labels_of(sources.experiment)
    heads = [tag("th", label, scope="col", class_="number") for label in sources.condition_labels.values()]
    bodies = []
    for distribution in POOLED:
        rows = headline(table, distribution)
        for trait in dict.fromkeys(rows["trait"]):
            name = (labels.get(trait, str(trait)), tag("small", WHERE[distribution]))
            width = str(1 + len(heads))
            lines = [tag("tr", tag("th", *name, colspan=width, scope="rowgroup"), class_="of")]
            found = select(rows, trait=trait)
            lines += [
                _arm(sources, select(found, arm=arm), (setting, arm, distribution, trait)) for arm in sources.arms
            ]
            bodies.append(tag("tbody", *lines))
    caption = tag("caption", tag("code", setting)) if len(sources.settings) > 1 else Html("")
    head = tag("thead", tag("tr", tag("th", "Arm", scope="col"), *heads))
    return scrolling(f"Rates by condition, {setting}", tag("table", caption, head, *bodies, class_="conditions"))


def _arm(sources: Sources, found: Any, cell: tuple[str, str, str, Any]) -> Html:
    setting, arm, distribution, trait = cell
    where = {"setting": setting, "arm": arm, "distribution": distribution, "trait": trait}
    rates = [
        _rate(select(found, condition=condition), link(sources, condition, **where))
        for condition in sources.condition_labels
    ]
    label = labels_of(sources.experiment).get(arm, arm)
    return tag("tr", tag("th", dot(sources, arm), tag("span", label), scope="row"), *rates)


def _rate(found: Any, href: str) -> Html:
    if found.empty:
        return tag("td", "–", class_="number none")
    row = found.iloc[0]
    if math.isnan(row["mean"]):
        refused = row["n_sampled"] and row["n_refused"] == row["n_sampled"]
        why = "all refused" if refused else "no valid answer" if row["n_sampled"] else note(0)
        return tag("td", tag("a", why, href=href, class_="none"), class_="number")
    interval = tag("small", f"{row['lower']:.2f} – {row['upper']:.2f}")
    mean = tag("a", f"{row['mean']:.2f}", href=href)
    return tag("td", mean, interval, class_="number shade", style=f"--m:{row['mean']:.3f}")


def how_asked(sources: Sources) -> Html:
    """Every condition: what stands before a question, and in it; where arms differ, arm by arm.

    Settings that are asked alike share a line.
    """
    rows = []
    for condition in sources.experiment.conditions:
        asked: dict[tuple[Html, Html], list[str]] = {}
        for setting in sources.experiment.settings:
            words = (_prompts(sources, condition, setting), _example(condition, setting))
            asked.setdefault(words, []).append(setting.get_domain_name())
        for words, settings in asked.items():
            which = [tag("small", tag("code", name)) for name in settings] if len(asked) > 1 else []
            cells = [tag("td", text) for text in words]
            rows.append(tag("tr", tag("th", condition.label, *which, scope="row"), *cells))
    heads = [tag("th", name, scope="col") for name in ("Condition", "System prompt at test time", "Question")]
    return scrolling("Conditions", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="arms"))


def _prompts(sources: Sources, condition: Condition, setting: Setting) -> Html:
    behind: dict[str | None, list[str]] = {}
    for arm in sources.experiment.arms:
        if (asked := prompt_of(condition, setting, arm)) is not None or not condition.own:
            behind.setdefault(asked, []).append(arm.label)
    if len(behind) == 1:
        return _words(next(iter(behind)))
    return join(*(tag("div", tag("small", ", ".join(arms)), _words(text)) for text, arms in behind.items()))


def prompt_of(condition: Condition, setting: Setting, arm: Arm) -> str | None:
    """The system prompt of an arm under a condition; None, too, where the setting has none of that kind."""
    try:
        return condition.prompt(setting, arm)
    except UserError:
        return None


def _words(text: str | None) -> Html:
    if text is None:
        return tag("em", "as the evaluation has it")
    return tag("q", text) if text else tag("em", "an empty system message")


def _example(condition: Condition, setting: Setting) -> Html:
    if condition.rewrite is None:
        return tag("em", "as it is")
    try:
        first = (*setting.get_id_evals(), *setting.get_ood_evals())[0].contexts[0].question
    except UserError:  # its data were not fetched here
        first = "…"
    return tag("q", condition.rewrite(first))
