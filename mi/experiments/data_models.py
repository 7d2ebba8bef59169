"""The nouns of an experiment: arm, experiment, run."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from mi.experiments.settings import Setting, at_scale, scale_of
from mi.experiments.utils import Inoculations
from mi.external.local_driver.data_models import LocalFTJobConfig


@dataclass(frozen=True)
class Arm:
    """One way to train a model: on which data, and behind which prompt.

    `dataset` None is the base model, untrained. `inoculation` reads the prompt off the setting, or says which prompt
    stands where in which rows; None, or a function that gives None, trains without a system message.
    """

    name: str
    label: str
    dataset: Literal["finetuning", "control"] | None = "finetuning"
    inoculation: Callable[[Setting], Inoculations] = field(default=lambda setting: None)


@dataclass(frozen=True)
class Experiment:
    """A question, as a product: settings x arms x base models x seeds."""

    name: str
    question: str
    settings: tuple[Setting, ...]
    arms: tuple[Arm, ...]
    models: tuple[str, ...] = ("organism",)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    training: LocalFTJobConfig = field(default_factory=lambda: LocalFTJobConfig("organism", "", 0))
    """The hyper-parameters that all arms share; model, path and seed are filled in for each run."""
    scatter: tuple[str, str] | None = None
    """Two traits to draw against each other, if the question is about two."""

    def on(self, model: str) -> "Experiment":
        """The experiment on a base model: each setting at the scale that suits it; a person's own stays as it is."""
        return replace(self, settings=tuple(at_scale(setting, scale_of(model)) for setting in self.settings))


@dataclass(frozen=True)
class Run:
    """One trained (or base) model of an experiment: one cell of the product."""

    experiment: str
    setting: Setting
    arm: Arm
    model: str
    seed: int
