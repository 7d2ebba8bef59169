"""What a person reads in the terminal after a run: the question, the table, what was compared, where the files are."""

from __future__ import annotations

import os
from pathlib import Path

from mi.experiments.data_models import Experiment
from mi.experiments.pipeline import Outcome, labels_of
from mi.experiments.summary import format_table


def show(experiment: Experiment, outcome: Outcome) -> None:
    """Print an outcome."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(f"\n[bold]{experiment.question}[/bold]\n")
    console.print(format_table(outcome.summary, labels_of(experiment), console.width))
    for row in outcome.judge_agreement.to_dict("records"):
        told = f"{row['trait']} in {row['agreement']:.3f} of {row['n']:,} answers"
        console.print(f"The organism as judge agrees with the exact scorer on {told}.")
    console.print(f"\nTables   {_shown(outcome.folder)}/summary.csv, contrasts.csv, answers.parquet")
    for path in outcome.figures:
        if path.suffix == ".png":
            console.print(f"Figure   {_shown(path)} (and .pdf)")


def _shown(path: Path) -> str:
    """The path as one would type it from here."""
    return os.path.relpath(path)
