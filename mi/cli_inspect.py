"""The command line's `mi inspect`: export an evaluation, run a task of Inspect, write a log for `inspect view`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mi.utils.errors import UserError

inspect = typer.Typer(help="With Inspect: export evaluations, run its tasks, write its logs.", no_args_is_help=True)

Models = Annotated[
    list[str],
    typer.Option("--model", help="organism, local/ID, openai/ID or openai/ID@ENDPOINT; with ID#JOB what a job made."),
]
Name = Annotated[str, typer.Argument(help="insecure_code, SETTING/EVALUATION, or FILE.py[:ID]; see mi inspect export.")]
Judge = Annotated[str | None, typer.Option(help="A model in place of every judge.")]
Group = Annotated[str, typer.Option(help="What the table calls these models.")]


@inspect.command()
def export(
    name: Annotated[str | None, typer.Argument(help="An evaluation; without one, all names are listed.")] = None,
    into: Annotated[
        Path | None, typer.Option(help="Write a .py file that `inspect eval` takes, to be changed.")
    ] = None,
    judge: Judge = None,
) -> None:
    """Tell how `inspect eval` takes an evaluation, or write a file with it as a task."""
    from mi.inspect.catalogue import evaluation_named, names
    from mi.inspect.exporting import command, write_task

    if name is None:
        if into is not None or judge is not None:
            raise UserError("name the evaluation to export; `mi inspect export` alone lists them.")
        typer.echo("\n".join(names()))
        return
    evaluation = evaluation_named(name, judge)
    if into is None:
        typer.echo(command(name, judge))
        return
    write_task(into, name, evaluation, judge)
    typer.echo(f"{into}: {len(evaluation.contexts)} samples, {evaluation.n_samples_per_context} epochs.")
    typer.echo(f"Next: inspect eval {into} --model mi/organism")


@inspect.command()
def run(  # noqa: PLR0913 - each parameter is an option of the command line
    task: Annotated[str, typer.Argument(help="inspect_evals/mmlu_0_shot, mi/insecure_code, or FILE.py[@NAME].")],
    model: Models,
    group: Group = "models",
    argument: Annotated[list[str] | None, typer.Option("-T", help="NAME=VALUE for the task; repeatable.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many samples.")] = None,
    into: Annotated[Path | None, typer.Option(help="Also write the table to this CSV file.")] = None,
    log_dir: Annotated[Path | None, typer.Option(help="Where logs go; by default results/inspect.")] = None,
) -> None:
    """Run any task of Inspect over models of ours and print its metrics; answers are kept in the store."""
    import asyncio

    from rich.console import Console

    from mi.inspect import running
    from mi.inspect.exporting import metrics_table

    models = {group: [_model(name) for name in model]}
    rows = asyncio.run(running.run(task, models, _arguments(argument or []), limit, log_dir))
    if into is not None:
        running.write_rows(into, rows)
    Console(highlight=False).print(metrics_table(rows))


@inspect.command()
def log(
    name: Name,
    model: Models,
    into: Annotated[Path, typer.Option(help="The folder for the logs.")] = Path("logs"),
    group: Group = "models",
    judge: Judge = None,
) -> None:
    """Write what the store holds of an evaluation as logs that `inspect view` opens; nothing is asked."""
    from mi.eval import load_results
    from mi.inspect.catalogue import evaluation_named
    from mi.inspect.logs import write_logs

    results = load_results({group: [_model(one) for one in model]}, [evaluation_named(name, judge)])
    for path in write_logs(results, into):
        typer.echo(path)
    typer.echo(f"Next: inspect view --log-dir {into}")


def _model(name: str):
    from dataclasses import replace

    from mi.llm.names import parse_model

    base, _, job = name.partition("#")
    return replace(parse_model(base), job_id=job or None)


def _arguments(given: list[str]) -> dict[str, object]:
    """`NAME=VALUE` as names and values; a value that is YAML for a number or a truth is one. Raises UserError."""
    import yaml

    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name.isidentifier():
            raise UserError(f"-T {one}: give NAME=VALUE.")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"-T {one}: the value is not YAML; put quotes around it.") from error
    return found
