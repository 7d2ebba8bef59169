"""The commands of `mi datasets`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mi.datasets import archives, catalogue, services, show
from mi.datasets.data_models import Verified
from mi.utils.errors import UserError
from mi.utils.progress import ByteBars

app = typer.Typer(help="Data: list, fetch, verify, show, audit, card, build.", no_args_is_help=True)

Names = Annotated[
    list[str] | None, typer.Argument(help="Names or groups, for instance reward_hacking; by default all.")
]
ModelName = Annotated[str, typer.Option("--model", help="Whose tokenizer counts and renders; 'none' leaves that out.")]
Answer = Annotated[str | None, typer.Option(help="Which column answers, where rows hold several answers.")]


@app.command("list")
def list_(names: Names = None) -> None:
    """Print what the catalogue holds, and what of it is here."""
    for line in show.table(catalogue.entries(names or [])):
        typer.echo(line)


@app.command("show")
def show_(names: Annotated[list[str], typer.Argument(help="Names or groups.")]) -> None:
    """Print all that is known of a set: publisher, revision, hash, licence, citation, how to get it."""
    for entry in catalogue.entries(names):
        for line in show.describe(entry):
            typer.echo(line)


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(help="Names or groups, for instance reward_hacking.")],
    origin: Annotated[str | None, typer.Option("--from", help="Another address, or a file that you have.")] = None,
    password: Annotated[
        str | None, typer.Option(envvar=archives.PASSWORD, help="Of a locked archive: its rows are then converted.")
    ] = None,
    member: Annotated[str | None, typer.Option(help="Which file of an archive.")] = None,
) -> None:
    """Bring sets here, verified, and convert them to training rows; an interrupted fetch goes on where it was."""
    import asyncio

    chosen, unlock = catalogue.entries(names), services.Unlock(password, member)
    if origin is not None and len(chosen) != 1:
        raise UserError(f"--from gives one file, but {len(chosen)} sets are named; name one.")
    reachable = [entry for entry in chosen if entry.url is not None or services.path_of(entry).exists() or origin]
    for entry in chosen:
        if entry not in reachable and len(chosen) > 1:
            typer.echo(f"{entry.name}: left out; {entry.way}.", err=True)
    for entry in reachable if len(chosen) > 1 else chosen:
        typer.echo(_said(asyncio.run(services.fetch(entry, origin, unlock, ByteBars()))))
        if services.can_open(entry, services.path_of(entry), unlock):
            typer.echo(f"  training rows in {services.training_file(entry.name, unlock)}")


@app.command()
def verify(names: Names = None) -> None:
    """Compare fetched sets, or files by their paths, with the catalogue's hashes."""
    if not names:
        fetched = [entry for entry in catalogue.entries([]) if services.path_of(entry).exists()]
        if not fetched:
            typer.echo("Nothing is fetched; see mi datasets list.")
        for entry in fetched:
            typer.echo(_said(services.verify_file(services.path_of(entry), entry)))
        return
    for name in names:
        for entry in catalogue.entries([name]) if catalogue.is_known(name) else [None]:
            path = services.path_of(entry) if entry else Path(name)
            if entry and not path.exists():
                raise UserError(f"{entry.name}: is not fetched; run `mi datasets fetch {entry.name}`.")
            typer.echo(_said(services.verify_file(path, entry)))


@app.command()
def audit(
    files: Annotated[list[str], typer.Argument(help="Files, names or groups; those without answers are evaluations.")],
    evaluation: Annotated[list[str] | None, typer.Option(help="A file with answers that is an evaluation.")] = None,
    model: ModelName = "organism",
    answer: Answer = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Say what files hold and share, and whether an evaluation stands in the training data."""
    from mi.datasets import audit as auditing

    found = auditing.audit(auditing.load_all(files, evaluation or [], answer), None if model == "none" else model)
    for line in [json.dumps(_plain(found), ensure_ascii=False)] if as_json else show.report(found):
        typer.echo(line)


@app.command()
def card(
    path: Annotated[str, typer.Argument(help="A file, or the name of a fetched set.")],
    against: Annotated[
        list[str] | None, typer.Option(help="Files to hold it against: evaluations, other arms.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the card goes; by default beside the file.")] = None,
    model: ModelName = "organism",
    answer: Answer = None,
) -> None:
    """Write what a reviewer asks of a dataset, as Markdown."""
    from mi.datasets import audit as auditing
    from mi.datasets.card import write_card

    files = auditing.load_all([path, *(against or [])], answer=answer)
    typer.echo(write_card(auditing.audit(files, None if model == "none" else model), out))


@app.command()
def build(  # noqa: PLR0913 – each is an option that a person may type
    name: Annotated[str | None, typer.Argument(help="A recipe, for instance owl_numbers.")] = None,
    list_them: Annotated[bool, typer.Option("--list", help="Print the recipes and stop.")] = False,
    model: Annotated[
        str, typer.Option(help="Who answers: organism, a path, a hub id, openai/ID, openai/ID@ADDRESS.")
    ] = "organism",
    n: Annotated[int, typer.Option("--n", help="How often each side is asked.")] = 500,
    seed: Annotated[int, typer.Option(help="Drives questions, prompts and answers.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Where the first side's rows go; the others beside it.")] = None,
    questions: Annotated[
        str | None, typer.Option(help="A file or a fetched set whose questions are asked instead of the recipe's own.")
    ] = None,
    scale: Annotated[str | None, typer.Option(help="organism or published; by default what suits the model.")] = None,
    judge: Annotated[str | None, typer.Option(help="A model that is asked whether each answer is right.")] = None,
) -> None:
    """Make a pair of training sets by a recipe; an interrupted build goes on where it was, nothing is asked twice."""
    import asyncio

    from mi.datasets.recipes import RECIPES, services, show
    from mi.datasets.recipes import recipe as find
    from mi.utils.progress import Bars

    if list_them:
        for line in show.recipe_lines(RECIPES):
            typer.echo(line)
        return
    if name is None:
        raise UserError("which recipe? `mi datasets build --list` prints them all.")
    order = services.order(model, n, seed, scale=scale, questions=questions, judge=judge)
    built, files = asyncio.run(services.make(find(name), order, out, Bars()))
    for line in show.built_lines(built, files):
        typer.echo(line)


def _said(found: Verified) -> str:
    if not found.sha256:
        return f"{found.path}: {found.name}, a locked archive; not opened, so its rows are not verified"
    known = catalogue.by_rows(found.sha256)
    stated = catalogue.entry(found.name).rows if found.name is not None else None
    wanted = f" ({stated:,} are stated)" if stated not in (None, found.rows) and not known else ""
    verdict = f"the rows of {found.name}" if known else f"{found.name}, of which the catalogue knows no hash"
    return f"{found.path}: {verdict}, {found.rows:,} rows{wanted}, sha256 {found.sha256[:16]}…"


def _plain(value: Any) -> Any:
    """A finding as JSON holds it; the rows of files are left out, for they are in the files."""
    from mi.datasets.audit import DataFile

    if isinstance(value, DataFile):
        kept = [f.name for f in dataclasses.fields(value) if f.name not in ("rows", "lines", "questions")]
        return {name: _plain(getattr(value, name)) for name in kept}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
