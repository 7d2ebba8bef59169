"""Taking an experiment's result into its folder: figures, summary, and the table in its README."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from mi.experiments.data_models import NO_PROMPT, Experiment
from mi.experiments.pipeline import TABLES, Outcome, labels_of, recall, replot
from mi.experiments.summary import headline, select
from mi.utils.errors import UserError
from mi.utils.files import whole_file

if TYPE_CHECKING:
    import pandas as pd

BEGIN, END = "<!-- result: written by `mi publish` -->", "<!-- end of result -->"


def publish(experiment: Experiment, model: str, into: Path) -> list[Path]:
    """Write figures/*.png and .pdf, the tables and the marked block of README.md in `into`; return the paths.

    Raises UserError where the experiment has no results, or the README has no block.
    """
    readme = into / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    if BEGIN not in text or END not in text:
        raise UserError(f"{readme}: has no block for the result; put the lines {BEGIN} and {END} into it.")
    outcome = recall(experiment, model)
    figures = replot(experiment, model, into / "figures")
    tables = [into / f"{name}.csv" for name in TABLES]
    for path in tables:
        shutil.copyfile(outcome.folder / path.name, path)
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    with whole_file(readme) as file:
        file.write(before + "\n".join([BEGIN, *_block(experiment, model, outcome), END]) + after)
    return [*figures, *tables, readme]


def _block(experiment: Experiment, model: str, outcome: Outcome) -> list[str]:
    """The result in Markdown: rates with intervals by setting and arm, then what other conditions give."""
    import mi

    labels = labels_of(experiment)
    made = f"Base model: {model}; mi {mi.__version__}; {date.today().isoformat()}."
    told = "Mean over seeds with a 95 % interval (Student-t over seeds, at least Wilson over answers)."
    first = experiment.conditions[0]
    how = [] if first.name == NO_PROMPT.name else [f"Condition: {first.label.lower()}."]
    lines = [made, told, *how, "", *_rates(outcome.summary, labels)]
    if len(experiment.conditions) > 1:
        lines += ["", "Out of distribution, by what stands before the question at test time:", ""]
        lines += _by_condition(outcome.conditions, experiment, labels)
    return lines


def _rates(summary: pd.DataFrame, labels: Mapping[str, str]) -> list[str]:
    """A row a setting and arm, a column a distribution and trait."""
    traits = list(dict.fromkeys(summary["trait"]))
    columns = [(distribution, trait) for distribution in ("id", "ood") for trait in traits]
    names = [f"{labels.get(trait, trait)}, {'in' if d == 'id' else 'out of'} distribution" for d, trait in columns]
    tables = {distribution: headline(summary, distribution) for distribution in ("id", "ood")}
    settings = list(dict.fromkeys(summary["setting"]))
    lead = ["setting"] if len(settings) > 1 else []
    lines = [_line(*lead, "arm", "seeds", *names), "|---" * (len(lead) + 2 + len(columns)) + "|"]
    for setting in settings:
        for arm in dict.fromkeys(select(summary, setting=setting)["arm"]):
            found = [select(tables[d], setting=setting, arm=arm, trait=trait) for d, trait in columns]
            seeds = int(max((row["n_seeds"].max() for row in found if len(row)), default=0))
            cells = [_interval(row) for row in found]
            lines.append(_line(*([setting] if lead else []), labels.get(arm, arm), seeds, *cells))
    return lines


def _by_condition(conditions: pd.DataFrame, experiment: Experiment, labels: Mapping[str, str]) -> list[str]:
    """A row a setting, arm and trait, a column a condition; means out of distribution."""
    names = {condition.name: condition.label for condition in experiment.conditions}
    rows = headline(conditions, "ood")
    keys = list(dict.fromkeys(zip(rows["setting"], rows["arm"], rows["trait"], strict=True)))
    lines = [_line("setting", "arm", "trait", *names.values()), "|---" * (3 + len(names)) + "|"]
    for setting, arm, trait in keys:
        found = select(rows, setting=setting, arm=arm, trait=trait)
        means = [select(found, condition=name)["mean"] for name in names]
        cells = [f"{mean.iloc[0]:.2f}" if len(mean) else "" for mean in means]
        lines.append(_line(setting, labels.get(arm, arm), labels.get(trait, trait), *cells))
    return lines


def _interval(row: pd.DataFrame) -> str:
    """A mean with its interval; empty where the cell is not in the table, "no answer" where nothing was valid."""
    if not len(row):
        return ""
    mean, lower, upper = row.iloc[0][["mean", "lower", "upper"]]
    return "no answer" if mean != mean else f"{mean:.2f} [{lower:.2f}, {upper:.2f}]"


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"
