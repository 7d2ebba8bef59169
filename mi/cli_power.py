"""The command line's `mi power`: how many seeds and questions an effect takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mi.utils.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from mi.utils.stats.crossed import Questions
    from mi.utils.stats.simulate import Variances

Numbers = Annotated[str, typer.Option(help="Several, with commas.")]


def power(  # noqa: PLR0913 - the options of a command are its parameters
    rate: Annotated[float, typer.Argument(help="The trait's rate in the arm one compares with, for instance .4.")],
    against: Annotated[float, typer.Argument(help="The rate in the other arm that one would not want to miss.")],
    seeds: Numbers = "2,3,5,8",
    questions: Numbers = "8,24,48",
    samples: Annotated[int, typer.Option(help="Answers a question and seed.")] = 10,
    fixed: Annotated[bool, typer.Option("--fixed", help="These questions only; by default they are a sample.")] = False,
    pilot: Annotated[Path | None, typer.Option(help="An answers.parquet to take the deviations from.")] = None,
    arm: Annotated[str | None, typer.Option(help="Of the pilot; by default the one nearest to one half.")] = None,
    trait: Annotated[str | None, typer.Option(help="Of the pilot; by default that arm's.")] = None,
    deviations: Annotated[
        str | None, typer.Option(help="In logits, between seeds, questions, and a seed on a question: .35,1.2,.35")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw FIGURE.png and .pdf.")] = None,
) -> None:
    """Print how often studies of several sizes would show a difference between two arms, by simulation.

    A study shows it where the 95 % interval of the difference excludes zero.
    """
    for value in (rate, against):
        if not 0 < value < 1:
            raise UserError(
                f"{value} is not a rate between 0 and 1; for an arm at zero give a small one, such as 0.01."
            )
    if samples < 1:
        raise UserError("--samples must be at least 1.")
    sizes = _numbers(seeds, "--seeds"), _numbers(questions, "--questions")
    variances, source = _given(deviations) if deviations is not None else _variances(pilot, arm, trait)
    table = _table((rate, against), sizes, samples, variances, "fixed" if fixed else "sampled")
    _print(table, (rate, against), f"{_words(variances)} ({source})", fixed)
    if figure is not None:
        from mi.experiments.plotting import power_curve, save

        for path in save(power_curve(table, f"{rate:g} against {against:g}"), figure):
            typer.echo(path)


def _given(text: str) -> tuple[Variances, str]:
    from mi.utils.stats.simulate import Variances

    try:
        seed, question, cell = (float(part) for part in text.split(","))
    except ValueError:
        seed = question = cell = -1.0
    if not all(0 <= value <= 5 for value in (seed, question, cell)):
        raise UserError(f"--deviations {text}: give three numbers of logits between 0 and 5, such as .35,1.2,.35.")
    return Variances(seed, question, cell), "given"


def _numbers(text: str, option: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 2:
        raise UserError(f"{option} {text}: give whole numbers from 2 on with commas, such as 3,5.")
    return list(dict.fromkeys(numbers))


def _variances(pilot: Path | None, arm: str | None, trait: str | None) -> tuple[Variances, str]:
    """The deviations, and where they are from."""
    from mi.utils.stats.simulate import Variances

    if pilot is None:
        return Variances(), "a guess; a pilot's are better: --pilot results/…/answers.parquet"
    import pandas as pd

    try:
        answers = pd.read_parquet(pilot)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{pilot}: cannot be read as a table of answers; give an experiment's answers.parquet."
        ) from error
    return _estimated(answers, pilot, arm, trait)


def _estimated(answers: pd.DataFrame, pilot: Path, arm: str | None, trait: str | None) -> tuple[Variances, str]:
    import math
    from dataclasses import fields, replace

    from mi.experiments.summary import POOLED, cells_of
    from mi.utils.stats.simulate import Variances, estimate

    found = {key: cells for key, cells in cells_of(answers).items() if key[3] == "ood" and key[2] in POOLED.values()}
    fitting = {key: cells for key, cells in found.items() if arm in (None, key[1]) and trait in (None, key[4])}
    # A rate at an end tells nothing of how units differ: the arm nearest to one half is asked first.
    several = {key: cells for key, cells in fitting.items() if len(cells.seeds) > 1} or fitting
    if not several:
        known = ", ".join(sorted({f"{key[1]}/{key[4]}" for key in found})) or "none"
        raise UserError(f"{pilot}: holds no answers of that arm and trait out of distribution; it has {known}.")
    key, cells = min(several.items(), key=lambda item: abs(float(item[1].rates[item[1].counts > 0].mean()) - 0.5))
    measured, guess = estimate(cells), Variances()
    missing = {f.name: getattr(guess, f.name) for f in fields(guess) if math.isnan(getattr(measured, f.name))}
    note = f"; guessed: {', '.join(missing).replace('_', ' ')}" if missing else ""
    return replace(measured, **missing), f"estimated from {key[1]}, {key[4]}, {len(cells.seeds)} seeds{note}"


def _table(
    effect: tuple[float, float],
    sizes: tuple[list[int], list[int]],
    samples: int,
    variances: Variances,
    which: Questions,
) -> pd.DataFrame:
    import pandas as pd

    from mi.utils.stats.power import power as simulate
    from mi.utils.stats.simulate import Design

    designs = [Design(seeds, questions, samples) for questions in sizes[1] for seeds in sizes[0]]
    rows = [
        (*vars(found.design).values(), found.shown, found.width)
        for found in simulate(effect, designs, variances, which)
    ]
    return pd.DataFrame(rows, columns=["seeds", "questions", "samples", "shown", "width"])


def _words(variances: Variances) -> str:
    return (
        f"Deviations in logits: seeds {variances.seed:.2f}, questions {variances.question:.2f}, a seed on a question "
        f"{variances.seed_by_question:.2f}, effect by question {variances.question_by_arm:.2f}"
    )


def _print(table: pd.DataFrame, effect: tuple[float, float], basis: str, fixed: bool) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from mi.utils.stats.power import STUDIES

    console = Console(highlight=False)
    which = "these questions" if fixed else "questions of which these are a sample"
    console.print(f"{effect[0]:g} against {effect[1]:g}, for new seeds and {which}. {basis}.\n")
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    grid.add_column("questions", justify="right")
    seeds = list(dict.fromkeys(table["seeds"].tolist()))
    for n in seeds:
        grid.add_column(f"{n} seeds", justify="right", no_wrap=True)
    for n in dict.fromkeys(table["questions"].tolist()):
        row = table[table["questions"] == n]
        cells = [f"{100 * shown:.0f} % ±{100 * width / 2:.0f}" for shown, width in row[["shown", "width"]].to_numpy()]
        grid.add_row(f"{n} × {row['samples'].iloc[0]}", *cells)
    console.print(grid)
    console.print(
        f"\nShare of {STUDIES} simulated studies whose 95 % interval excludes zero, and its median half-width "
        "in points; seeds are an arm's. Aim at 80 % or more."
    )
