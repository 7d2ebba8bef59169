"""The command line's `mi results`: list what is kept, export it, forget it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mi.utils.errors import UserError

results = typer.Typer(help="What models and judges said: list it, export it, forget it.", no_args_is_help=True)

ModelName = Annotated[str | None, typer.Option("--model", help="A model's name, job, or fingerprint's beginning.")]
KindName = Annotated[
    Literal["answers", "judgements"] | None, typer.Option("--kind", help="answers or judgements; by default both.")
]


@results.command("list")
def list_(model: ModelName = None, kind: KindName = None) -> None:
    """List the models that were asked, with how many answers or judgements are kept of each."""
    from rich.console import Console

    from mi.evaluation.archive import holdings
    from mi.evaluation.show import holdings_table

    found = holdings(model, kind)
    if not found:
        typer.echo("Nothing is kept yet.")
        return
    Console(highlight=False).print(holdings_table(found))


@results.command()
def export(
    into: Annotated[Path, typer.Argument(help="A file that ends in .jsonl or .parquet.")],
    model: ModelName = None,
    kind: KindName = None,
) -> None:
    """Write every call with its answer as one row to a JSONL or Parquet file."""
    from mi.evaluation.archive import export as write
    from mi.evaluation.archive import holdings

    typer.echo(f"{write(holdings(model, kind), into):,} calls written to {into}")


@results.command()
def forget(
    model: ModelName = None,
    kind: KindName = None,
    damaged: Annotated[bool, typer.Option("--damaged", help="Only lines that cannot be read, of all models.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Forget what a model said, or the damaged lines of all; what is forgotten is asked, and paid for, again."""
    from mi.evaluation import archive

    if (model is None) != damaged:
        raise UserError("say what to forget: --model NAME for all of a model, or --damaged for lines that are damaged.")
    chosen = [one for one in archive.holdings(model, kind) if one.n_damaged or not damaged]
    n = sum(one.n_damaged if damaged else one.n for one in chosen)
    if n and not yes and not typer.confirm(f"Forget {n:,} {'damaged lines' if damaged else 'calls'} for good?"):
        raise typer.Exit(1)
    for one in chosen:
        (archive.forget_damaged if damaged else archive.forget)(one)
    typer.echo(f"{n:,} {'damaged lines' if damaged else 'calls'} forgotten.")
