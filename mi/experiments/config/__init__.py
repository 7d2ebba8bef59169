"""The experiments, as values."""

from pathlib import Path

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
        return _of_file(path)
    names = ", ".join(known.name for known in EXPERIMENTS)
    raise UserError(f"there is no experiment {name!r}; choose one of: {names}; or begin one with mi new {name}.")


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
    return own[0]
