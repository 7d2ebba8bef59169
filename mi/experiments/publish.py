"""Taking an experiment's result into its folder: figures, tables, and the marked places of its README."""

from __future__ import annotations

from pathlib import Path

from mi.experiments import markdown, published
from mi.experiments.data_models import Experiment
from mi.experiments.pipeline import draw, recall
from mi.utils.blocks import begin, fill, places
from mi.utils.errors import UserError
from mi.utils.files import whole_file

RESULT, PREDICTION = "result", "prediction"


def publish(experiment: Experiment, model: str, into: Path) -> list[Path]:
    """Write figures/*.png and .pdf, the tables and the marked places of README.md in `into`; return the paths.

    Raises UserError where the experiment has no results, or the README has no place for the result.
    """
    readme = into / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    if f"{RESULT} {experiment.name}" not in places(text):
        what = begin(f"{RESULT} {experiment.name}")
        raise UserError(f"{readme}: has no place for the result; put {what} and <!-- end of generated --> into it.")
    outcome = recall(experiment, model)
    outcome = outcome._replace(figures=tuple(draw(experiment.on(model), outcome, into / "figures")))
    tables = published.take(outcome, model, into)
    with whole_file(readme) as file:
        file.write(fill(text, lambda what: place(what, experiment, into)))
    return [*outcome.figures, *tables, readme]


def place(what: str, experiment: Experiment, folder: Path) -> str:
    """The text of a marked place that an experiment's own page may have. Raises UserError for any other."""
    kind, _, name = what.partition(" ")
    if name != experiment.name or kind not in (RESULT, PREDICTION):
        raise UserError(f"{folder}: nothing makes {what!r}; here, {RESULT} or {PREDICTION} {experiment.name} is made.")
    if kind == PREDICTION:
        return markdown.prediction(experiment)
    return markdown.result(experiment, published.read(experiment, folder))
