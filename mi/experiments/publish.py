"""Taking an experiment's result into its folder: figures, summary, and the table in its README."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi.experiments.data_models import Experiment
from mi.experiments.pipeline import labels_of, recall, replot
from mi.experiments.summary import headline
from mi.utils.errors import UserError
from mi.utils.files import whole_file

if TYPE_CHECKING:
    import pandas as pd

BEGIN, END = "<!-- result: written by `mi publish` -->", "<!-- end of result -->"


def publish(experiment: Experiment, model: str, into: Path) -> list[Path]:
    """Write figures/*.png and .pdf, summary.csv and the marked block of README.md in `into`; return the paths.

    Raises UserError where the experiment has no results, or the README has no block.
    """
    readme = into / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    if BEGIN not in text or END not in text:
        raise UserError(f"{readme}: has no block for the result; put the lines {BEGIN} and {END} into it.")
    outcome = recall(experiment, model)
    figures = replot(experiment, model, into / "figures")
    shutil.copyfile(outcome.folder / "summary.csv", into / "summary.csv")
    shutil.copyfile(outcome.folder / "contrasts.csv", into / "contrasts.csv")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    with whole_file(readme) as file:
        file.write(before + "\n".join([BEGIN, *_block(experiment, model, outcome.summary), END]) + after)
    return [*figures, into / "summary.csv", into / "contrasts.csv", readme]


def _block(experiment: Experiment, model: str, summary: pd.DataFrame) -> list[str]:
    """The result in Markdown: a row an arm, a column a trait and distribution."""
    import mi

    labels, traits = labels_of(experiment), list(dict.fromkeys(summary["trait"]))
    columns = [(distribution, trait) for distribution in ("id", "ood") for trait in traits]
    names = [f"{labels.get(trait, trait)}, {'in' if d == 'id' else 'out of'} distribution" for d, trait in columns]
    tables = {distribution: headline(summary, distribution) for distribution in ("id", "ood")}
    lines = [f"| arm | seeds | {' | '.join(names)} |", "|---" * (len(columns) + 2) + "|"]
    for arm in dict.fromkeys(summary["arm"]):
        rows = {key: _row(tables[key[0]], arm, key[1]) for key in columns}
        seeds = int(max(row["n_seeds"] for row in rows.values()))
        cells = [f"{row['mean']:.2f} [{row['lower']:.2f}, {row['upper']:.2f}]" for row in rows.values()]
        lines.append(f"| {labels.get(arm, arm)} | {seeds} | {' | '.join(cells)} |")
    made = f"Base model: {model}; mi {mi.__version__}; {date.today().isoformat()}."
    return [
        made,
        "Mean over seeds with a 95 % interval (Student-t over seeds, at least Wilson over answers).",
        "",
        *lines,
    ]


def _row(table: pd.DataFrame, arm: str, trait: str) -> dict[str, Any]:
    return table[(table["arm"] == arm) & (table["trait"] == trait)].to_dict("records")[0]  # type: ignore[return-value]
