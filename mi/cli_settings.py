"""The command line's `mi settings`: list, show, check."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from mi.utils.errors import UserError

settings = typer.Typer(help="The settings: list them, show one, check one.", invoke_without_command=True)

Name = Annotated[str, typer.Argument(help="A setting's name, or a .py file of your own that holds one.")]
Names = Annotated[list[str] | None, typer.Argument(help="Names of settings, or .py files of your own.")]


ScaleName = Annotated[
    Literal["organism", "published"],
    typer.Option("--scale", help="organism: rows of the grammar; published: real rows, for large models."),
]


@settings.callback()
def overview(context: typer.Context, scale: ScaleName = "organism") -> None:
    """List the settings."""
    if context.invoked_subcommand is not None:
        return
    from mi.experiments.settings import SCALES
    from mi.experiments.settings.describe import listing

    typer.echo(listing(SCALES[scale]))


@settings.command()
def show(
    name: Name,
    rows: Annotated[int, typer.Option(help="How many example rows of each file.")] = 2,
    scale: ScaleName = "organism",
) -> None:
    """Print everything about a setting: what is known of it, data, prompts, evaluations, example rows."""
    from mi.experiments.settings import SCALES
    from mi.experiments.settings.describe import description
    from mi.experiments.settings.registry import find

    typer.echo("\n\n".join(description(setting, rows) for setting in find(name, SCALES[scale])))


@settings.command()
def check(
    names: Names = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="Every setting of the house; trains, too.")] = False,
    train: Annotated[bool | None, typer.Option(help="Also train every arm; by default with --all only.")] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds to train with: 0, 1, …")] = 3,
    scale: ScaleName = "organism",
) -> None:
    """Check that a setting keeps its promises: its data, prompts and scorers, and with --train what it teaches.

    The first promise that is not kept is told in one sentence, with exit code 2. Training goes on where it was stopped.
    """
    from mi.experiments.settings import SCALES
    from mi.experiments.settings.checking import check as check_setting
    from mi.experiments.settings.describe import verdict
    from mi.experiments.settings.registry import find

    if bool(names) == all_of_them:
        raise UserError("give the names of settings to check, or --all for every one, but not both.")
    if seeds < 1:
        raise UserError("--seeds must be at least 1.")
    train = (all_of_them and scale == "organism") if train is None else train
    if train and scale != "organism":
        raise UserError("only the organism is trained by a check; leave --train out at the published scale.")
    known = SCALES[scale]
    chosen = [(name, setting) for name in names or known for setting in find(name, known)]
    for name, setting in chosen:
        try:
            typer.echo(verdict(check_setting(setting)))
        except UserError as error:
            raise UserError(f"{name}: {error}" if name.endswith(".py") else str(error)) from error
    if train:
        _train([setting for _, setting in chosen], seeds)


def _train(chosen: list, seeds: int) -> None:
    """Every arm of every setting: a table each, and one over all at the end."""
    import asyncio

    from rich.console import Console

    from mi.experiments import pipeline
    from mi.experiments.config.settings_check import OVERVIEW, settings_check
    from mi.experiments.show import show as show_outcome
    from mi.experiments.show import side_by_side
    from mi.utils.progress import Bars

    runs = []
    for experiment in map(settings_check, chosen):
        outcome = asyncio.run(pipeline.run(experiment, "organism", range(seeds), Bars()))
        show_outcome(experiment, outcome)
        runs.append((experiment, outcome))
    console = Console(highlight=False)
    console.print()
    console.print(side_by_side(runs, OVERVIEW))
