"""A result as it lies in an experiment's folder, to be committed: tables, figures, and by what it was made."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mi.experiments import summary
from mi.experiments.data_models import Experiment
from mi.experiments.outcome import TABLES, Outcome
from mi.utils.errors import UserError
from mi.utils.files import whole_file

if TYPE_CHECKING:
    import pandas as pd

FACTS = "result.json"


@dataclass(frozen=True)
class Facts:
    """By what a result was made, and when it was taken in."""

    model: str
    version: str
    date: str
    seeds: tuple[int, ...]
    figures: tuple[str, ...]
    """The pictures, as paths within the folder, in the order in which they are shown."""


class Published(NamedTuple):
    """The result of an experiment as it is committed."""

    facts: Facts
    summary: pd.DataFrame
    conditions: pd.DataFrame
    by_seed: pd.DataFrame
    retention: pd.DataFrame | None
    claims: pd.DataFrame
    """The experiment's prediction, read against `by_seed` (`mi.experiments.summary.against`)."""


def take(outcome: Outcome, model: str, into: Path) -> list[Path]:
    """Copy the tables of an outcome into a folder, beside what made it; its figures lie there already."""
    import mi

    seeds = tuple(sorted(int(seed) for seed in outcome.by_seed["seed"].unique()))
    pictures = tuple(path.relative_to(into).as_posix() for path in outcome.figures if path.suffix == ".png")
    facts = Facts(model, mi.__version__, date.today().isoformat(), seeds, pictures)
    paths = [into / f"{name}.csv" for name in TABLES]
    for path in paths:
        shutil.copyfile(outcome.folder / path.name, path)
    frames = {"by_seed": outcome.by_seed}
    if outcome.retention is not None:
        frames["retention"] = outcome.retention
    for name, frame in frames.items():
        paths.append(into / f"{name}.csv")
        with whole_file(paths[-1]) as file:
            frame.to_csv(file, index=False)
    with whole_file(into / FACTS) as file:
        json.dump(asdict(facts), file, indent=1)
        file.write("\n")
    return [*paths, into / FACTS]


def read(experiment: Experiment, folder: Path) -> Published | None:
    """The result that lies in `folder`; None where there is none. Raises UserError where a part is missing."""
    import pandas as pd

    if not (folder / FACTS).exists():
        return None
    try:
        kept: Any = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        seeds, pictures = tuple(kept["seeds"]), tuple(kept["figures"])
        facts = Facts(kept["model"], kept["version"], kept["date"], seeds, pictures)
        tables: dict[str, Any] = {
            name: pd.read_csv(folder / f"{name}.csv") for name in ("summary", "conditions", "by_seed")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder}: cannot be read as a result; take it in again with mi publish.") from error
    retention = folder / "retention.csv"
    first = experiment.conditions[0].name
    return Published(
        facts,
        claims=summary.against(tables["by_seed"], experiment.prediction, first),
        retention=pd.read_csv(retention) if retention.exists() else None,
        **tables,
    )
