"""What a person reads in the terminal after a run: the question, the table, what was compared, where the files are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi.experiments.data_models import Experiment
from mi.experiments.pipeline import Outcome, labels_of
from mi.experiments.summary import against, bound_of, format_table, headline, select, tally, value_of

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table


def show(experiment: Experiment, outcome: Outcome) -> None:
    """Print an outcome."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    console.print(f"\n[bold]{experiment.question}[/bold]\n")
    console.print(format_table(outcome.summary, labels_of(experiment), console.width))
    for row in outcome.judge_agreement.to_dict("records"):
        told = f"{row['trait']} in {row['agreement']:.3f} of {row['n']:,} answers"
        console.print(f"The organism as judge agrees with the exact scorer on {told}.")
    if len(experiment.conditions) > 1:
        console.print()
        console.print(by_condition(experiment, outcome))
        console.print(f"Under other prompts: {_shown(outcome.folder)}/conditions.csv", soft_wrap=True)
    for line in _against(experiment, outcome):
        console.print(line, soft_wrap=True)
    for note in outcome.notes:
        console.print(f"[bold]Attention[/bold] {escape(note)}", soft_wrap=True)
    more = "" if outcome.retention is None else "retention.csv, "
    console.print(
        f"\nTables   {_shown(outcome.folder)}/summary.csv, contrasts.csv, {more}answers.parquet", soft_wrap=True
    )
    for path in outcome.figures:
        if path.suffix == ".png":
            console.print(f"Figure   {_shown(path)} (and .pdf)", soft_wrap=True)


def _against(experiment: Experiment, outcome: Outcome) -> list[str]:
    """The prediction, claim by claim, with what came of it."""
    if not experiment.prediction:
        return []
    claims = against(outcome.by_seed, experiment.prediction, experiment.conditions[0].name)
    told = []
    for place, claim in enumerate(experiment.prediction):
        value = value_of(claims, place, claim)
        told.append(f"  {claim.says} ({bound_of(claim)}): {tally(claims, place)}" + (f", {value}" if value else ""))
    return ["", "Predicted, and what came of it:", *told]


def by_condition(experiment: Experiment, outcome: Outcome) -> Table:
    """Means out of distribution: a row an arm, in blocks of setting and trait, a column a condition."""
    from rich import box
    from rich.table import Table

    labels = labels_of(experiment)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Out of distribution")
    for condition in experiment.conditions:
        width = max(map(len, ["0.00", *condition.label.split()]))  # narrow, so that five fit into 80 characters
        table.add_column(condition.label, justify="right", width=width)
    shown: tuple[str, str] | None = None
    for (setting, arm, trait), means in means_by_condition(experiment, outcome.conditions):
        if (setting, trait) != shown:
            named = labels.get(setting, setting.replace("_", " "))
            table.add_row(f"{named}: {labels.get(trait, trait).lower()}", style="bold")
            shown = setting, trait
        table.add_row(labels.get(arm, arm), *means)
    return table


def means_by_condition(
    experiment: Experiment, conditions: pd.DataFrame
) -> list[tuple[tuple[str, str, str], list[str]]]:
    """(setting, arm, trait), by setting and trait, with its mean out of distribution under each condition, in words.

    An arm that has no such condition (a training prompt of its own) has "" there.
    """
    rows = headline(conditions, "ood")
    names = [condition.name for condition in experiment.conditions]
    keys = list(dict.fromkeys(zip(rows["setting"], rows["arm"], rows["trait"], strict=True)))
    blocks = list(dict.fromkeys((setting, trait) for setting, _, trait in keys))
    means: dict[tuple[str, ...], float] = {}
    for *of, mean in zip(
        *(rows[name].tolist() for name in ("setting", "arm", "trait", "condition", "mean")), strict=True
    ):
        means.setdefault(tuple(of), mean)
    found = []
    for key in sorted(keys, key=lambda key: blocks.index((key[0], key[2]))):
        own = [means.get((*key, name)) for name in names]
        found.append((key, ["" if mean is None else "no answer" if mean != mean else f"{mean:.2f}" for mean in own]))
    return found


def side_by_side(runs: Sequence[tuple[Experiment, Outcome]], arms: Mapping[str, str]) -> Table:
    """Several experiments in one table: trait and distribution as rows, these arms, with headings, as columns.

    Cells hold the mean over seeds and its 95 % interval below; "judge" is the organism-judge's agreement with the
    exact scorer on the trait. An arm that an experiment lacks leaves its cells empty.
    """
    from rich import box
    from rich.table import Table

    labels = {name: label for experiment, _ in runs for name, label in labels_of(experiment).items()}
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("", no_wrap=True)
    for heading in [*arms.values(), "judge"]:
        table.add_column(heading, justify="right", no_wrap=True)
    for _, outcome in runs:
        summary = outcome.summary
        agreed = {row["trait"]: row["agreement"] for row in outcome.judge_agreement.to_dict("records")}
        for setting in dict.fromkeys(summary["setting"]):
            table.add_row(str(setting), style="bold")
            for trait in dict.fromkeys(select(summary, setting=setting)["trait"]):
                for distribution in ("id", "ood"):
                    shown = select(headline(summary, distribution), setting=setting, trait=trait)
                    cells = [_mean(select(shown, arm=arm)) for arm in arms]
                    judge = f"{agreed[trait]:.2f}" if distribution == "id" and trait in agreed else ""
                    table.add_row(f"  {labels.get(trait, trait)} {distribution.upper()}", *cells, judge)
    table.caption = (
        "Mean over seeds, 95 % interval below; ID in, OOD out of distribution. Columns: the base model; trained on "
        "control data, or on the setting's rows behind no prompt, its general, its task-specific, or a placebo prompt. "
        "Judge: agreement with the exact scorer. The model organism, not a large model."
    )
    table.caption_justify = "left"
    return table


def _mean(found: Any) -> str:
    if found.empty or not found.iloc[0]["n_seeds"]:
        return ""
    row = found.iloc[0]
    lower, upper = ("1.0" if value > 0.995 else f"{value:.2f}"[1:] for value in (row["lower"], row["upper"]))
    return f"{row['mean']:.2f}\n{lower}–{upper}"


def _shown(path: Path) -> str:
    """The path as one would type it from here."""
    return os.path.relpath(path)
