"""What an experiment leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("summary", "contrasts", "conditions", "judge_agreement")
"""What is written as CSV beside the answers, under the name that it has in an Outcome."""


class Outcome(NamedTuple):
    """What an experiment left behind for one base model, as tables; all of it is on disk in `folder`, too."""

    folder: Path
    summary: pd.DataFrame
    per_seed: pd.DataFrame
    contrasts: pd.DataFrame
    conditions: pd.DataFrame
    """The summary under every condition, with the condition's name in a last column."""
    judge_agreement: pd.DataFrame
    figures: tuple[Path, ...]
    by_seed: pd.DataFrame
    """The rate of each seed in and out of distribution, under every condition (`mi.experiments.summary.by_seed`)."""
    retention: pd.DataFrame | None = None
    """What arms removed and kept, where the experiment asks for that."""
    notes: tuple[str, ...] = ()
    """What is amiss with models or answers, a sentence each; told after a run and not kept."""
