"""An experiment's prediction and its result as Markdown, from its value and its committed tables alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mi.experiments.data_models import NO_PROMPT, Claim, Experiment
from mi.experiments.figures import caption
from mi.experiments.pipeline import labels_of
from mi.experiments.published import Published
from mi.experiments.show import means_by_condition
from mi.experiments.summary import answered, bound_of, headline, select, tally
from mi.experiments.summary.claims import HELD
from mi.utils.stats import in_figures

if TYPE_CHECKING:
    import pandas as pd

NOT_RUN = "Not run yet."


def prediction(experiment: Experiment) -> str:
    """What is expected, claim by claim, with its bounds."""
    lines = [f"- {claim.says} ({bound_of(claim)})." for claim in experiment.prediction]
    return "\n".join(["**Prediction, written before the run.**", "", *(lines or ["None was written down."])])


def result(experiment: Experiment, published: Published | None) -> str:
    """Rates with intervals by setting and arm, what other conditions give, the prediction read against it, figures."""
    if published is None:
        return NOT_RUN
    facts, labels = published.facts, labels_of(experiment)
    made = f"Base model: {facts.model}; {len(facts.seeds)} seeds; mi {facts.version}; {facts.date}."
    told = "Mean over seeds with a 95 % interval (Student-t over seeds in Wilson’s form, at least Wilson over answers)."
    first = experiment.conditions[0]
    how = [] if first.name == NO_PROMPT.name else [f"Condition: {first.label.lower()}."]
    lines = [made, told, *how, "", *_rates(published.summary, labels)]
    if len(experiment.conditions) > 1:
        lines += ["", "Out of distribution, by what stands before the question at test time:", ""]
        lines += _by_condition(experiment, published.conditions, labels)
    if published.retention is not None:
        margin = published.retention["margin"].iloc[0]
        told = f"kept within {margin:.2f} is “retained”, where two one-sided tests show it"
        lines += ["", f"Against no inoculation, out of distribution; {told}:", "", *_kept(published.retention, labels)]
    for path in facts.figures:
        lines += ["", f"![{caption(PurePosixPath(path).stem)}]({path})"]
    if experiment.prediction:
        lines += ["", *against_prediction(experiment, published.claims)]
    return "\n".join(lines)


def against_prediction(experiment: Experiment, claims: pd.DataFrame) -> list[str]:
    """A row a claim: in how many settings and traits it held, and the values where it did not."""
    several = len({(row["setting"], row["trait"]) for row in claims.to_dict("records") if row["setting"]}) > 1
    lines = [
        "**Read against the prediction.** A claim is held where its 95 % interval lies within the bounds, not held "
        "where all of it lies without, and undecided where a bound is in it; a single training seed decides nothing.",
        "",
        _line("predicted", "bounds", "found", "value" if not several else "values where it is not held throughout"),
        "|---" * 4 + "|",
    ]
    for place, claim in enumerate(experiment.prediction):
        rows = claims[claims["claim"] == place].to_dict("records")
        shown = rows if len(rows) == 1 else [row for row in rows if row["verdict"] != HELD]
        values = "; ".join(_value(row, claim, experiment, len(rows) > 1) for row in shown)
        lines.append(_line(claim.says, bound_of(claim), tally(claims, place), values))
    return lines


def _value(row: Mapping[Any, Any], claim: Claim, experiment: Experiment, named: bool) -> str:
    """A claim's value with its interval, behind its setting and trait where there are several."""
    value, lower, upper = (float(str(row[name])) for name in ("value", "lower", "upper"))
    told = "no answer" if value != value else in_figures(value, lower, upper, signed=claim.compares)
    traits = {trait for setting in experiment.settings for trait in setting.get_traits()}
    where = str(row["setting"]) if len(experiment.settings) > 1 else ""
    trait = labels_of(experiment).get(str(row["trait"]), "").lower() if len(traits) > 1 else ""
    name = " ".join(part for part in (where, trait) if part)
    return f"{name}: {told}" if named and name else told


def _rates(summary: pd.DataFrame, labels: Mapping[str, str]) -> list[str]:
    """A row a setting and arm, a column a distribution and trait."""
    traits = list(dict.fromkeys(summary["trait"]))
    columns = [(distribution, trait) for distribution in ("id", "ood") for trait in traits]
    names = [f"{labels.get(trait, trait)}, {'in' if d == 'id' else 'out of'} distribution" for d, trait in columns]
    tables = {distribution: headline(summary, distribution) for distribution in ("id", "ood")}
    settings = list(dict.fromkeys(summary["setting"]))
    lead = ["setting"] if len(settings) > 1 else []
    lines = [_line(*lead, "arm", "seeds", "answers", *names), "|---" * (len(lead) + 3 + len(columns)) + "|"]
    for setting in settings:
        for arm in dict.fromkeys(select(summary, setting=setting)["arm"]):
            found = [select(tables[d], setting=setting, arm=arm, trait=trait) for d, trait in columns]
            seeds = int(max((row["n_seeds"].max() for row in found if len(row)), default=0))
            given = answered(select(summary, setting=setting, arm=arm)).replace("\n", ", ")
            cells = [_interval(row) for row in found]
            lines.append(_line(*([setting] if lead else []), labels.get(arm, arm), seeds, given, *cells))
    return lines


def _by_condition(experiment: Experiment, conditions: pd.DataFrame, labels: Mapping[str, str]) -> list[str]:
    """A row a setting, trait and arm, a column a condition; means out of distribution."""
    names = [condition.label for condition in experiment.conditions]
    lines = [_line("setting", "trait", "arm", *names), "|---" * (3 + len(names)) + "|"]
    for (setting, arm, trait), means in means_by_condition(experiment, conditions):
        lines.append(_line(setting, labels.get(trait, trait), labels.get(arm, arm), *means))
    return lines


def _kept(retention: pd.DataFrame, labels: Mapping[str, str]) -> list[str]:
    """A row an arm: what it removed, what it kept, and whether that is shown."""
    lines = [_line("arm", "removed", "by", "kept", "change", "verdict"), "|---" * 6 + "|"]
    for row in retention.to_dict("records"):
        ends = [
            "no answer"
            if row[what] != row[what]
            else in_figures(row[what], row[f"{what}_lower"], row[f"{what}_upper"], signed=what == "kept")
            for what in ("removed", "kept")
        ]
        traits = [labels.get(row[f"{what}_trait"], row[f"{what}_trait"]) for what in ("removed", "kept")]
        lines.append(_line(labels.get(row["arm"], row["arm"]), traits[0], ends[0], traits[1], ends[1], row["verdict"]))
    return lines


def _interval(row: pd.DataFrame) -> str:
    """A mean with its interval; empty where the cell is not in the table, "no answer" where nothing was valid."""
    if not len(row):
        return ""
    mean, lower, upper = row.iloc[0][["mean", "lower", "upper"]]
    return "no answer" if mean != mean else in_figures(mean, lower, upper)


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"
