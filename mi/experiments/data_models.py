"""The nouns of an experiment: arm, condition, claim, experiment, run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mi.evaluation.data_models import Evaluation
from mi.evaluation.grammar.eval import ExactScores
from mi.experiments.settings import Setting, at_scale, scale_of
from mi.experiments.utils import Inoculations, as_inoculations
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.utils.errors import UserError
from mi.utils.hashing import digest

Dataset = Literal["finetuning", "control"] | Callable[[Setting], Sequence[dict[str, Any]]]
"""A setting's fine-tuning or control rows, or rows made of both: a function, or a frozen value that can be called."""
_LONGEST = 100  # characters of a folder's name


@dataclass(frozen=True)
class Arm:
    """One way to train a model: on which data, behind which prompt, and with which dose.

    `dataset` None is the base model, untrained. `inoculation` reads the prompt off the setting, or says which prompt
    stands where in which rows; None, or a function that gives None, trains without a system message.
    """

    name: str
    label: str
    dataset: Dataset | None = "finetuning"
    inoculation: Callable[[Setting], Inoculations] = field(default=lambda setting: None)
    training: tuple[tuple[str, Any], ...] = ()
    """The hyper-parameters in which it differs from the experiment's, by name: for arms whose dose is the question."""

    def config(self, shared: LocalFTJobConfig) -> LocalFTJobConfig:
        """The hyper-parameters of its runs."""
        return replace(shared, **dict(self.training))

    def own_prompt(self, setting: Setting) -> str | None:
        """The system prompt that it is trained behind, the first of several; None where there is none."""
        placed = [item for item in as_inoculations(self.inoculation(setting)) if item.placement == "system"]
        return placed[0].prompts[0] if placed else None


@dataclass(frozen=True)
class Condition:
    """How the questions are put at test time: behind which system prompt, and in which words.

    `prompt` gives the system prompt of an arm in a setting. A condition that is `own` is left out for arms without a
    prompt of their own, for which it would be the same as no prompt.
    """

    name: str
    label: str
    prompt: Callable[[Setting, Arm], str | None] = field(default=lambda setting, arm: None)
    rewrite: Callable[[str], str] | None = None
    own: bool = False

    def put(self, evaluation: Evaluation, setting: Setting, arm: Arm) -> Evaluation | None:
        """The evaluation under this condition, its id ending in the condition's name; None if it is left out.

        Where the grammar scores exactly, the judge's second opinion is heard on the questions as they are only.
        """
        prompt = self.prompt(setting, arm)
        if self.own and prompt is None:
            return None
        if isinstance(evaluation.score_fn, ExactScores) and (prompt is not None or self.rewrite):
            evaluation = replace(evaluation, judgment_map={})
        if self.rewrite is not None:
            asked = evaluation.with_questions(self.rewrite, self.name)
            return asked if prompt is None else replace(asked.behind(prompt, self.name), id=asked.id)
        return evaluation if prompt is None else evaluation.behind(prompt, self.name)


NO_PROMPT = Condition("no_prompt", "No prompt")
"""The condition that every experiment has: the questions as they are, without a system message."""


@dataclass(frozen=True)
class Dose:
    """An axis along which arms differ, for a figure: what it measures, and where on it each arm lies."""

    name: str
    of: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Claim:
    """What is expected before a run, in words and as bounds, so that the result can say whether it was so.

    The bounds are those of a rate; or, with `than` or `than_condition`, of how far it lies above another. One bound
    of 0 claims a direction alone. It is about each setting, or those named, and each of their traits, or the one named.
    """

    says: str
    arm: str
    at_least: float | None = None
    at_most: float | None = None
    than: str = ""
    """The arm that it is compared with; by default the same."""
    condition: str = ""
    """The condition under which it is asked; by default the experiment's first."""
    than_condition: str = ""
    """The other arm's condition; by default the same."""
    trait: str = ""
    distribution: Literal["id", "ood"] = "ood"
    settings: tuple[str, ...] = ()
    cited: str = ""
    """Who reports the same of large models, if somebody does."""

    @property
    def compares(self) -> bool:
        """Whether it is about a difference."""
        return bool(self.than or self.than_condition)


@dataclass(frozen=True)
class Experiment:
    """A question, as a product: settings x arms x base models x seeds, each model asked under every condition."""

    name: str
    question: str
    settings: tuple[Setting, ...]
    arms: tuple[Arm, ...]
    models: tuple[str, ...] = ("organism",)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    training: LocalFTJobConfig = field(default_factory=lambda: LocalFTJobConfig("organism", "", 0))
    """The hyper-parameters that all arms share; model, path and seed are filled in for each run."""
    conditions: tuple[Condition, ...] = (NO_PROMPT,)
    """How each model is asked. The first is what summaries, contrasts and figures are about, unless they say more."""
    scatter: tuple[str, str] | None = None
    """Two traits to draw against each other, if the question is about two."""
    retained: tuple[tuple[str, str, str], ...] = ()
    """Arms that are to remove one trait and keep another: (arm, trait to go, trait to stay), out of distribution."""
    forest: bool = False
    """Whether to draw each arm's difference from the reference: for arms that are variations of one prompt."""
    dose: Dose | None = None
    """An axis to draw rates along, for arms that are steps on one."""
    prediction: tuple[Claim, ...] = ()
    """What is expected, written before the run; `mi publish` reads the result against it."""

    def on(self, model: str) -> "Experiment":
        """The experiment on a base model: each setting at the scale that suits it; a person's own stays as it is."""
        return replace(self, settings=tuple(at_scale(setting, scale_of(model)) for setting in self.settings))

    def only(self, names: Sequence[str]) -> "Experiment":
        """A part of the experiment, these arms, under a name of its own: its results never replace those of the whole.

        All arms, and none named, are the experiment itself. Raises UserError for an arm that there is not.
        """
        known = [arm.name for arm in self.arms]
        for name in names:
            if name not in known:
                raise UserError(f"{self.name} has no arm {name!r}; choose among: {', '.join(known)}.")
        chosen = tuple(arm for arm in self.arms if arm.name in names)
        if len(chosen) in (0, len(known)):
            return self
        told = "+".join(arm.name for arm in chosen)
        part = told if len(told) <= _LONGEST else f"{len(chosen)}_arms_{digest(told)[:8]}"
        return replace(self, name=f"{self.name}/only_{part}", arms=chosen)


@dataclass(frozen=True)
class Run:
    """One trained (or base) model of an experiment: one cell of the product."""

    experiment: str
    setting: Setting
    arm: Arm
    model: str
    seed: int
