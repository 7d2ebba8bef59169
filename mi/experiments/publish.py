"""Taking an experiment's result into its folder: figures, summary, and the table in its README."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from mi.experiments.data_models import NO_PROMPT, Experiment
from mi.experiments.figures import caption
from mi.experiments.pipeline import TABLES, Outcome, labels_of, recall, replot
from mi.experiments.show import means_by_condition
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
    if outcome.retention is not None:
        tables.append(into / "retention.csv")
        with whole_file(tables[-1]) as file:
            outcome.retention.to_csv(file, index=False)
    lines = [*_block(experiment, model, outcome), *_images(figures, into)]
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    with whole_file(readme) as file:
        file.write(before + "\n".join([BEGIN, *lines, END]) + after)
    return [*figures, *tables, readme]


def _block(experiment: Experiment, model: str, outcome: Outcome) -> list[str]:
    """The result in Markdown: rates with intervals by setting and arm, then what other conditions give."""
    import mi

    labels = labels_of(experiment)
    made = f"Base model: {model}; mi {mi.__version__}; {date.today().isoformat()}."
    told = "Mean over seeds with a 95 % interval (Student-t over seeds in Wilson’s form, at least Wilson over answers)."
    first = experiment.conditions[0]
    how = [] if first.name == NO_PROMPT.name else [f"Condition: {first.label.lower()}."]
    lines = [made, told, *how, "", *_rates(outcome.summary, labels)]
    if len(experiment.conditions) > 1:
        lines += ["", "Out of distribution, by what stands before the question at test time:", ""]
        lines += _by_condition(experiment, outcome, labels)
    if outcome.retention is not None:
        margin = outcome.retention["margin"].iloc[0]
        told = f"kept within {margin:.2f} is “retained”, where two one-sided tests show it"
        lines += ["", f"Against no inoculation, out of distribution; {told}:", "", *_kept(outcome.retention, labels)]
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


def _by_condition(experiment: Experiment, outcome: Outcome, labels: Mapping[str, str]) -> list[str]:
    """A row a setting, trait and arm, a column a condition; means out of distribution."""
    names = [condition.label for condition in experiment.conditions]
    lines = [_line("setting", "trait", "arm", *names), "|---" * (3 + len(names)) + "|"]
    for (setting, arm, trait), means in means_by_condition(experiment, outcome):
        lines.append(_line(setting, labels.get(trait, trait), labels.get(arm, arm), *means))
    return lines


def _kept(retention: pd.DataFrame, labels: Mapping[str, str]) -> list[str]:
    """A row an arm: what it removed, what it kept, and whether that is shown."""
    lines = [_line("arm", "removed", "by", "kept", "change", "verdict"), "|---" * 6 + "|"]
    for row in retention.to_dict("records"):
        ends = [
            "no answer"
            if row[what] != row[what]
            else f"{row[what]:.2f} [{row[f'{what}_lower']:.2f}, {row[f'{what}_upper']:.2f}]"
            for what in ("removed", "kept")
        ]
        traits = [labels.get(row[f"{what}_trait"], row[f"{what}_trait"]) for what in ("removed", "kept")]
        lines.append(_line(labels.get(row["arm"], row["arm"]), traits[0], ends[0], traits[1], ends[1], row["verdict"]))
    return lines


def _images(figures: Sequence[Path], into: Path) -> list[str]:
    """The figures that were taken, to be seen in the page."""
    shown = [path for path in figures if path.suffix == ".png"]
    return [line for path in shown for line in ("", f"![{caption(path.stem)}]({path.relative_to(into).as_posix()})")]


def _interval(row: pd.DataFrame) -> str:
    """A mean with its interval; empty where the cell is not in the table, "no answer" where nothing was valid."""
    if not len(row):
        return ""
    mean, lower, upper = row.iloc[0][["mean", "lower", "upper"]]
    return "no answer" if mean != mean else f"{mean:.2f} [{lower:.2f}, {upper:.2f}]"


def _line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"
