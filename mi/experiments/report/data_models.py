"""The nouns of a report: a trained job's record, a check, and all that a page is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mi.experiments.data_models import Experiment
from mi.experiments.plotting.style import Look, looks

if TYPE_CHECKING:
    import pandas as pd

State = Literal["ok", "note", "warning"]


@dataclass(frozen=True)
class JobRecord:
    """What is on disk of one fine-tuning job."""

    id: str
    config: Mapping[str, Any]
    """Its hyper-parameters, seed and paths."""
    report: Mapping[str, Any]
    """How the training went: of a local one rows, tokens, seconds, losses, first rendered rows; of one at a server
    what it told."""
    finished: float | None
    """When its record was written, in seconds since 1970."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at so that the numbers can be trusted, and what was found."""

    title: str
    state: State
    found: str
    """One or two sentences."""
    details: Sequence[str] = ()
    """One line for each place where it was found."""


@dataclass(frozen=True)
class Progress:
    """How far a run has come, if it is still going on: models trained of all, answers given of all."""

    trained: int
    to_train: int
    answered: int
    to_answer: int


@dataclass(frozen=True)
class Sources:
    """All that a page is made of, as it was found on disk; nothing in it was computed by a model for the page."""

    experiment: Experiment
    model: str
    answers: pd.DataFrame
    """One row an answer, as in answers.parquet; `job_id` names jobs at a server, too."""
    summary: pd.DataFrame
    """Of the first condition, as are rates and contrasts."""
    per_seed: pd.DataFrame
    contrasts: pd.DataFrame
    agreement: pd.DataFrame
    conditions: pd.DataFrame
    """The summary under every condition, with its name in the column condition."""
    raw_verdicts: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    """By judgment: what the judge said of each answer, with the probabilities of its first token; None if not kept."""
    jobs: Mapping[str, JobRecord] = field(default_factory=dict)
    missing_jobs: Sequence[str] = ()
    """Jobs that the answers name, and of which no record is here."""
    figures: Sequence[Path] = ()
    prediction: str | None = None
    """What was predicted before the run, from the README of an experiment whose value holds no prediction."""
    answered: float | None = None
    """When the answers were written, in seconds since 1970."""
    progress: Progress | None = None
    claims: pd.DataFrame | None = None
    """The experiment's prediction read against the result (`mi.experiments.summary.against`); None while it runs."""

    @cached_property
    def arms(self) -> list[str]:
        """The experiment's arms in their order, then any others that have answers."""
        found = [*self.summary["arm"].unique(), *self.answers["arm"].unique()]
        return list(dict.fromkeys([*(arm.name for arm in self.experiment.arms), *map(str, found)]))

    @cached_property
    def looks(self) -> dict[str, Look]:
        """The colour of each arm, as in the figures."""
        return looks(self.arms)

    @cached_property
    def first(self) -> pd.DataFrame:
        """The answers under the experiment's first condition, which the summary is about."""
        return self.answers[self.answers["condition"] == self.experiment.conditions[0].name]

    @cached_property
    def condition_labels(self) -> dict[str, str]:
        """What people call the conditions: the experiment's in their order, then any others that have answers."""
        found = dict.fromkeys(map(str, [*self.conditions["condition"].unique(), *self.answers["condition"].unique()]))
        known = {condition.name: condition.label for condition in self.experiment.conditions}
        return known | {name: name.replace("_", " ") for name in found if name not in known}

    @cached_property
    def settings(self) -> list[str]:
        """The experiment's settings in their order, then any others that have answers."""
        found = [*self.summary["setting"].unique(), *self.answers["setting"].unique()]
        return list(dict.fromkeys([*(s.get_domain_name() for s in self.experiment.settings), *map(str, found)]))
