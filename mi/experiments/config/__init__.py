"""The experiments, as values."""

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
    """The experiment of that name. Raises UserError, naming those there are."""
    for known in EXPERIMENTS:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in EXPERIMENTS)
    raise UserError(f"there is no experiment {name!r}; choose one of: {names}.")
