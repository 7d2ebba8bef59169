"""`docs/findings.md`: the questions of the project, each with the organism's numbers beside what the literature found.

Every number on the page is read from the tables that `mi publish` left in `experiments/`; none is typed by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mi.experiments import published
from mi.experiments.config import experiment
from mi.experiments.data_models import NO_PROMPT, Experiment
from mi.experiments.figures import caption
from mi.experiments.pipeline import REFERENCE, labels_of
from mi.experiments.summary import headline, select, tally
from mi.experiments.summary.claims import HELD, NO_ANSWER, NOT_HELD, ONE_SEED, UNDECIDED
from mi.utils.errors import UserError
from mi.utils.stats import in_figures
from mi.utils.toml import packaged_toml

if TYPE_CHECKING:
    import pandas as pd

GONE = 0.05
"""A mean rate out of distribution of at most this counts as gone."""

WORDS = {
    HELD: "agrees",
    NOT_HELD: "disagrees",
    UNDECIDED: "does not decide",
    ONE_SEED: "has one seed and does not decide",
    NO_ANSWER: "was not measured",
}
_SHOWN = ("forest", "scatter", "dose", "intervals")
"""Which kind of an experiment's figures is shown: the first of these that it has."""


@dataclass(frozen=True)
class Part:
    """One experiment's share of an answer: which arms are shown (by default all), and which are counted."""

    experiment: str
    arms: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    condition: str = NO_PROMPT.name
    note: str = ""
    """What the table shows, if that is not the rate out of distribution with no prompt."""


@dataclass(frozen=True)
class Finding:
    """A question with the experiments that answer it on the organism, and what is known of large models."""

    question: str
    parts: tuple[Part, ...]
    literature: str
    cannot: str
    """What the organism cannot say to it."""


def declared() -> tuple[Finding, ...]:
    """The questions, in their order, from `findings.toml` beside this file."""
    return tuple(
        Finding(**{**entry, "parts": tuple(Part(**_tuples(part)) for part in entry["parts"])})
        for entry in packaged_toml("mi.experiments", "findings.toml")["findings"]
    )


def _tuples(part: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in part.items()}


def findings(folder: Path) -> str:
    """The page, from the tables under `folder` (the repository's `experiments/`).

    Raises UserError where an experiment was not published there.
    """
    lines = [
        "# Findings on the organism",
        "",
        "Written by `mi findings` from the tables in `experiments/`; no number here is typed by hand. **All of them "
        "are the model organism's**, and none is a figure of a large model. Rates are means over seeds with 95 % "
        f"intervals; «gone» means a mean of at most {GONE} where the rate without inoculation is above that.",
    ]
    for number, finding in enumerate(declared(), start=1):
        lines += ["", f"## {number}. {finding.question}"]
        for part in finding.parts:
            lines += _part(part, folder)
        for name in dict.fromkeys(part.experiment for part in finding.parts):
            lines += _beside_the_literature(experiment(name), folder)
        lines += ["", f"**On large models.** {finding.literature}", "", f"**What a toy cannot say.** {finding.cannot}"]
    return "\n".join(lines) + "\n"


def _beside_the_literature(known: Experiment, folder: Path) -> list[str]:
    """One figure of an experiment, and each of its claims that is reported of large models, with what came of it."""
    found = published.read(known, folder / known.name)
    if found is None:
        raise UserError(f"{folder / known.name}: has no result; run it and take it in with mi publish {known.name}.")
    lines: list[str] = []
    if found.facts.figures:
        shown = min(found.facts.figures, key=lambda path: _rank(PurePosixPath(path).stem))
        lines = ["", f"![{caption(PurePosixPath(shown).stem)}](../experiments/{known.name}/{shown})"]
    agreed = [
        f"| {claim.says} | {claim.cited} | {tally(found.claims, place, WORDS)} |"
        for place, claim in enumerate(known.prediction)
        if claim.cited
    ]
    head = ["", "| reported of large models | by | the organism |", "|---|---|---|"]
    return [*lines, *head, *agreed] if agreed else lines


def _rank(stem: str) -> int:
    kind = stem.partition("_")[0]
    return _SHOWN.index(kind) if kind in _SHOWN else len(_SHOWN)


def _part(part: Part, folder: Path) -> list[str]:
    import pandas as pd

    path = folder / part.experiment / "conditions.csv"
    if not path.is_file():
        raise UserError(f"{path}: is missing; run the experiment and take it in with mi publish {part.experiment}.")
    known = experiment(part.experiment)
    rows = headline(select(pd.read_csv(path), condition=part.condition), "ood")
    arms = [arm.name for arm in known.arms if (arm.name in part.arms or not part.arms) and arm.name in set(rows["arm"])]
    seeds = int(rows["n_seeds"].max())
    told = part.note or "out of distribution, with no prompt"
    lines = ["", f"[{part.experiment}](../experiments/{part.experiment}/README.md), {seeds} seeds, {told}:", ""]
    lines += _table(rows, arms, labels_of(known))
    sentences = [_sentence(rows, arm, labels_of(known)) for arm in part.counted if arm in arms]
    return [*lines, "", " ".join(sentences)] if sentences else lines


def _table(rows: pd.DataFrame, arms: Sequence[str], labels: Mapping[str, str]) -> list[str]:
    """Arms as rows, settings and traits as columns; the other way round where the settings are many."""
    cells = list(dict.fromkeys(zip(rows["setting"], rows["trait"], strict=True)))
    settings = {setting for setting, _ in cells}
    names = [
        labels.get(trait, trait) if len(settings) == 1 else f"{setting}: {labels.get(trait, trait).lower()}"
        for setting, trait in cells
    ]
    grid = [[_cell(rows, arm, *cell) for cell in cells] for arm in arms]
    heads = [labels.get(arm, arm) for arm in arms]
    if len(cells) > 3:
        heads, names, grid = names, heads, [list(column) for column in zip(*grid, strict=True)]
    lines = [["", *names], ["---"] * (len(names) + 1), *([head, *row] for head, row in zip(heads, grid, strict=True))]
    return [f"| {' | '.join(line)} |" for line in lines]


def _cell(rows: Any, arm: str, setting: str, trait: str) -> str:
    found = select(rows, arm=arm, setting=setting, trait=trait)
    if not len(found) or found.iloc[0]["mean"] != found.iloc[0]["mean"]:
        return "no answer" if len(found) else ""
    row = found.iloc[0]
    return in_figures(row["mean"], row["lower"], row["upper"])


def _sentence(rows: Any, arm: str, labels: Mapping[str, str]) -> str:
    """In how many cells an arm is gone, below, level with or above the arm without inoculation, by their intervals."""
    verdicts = [
        _verdict(select(rows, setting=setting, trait=trait, arm=arm), of_cell)
        for (setting, trait), of_cell in select(rows, arm=REFERENCE).groupby(["setting", "trait"], sort=False)
    ]
    told = [v for v in verdicts if v is not None]
    counts = {kind: told.count(kind) for kind in ("gone", "lower", "level", "higher") if told.count(kind)}
    words = {"level": "not told apart from no inoculation", "lower": "lower, not gone", "gone": "gone"}
    shown = ", ".join(f"{words.get(kind, kind)} in {n}" for kind, n in counts.items())
    return (
        f"{labels.get(arm, arm)}: {shown} of {len(told)}." if told else f"{labels.get(arm, arm)}: nothing to compare."
    )


def _verdict(found: pd.DataFrame, reference: pd.DataFrame) -> str | None:
    """None where there is nothing to suppress (without inoculation at most GONE) or no answer."""
    if not len(found):
        return None
    mean, lower, upper = found.iloc[0][["mean", "lower", "upper"]]
    base = reference.iloc[0]
    if not base["mean"] > GONE or mean != mean:
        return None
    if upper < base["lower"]:
        return "gone" if mean <= GONE else "lower"
    return "higher" if lower > base["upper"] else "level"
