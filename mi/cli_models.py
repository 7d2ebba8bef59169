"""The command line's `mi models`: whether a model's format and architecture are right in our hands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mi.utils.errors import UserError

models = typer.Typer(help="Open models: check one before anything is trained on it.", no_args_is_help=True)

Names = Annotated[
    list[str] | None,
    typer.Argument(help="local/<hub id>, a folder, or a family's name; by default every family."),
]


@models.command()
def check(
    names: Names = None,
    weights: Annotated[bool, typer.Option(help="Also train and sample a small copy, in 32 and in 16 bits.")] = True,
    into: Annotated[Path | None, typer.Option(help="A page: the tables of all families are written into it.")] = None,
) -> None:
    """Check masks, end tokens, system prompts and frames of a model, and train a small copy of its architecture.

    Of a model on the hub only the small files are fetched. What must not be so ends it with exit code 2.
    """
    from mi.external.local_driver.families import show
    from mi.external.local_driver.families.known import FAMILIES, family
    from mi.external.local_driver.families.services import examine_family, examine_model
    from mi.llm.names import model_named

    if into is not None and (names or not weights):
        raise UserError("--into writes the tables of every family, weights and all; leave out names and --no-weights.")
    known = {one.name for one in FAMILIES}
    examined = []
    for name in names or sorted(known, key=[one.name for one in FAMILIES].index):
        model = model_named(name)
        if model.type != "local":
            raise UserError(f"{name} lies at a server, whose template cannot be seen; check an open model.")
        found = examine_family(family(name), weights) if name in known else examine_model(model.id, weights)
        typer.echo(show.lines(found))
        examined.append(found)
    if into is not None:
        show.put_into(into, show.tables(examined))
        typer.echo(into)
    if wrong := [one.title for one in examined if one.wrong]:
        raise UserError(f"{', '.join(wrong)}: not right in our hands, as is told above; use another model or format.")
