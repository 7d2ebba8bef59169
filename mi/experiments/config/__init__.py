"""The experiments, as values."""

import difflib
from pathlib import Path

from mi.experiments.config.checking import check
from mi.experiments.config.emergent_misalignment import (
    ABLATE_INOCULATION,
    BACKDOORED,
    BASELINES,
    MAIN_RESULTS,
    REPLICATIONS,
)
from mi.experiments.config.prompts import NEGATIVE_INOCULATION, SPECIFIC_INOCULATION
from mi.experiments.config.spanish_capitalization import SPANISH_CAPITALIZATION
from mi.experiments.data_models import Experiment
from mi.experiments.settings.registry import load_file
from mi.utils.errors import UserError

EXPERIMENTS: tuple[Experiment, ...] = (
    MAIN_RESULTS,
    ABLATE_INOCULATION,
    BACKDOORED,
    REPLICATIONS,
    BASELINES,
    SPANISH_CAPITALIZATION,
    NEGATIVE_INOCULATION,
    SPECIFIC_INOCULATION,
)


def experiment(name: str) -> Experiment:
    """The experiment of that name, of the house or in `experiments/NAME/experiment.py` here; or that of a .py file.

    Raises UserError, naming those there are, or the file and line that do not hold one.
    """
    for known in EXPERIMENTS:
        if known.name == name:
            return known
    path = Path(name) if name.endswith(".py") else own_file(name)
    if name.endswith(".py") or path.is_file():
        found = _of_file(path)
        if path == own_file(name) and found.name != name:
            raise UserError(f"{path}: the experiment is called {found.name!r}; call it as its folder: name={name!r}.")
        return found
    own = sorted(path.parent.name for path in own_file("*").parent.parent.glob("*/experiment.py"))
    names = list(dict.fromkeys([*(known.name for known in EXPERIMENTS), *own]))
    [meant] = difflib.get_close_matches(name, names, 1, 0.8) or [""]
    guess = f" did you mean {meant}?" if meant else ""
    raise UserError(
        f"there is no experiment {name!r};{guess} Choose one of: {', '.join(names)}; or begin one with mi new {name}."
    )


def part(name: str, arms: str | None = None, model: str = "organism") -> Experiment:
    """The experiment of that name on a base model, or those of its arms that are named, with commas between.

    Raises UserError for an experiment or an arm that there is not.
    """
    found = experiment(name).on(model)
    return found if arms is None else found.only([arm.strip() for arm in arms.split(",") if arm.strip()])


def own_file(name: str) -> Path:
    """Where an experiment of one's own lies."""
    return Path("experiments") / name / "experiment.py"


def _of_file(path: Path) -> Experiment:
    found = {
        id(value): value for value in vars(load_file(path, "experiment")).values() if isinstance(value, Experiment)
    }
    own = [value for value in found.values() if value not in EXPERIMENTS]
    if len(own) != 1:
        raise UserError(f"{path}: holds {len(own)} experiments; assign one Experiment(…) to a name.")
    check(own[0], path)
    return own[0]
