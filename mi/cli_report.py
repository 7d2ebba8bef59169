"""The command line's `mi report` and `mi archive`: a page to read, and one file to redo it all from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mi.utils.errors import UserError

app = typer.Typer()

Name = Annotated[str, typer.Argument(help="For instance A07_spanish_capitalization.")]
ModelName = Annotated[str, typer.Option("--model", help="The base model: organism, a path or a hub id.")]


@app.command()
def report(
    experiment: Name,
    model: ModelName = "organism",
    out: Annotated[
        Path | None, typer.Option(help="Where the page goes; by default report.html beside the tables.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Show a run in progress, on this machine alone.")] = False,
    port: Annotated[int, typer.Option(help="With --serve; 0 takes a free one.")] = 0,
) -> None:
    """Write an experiment's page: question, table, figures, checks and every transcript in one HTML file.

    It opens from disk and asks nobody for anything. With --serve it is served while the experiment still runs.
    """
    from mi.experiments.config import experiment as find
    from mi.experiments.report.gather import gather, results_folder
    from mi.experiments.report.page import write

    chosen, readme = find(experiment), Path("experiments") / experiment / "README.md"
    if serve:
        from mi.experiments.report.live import serve as serve_page

        if out is not None:
            raise UserError("--serve writes no file; give --out or --serve, but not both.")
        serve_page(chosen, model, port, lambda address: typer.echo(f"{address}   (Ctrl-C ends it)"))
        return
    path = write(gather(chosen, model, readme), out or results_folder(chosen, model) / "report.html")
    typer.echo(f"{path}   ({path.stat().st_size / 1e6:.1f} MB; open it in a browser)")
