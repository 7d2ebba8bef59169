"""Which figures an experiment has, drawn from its tables alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi.experiments.data_models import Experiment
from mi.experiments.outcome import Outcome
from mi.experiments.summary import headline, select
from mi.utils.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    Labels = dict[str, str]

_DRAWN = ".figures.json"
"""Beside the figures: from what they were drawn. A run in which nothing changed need not draw them again."""
_CAPTIONS = {
    "intervals": "Rates in and out of distribution, by arm",
    "scatter": "Two traits against each other, out of distribution",
    "retention": "What each arm removed, and what it kept",
    "forest": "Differences from no inoculation, out of distribution",
    "dose": "Rates along the dose, out of distribution",
    "matrix": "Rates by arm and by what stands before the question",
}


def caption(stem: str) -> str:
    """What a figure shows, in words, from its file's name without ending."""
    kind, _, of = stem.partition("_")
    return _CAPTIONS[kind] + (f": {of.replace('_', ' ')}" if of else "")


def drawn_from(experiment: Experiment, outcome: Outcome, labels: Labels) -> str:
    """The identity of all that the figures are made of: tables, names and the code that draws."""
    tables = [outcome.summary, outcome.per_seed, outcome.contrasts, outcome.conditions, outcome.retention]
    here = Path(__file__).parent
    code = [path.read_bytes() for path in (Path(__file__), *sorted((here / "plotting").glob("*.py")))]
    named = [experiment.scatter, experiment.forest, experiment.dose, [c.label for c in experiment.conditions], labels]
    parts = [named, outcome.folder.name, version("matplotlib")]
    hasher = hashlib.sha256(repr(parts).encode())
    for part in (*(b"" if table is None else table.to_csv().encode() for table in tables), *code):
        hasher.update(hashlib.sha256(part).digest())
    return hasher.hexdigest()


def drawn(folder: Path, source: str) -> list[Path] | None:
    """The figures in a folder that were drawn from `source`, if all are there."""
    try:
        kept = json.loads((folder / _DRAWN).read_text(encoding="utf-8"))
        paths = [folder / name for name in kept["files"]]
        return paths if kept["source"] == source and all(path.is_file() for path in paths) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember_drawn(folder: Path, source: str, paths: Sequence[Path]) -> None:
    """Keep from what the figures in a folder were drawn; "" where that is not known."""
    with whole_file(folder / _DRAWN) as file:
        json.dump({"source": source, "files": [path.name for path in paths]}, file)


def draw(experiment: Experiment, outcome: Outcome, labels: Labels) -> dict[str, Figure]:
    """The experiment's figures by the stem of their file's name; which they are follows from its value."""
    from mi.experiments.plotting import forest, intervals, retention_plot, scatter

    model = outcome.folder.name
    source = "Model organism" if model == "organism" else model
    rates, seeds = outcome.summary, outcome.per_seed
    arms = list(dict.fromkeys(rates["arm"]))
    figures = {"intervals": intervals(rates, seeds, list(dict.fromkeys(rates["trait"])), labels, source)}
    if experiment.scatter:
        figures["scatter"] = scatter(rates, seeds, *experiment.scatter, labels, source)
    if outcome.retention is not None and len(outcome.retention):
        figures["retention"] = retention_plot(outcome.retention, labels, source, arms)
    if experiment.forest and len(outcome.contrasts):
        figures["forest"] = forest(outcome.contrasts, labels, source, among=arms)
    if experiment.dose:
        figures |= _along_the_dose(experiment, outcome, labels, source)
    if len(experiment.conditions) > 1:
        figures |= _matrices(experiment, outcome, labels, source)
    return figures


def _matrices(experiment: Experiment, outcome: Outcome, labels: Labels, source: str) -> dict[str, Figure]:
    """Arms by conditions, out of distribution: a figure a setting, and a trait where a setting has several."""
    from mi.experiments.plotting import matrix
    from mi.experiments.plotting.style import name

    names = labels | {condition.name: condition.label for condition in experiment.conditions}
    rows = headline(outcome.conditions, "ood")
    figures = {}
    for setting in dict.fromkeys(rows["setting"]):
        own = select(rows, setting=setting)
        traits = list(dict.fromkeys(own["trait"]))
        for trait in traits:
            stem = f"matrix_{setting}" + (f"_{trait}" if len(traits) > 1 else "")
            title = f"{name(setting, labels).capitalize()}: {name(trait, labels).lower()}, out of distribution"
            figures[stem] = matrix(select(own, trait=trait), "condition", names, source, title)
    return figures


def _along_the_dose(experiment: Experiment, outcome: Outcome, labels: Labels, source: str) -> dict[str, Figure]:
    """A line a setting; none where a part of the experiment has no two arms of the axis."""
    from mi.experiments.plotting import curves

    dose = experiment.dose
    places = dict(dose.of) if dose else {}
    here = [arm.name for arm in experiment.arms if arm.name in places]
    if dose is None or len(here) < 2:
        return {}

    def placed(table: Any) -> Any:
        rows = headline(table, "ood")
        rows = rows[rows["arm"].isin(here)]
        return rows.assign(dose=rows["arm"].map(places), arm=rows["setting"])

    traits = {trait: f"{labels.get(trait, trait)}, out of distribution" for trait in outcome.summary["trait"]}
    names = labels | traits | {"dose": dose.name}
    return {"dose": curves(placed(outcome.summary), "dose", names, source, placed(outcome.per_seed))}
