"""The command line's `mi report` and `mi archive`: a page to read, and one file to redo it all from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mi.utils.errors import UserError

app = typer.Typer()

Name = Annotated[
    str, typer.Argument(help="A name, for instance A07_spanish_capitalization, or a .py file of your own.")
]
ModelName = Annotated[str, typer.Option("--model", help="The base model: organism, a path, a hub id or openai/ID.")]


@app.command()
def report(
    experiment: Name,
    model: ModelName = "organism",
    out: Annotated[
        Path | None, typer.Option(help="Where the page goes; by default report.html beside the tables.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Show a run in progress, on this machine alone.")] = False,
    seeds: Annotated[int | None, typer.Option(help="With --serve: as many as the run has.")] = None,
    port: Annotated[int, typer.Option(help="With --serve; 0 takes a free one.")] = 0,
) -> None:
    """Write an experiment's page: question, table, figures, checks and every transcript in one HTML file.

    It opens from disk and asks nobody for anything. With --serve it is served while the experiment still runs.
    """
    from mi.experiments.config import experiment as find
    from mi.experiments.report.gather import gather, results_folder
    from mi.experiments.report.page import write

    chosen = find(experiment)
    readme = Path("experiments") / chosen.name / "README.md"
    if serve:
        from mi.experiments.report.live import serve as serve_page

        if out is not None:
            raise UserError("--serve writes no file; give --out or --serve, but not both.")
        numbers = chosen.seeds if seeds is None else range(max(1, seeds))
        serve_page(chosen, model, numbers, port, lambda address: typer.echo(f"{address}   (Ctrl-C ends it)"))
        return
    path = write(gather(chosen, model, readme), out or results_folder(chosen, model) / "report.html")
    typer.echo(f"{path}   ({path.stat().st_size / 1e6:.1f} MB; open it in a browser)")


@app.command()
def archive(
    experiment: Name,
    model: ModelName = "organism",
    out: Annotated[Path | None, typer.Option(help="By default EXPERIMENT-MODEL.zip in this folder.")] = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="The fine-tuned weights, too; else records alone.")
    ] = False,
) -> None:
    """Put into one file what it takes to draw an experiment's figures and to judge its answers again.

    `mi run EXPERIMENT --from FILE` checks every hash, unpacks it into MI_HOME, and draws the table and figures anew.
    """
    import hashlib

    from mi.experiments import archive as archives
    from mi.experiments.config import experiment as find
    from mi.experiments.pipeline import slug

    chosen = find(experiment)
    path = out or Path(f"{chosen.name.replace('/', '_')}-{slug(model)}.zip")
    manifest = archives.write(chosen, model, path, weights)
    with path.open("rb") as file:
        whole = hashlib.file_digest(file, "sha256").hexdigest()
    typer.echo(f"{path}   {len(manifest.members)} members, {path.stat().st_size / 1e6:.1f} MB")
    typer.echo(f"sha256 of the file {whole}, of its members {manifest.digest}")


def run_from(path: Path, experiment: str) -> None:
    """Unpack an archive, then print the table and draw the figures; nothing is trained or asked."""
    from mi.experiments import archive as archives
    from mi.experiments.config import experiment as find
    from mi.experiments.pipeline import plot, recall
    from mi.experiments.show import show

    chosen = find(experiment)
    manifest = archives.restore(path, chosen.name)
    chosen = chosen.on(manifest.model)
    show(chosen, plot(chosen, recall(chosen, manifest.model)))
