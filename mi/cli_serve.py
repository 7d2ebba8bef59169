"""`mi serve`: OpenAI's protocol on this machine, and a check of any server that claims to speak it."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import re
from typing import Annotated

import typer

from mi.utils.errors import UserError

Models = Annotated[list[str] | None, typer.Option("--model", help="organism, a folder or a hub id; repeatable.")]
Host = Annotated[str, typer.Option(help="Where to listen; beyond this machine a token is required.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")]
Token = Annotated[str | None, typer.Option(help="What clients must give as API key; or set MI_SERVE_TOKEN.")]
Limit = Annotated[
    list[str] | None, typer.Option(help="NAME=NUMBER, for instance jobs_per_day=8 or file_bytes=1000000; repeatable.")
]
ShutdownDate = Annotated[list[str] | None, typer.Option(help="MODEL=YYYY-MM-DD, announced by /v1/models; repeatable.")]
Check = Annotated[str | None, typer.Option(metavar="URL", help="Serve nothing: try the server at URL, print a table.")]
CheckTraining = Annotated[bool, typer.Option("--check-training", help="With --check: train a job, which may cost.")]


def serve(  # noqa: PLR0913 - each parameter is an option of the command line
    model: Models = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token: Token = None,
    limit: Limit = None,
    shutdown_date: ShutdownDate = None,
    check: Check = None,
    check_training: CheckTraining = False,
) -> None:
    """Serve files, fine-tuning jobs and chat as OpenAI's API does, for any transformers model; the organism by default.

    State lies in serve/ under MI_HOME: a server that was killed goes on where it was. With --check, try any server.
    """
    key = token or os.environ.get("MI_SERVE_TOKEN") or None
    if check is not None:
        from mi.serve.conformance import report

        lines, passed = report(check, key or os.environ.get("OPENAI_API_KEY") or "none", model, check_training)
        typer.echo(lines)
        raise typer.Exit(0 if passed else 1)
    missing = [name for name in ("fastapi", "uvicorn", "python_multipart") if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{missing[0]} is not installed; run pip install 'mi-inoculation[local,serve]'.")
    from mi.serve.data_models import ServeSettings
    from mi.serve.run import run

    models = tuple(model) if model else ServeSettings.models
    dates = dict(_dated(given) for given in shutdown_date or [])
    run(ServeSettings(models, host, port, key, limits_of(limit or []), dates), typer.echo)


def limits_of(given: list[str]):
    """The server's limits with those of `NAME=NUMBER` changed. Raises UserError for an unknown name or a bad number."""
    from mi.serve.data_models import Limits

    names = [field.name for field in dataclasses.fields(Limits)]
    changes = {}
    for one in given:
        name, _, number = one.partition("=")
        if name not in names or not number.isdecimal() or int(number) < 1:
            raise UserError(f"--limit {one}: give NAME=NUMBER with one of {', '.join(names)} and a number from 1.")
        changes[name] = int(number)
    return dataclasses.replace(Limits(), **changes)


def _dated(given: str) -> tuple[str, str]:
    name, _, date = given.rpartition("=")
    if not name or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
        raise UserError(f"--shutdown-date {given}: give MODEL=YYYY-MM-DD.")
    return name, date
