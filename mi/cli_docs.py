"""`mi publish`, `mi findings`, `mi docs`: results into the repository, and the pages whose numbers are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mi.utils.errors import UserError

app = typer.Typer()
ModelName = Annotated[str, typer.Option("--model", help="The base model: organism, a path or a hub id.")]
ExperimentName = Annotated[str, typer.Argument(help="A name, for instance A07_spanish_capitalization.")]


@app.command()
def publish(
    experiment: ExperimentName,
    model: ModelName = "organism",
    into: Annotated[Path | None, typer.Option(help="A folder with a README; by default experiments/NAME.")] = None,
) -> None:
    """Take an experiment's figures, tables and result into its folder, to be committed.

    `settings_check` takes the table over all settings, after mi settings check --all.
    """
    from mi.documents.settings import NAME, take_checks
    from mi.experiments.config import experiment as find
    from mi.experiments.publish import publish as take

    folder = into or Path("experiments") / experiment
    for path in take_checks(model, folder) if experiment == NAME else take(find(experiment), model, folder):
        typer.echo(path)


@app.command()
def docs(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; name the pages that are stale, exit 2.")
    ] = False,
) -> None:
    """Fill the marked places of README, docs/ and experiments/ anew from the committed results."""
    from mi.documents.services import stale, write

    here = Path()
    pages = stale(here) if check else write(here)
    for page in pages:
        typer.echo(page)
    if check and pages:
        raise UserError("these pages are not what the results give; run mi docs.")


@app.command()
def findings(
    experiments: Annotated[Path, typer.Option(help="The folder with the published experiments.")] = Path("experiments"),
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("docs/findings.md"),
) -> None:
    """Write the page of findings from the tables of all published experiments."""
    from mi.experiments.findings import findings as page
    from mi.utils.files import whole_file

    text = page(experiments)
    with whole_file(out) as file:
        file.write(text)
    typer.echo(out)
