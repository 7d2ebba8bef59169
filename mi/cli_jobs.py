"""Fine-tuning at the command line: `mi train`, `mi plan`, `mi status`, `mi jobs`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mi.utils.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mi.experiments.data_models import Experiment
    from mi.experiments.preparing import Prepared
    from mi.finetuning.data_models import FinetuningJob, JobInfo

    Jobs = tuple[list[FinetuningJob], list[list[FinetuningJob]]]

jobs = typer.Typer(help="Fine-tuning jobs on disk: list, show, retry, forget, cancel.", no_args_is_help=True)

Target = Annotated[str, typer.Argument(help="A training file (JSONL) or an experiment, A07_spanish_capitalization.")]
BaseModel = Annotated[str, typer.Option("--model", help="organism, a path, a hub id, or openai/ID[@URL].")]
Seeds = Annotated[int | None, typer.Option(help="How many seeds: 0, 1, …; by default 1, or the experiment's own.")]
Arms = Annotated[str | None, typer.Option("--arms", metavar="A,B", help="Some of an experiment's arms.")]
Number = Annotated[str | None, typer.Option(help="A number or auto; for jobs at a server.")]
JobName = Annotated[str, typer.Argument(help="A job's id, or how it begins.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the program."""
    app.add_typer(jobs, name="jobs")
    for verb in (train, plan, status):
        app.command()(verb)


def train(  # noqa: PLR0913 - each parameter is an option of the command line
    target: Target,
    model: BaseModel = "organism",
    seeds: Seeds = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show the jobs until they have ended.")] = False,
    epochs: Number = None,
    lr_multiplier: Number = None,
    batch_size: Number = None,
    arms: Arms = None,
) -> None:
    """Train what is not trained: a file, or all arms of an experiment. At a server it is launched; --wait waits for it.

    The same command goes on where an interrupted one was, and finds what is trained.
    """
    from mi.finetuning.watching import watched

    given = {"n_epochs": epochs, "lr_multiplier": lr_multiplier, "batch_size": batch_size}
    chosen, compared = _jobs_of(target, model, seeds, given, arms)
    with _shown() as show:
        asyncio.run(watched(_launched(chosen, wait), chosen, show))
    if compared:
        from mi.experiments.pairing import check_after

        check_after(compared)
    if not wait and any(_is_live(job) for job in chosen):
        typer.echo("The jobs go on at the server: mi status")


def plan(target: Target, model: BaseModel = "organism", seeds: Seeds = None, arms: Arms = None) -> None:
    """Say what training would take: jobs, what is trained already, tokens, money or hours. Nothing is launched.

    Of an experiment, what asking and judging would take stands below it.
    """
    from rich.console import Console

    from mi.finetuning import planning
    from mi.finetuning.show import plan_table, summary

    console = _wide(Console(highlight=False))
    planned = planning.plan(_jobs_of(target, model, seeds, {}, arms)[0])
    console.print(plan_table(planned) if any(item.is_to_do for item in planned) else summary(planned))
    if not _is_file(target):
        console.print(_planned_asking(*_prepared(target, model, seeds, arms)))


def _planned_asking(experiment: Experiment, prepared: Sequence[Prepared]) -> Table:
    """A row a setting and arm, seeds and conditions together, then the sum."""
    from mi.evaluation.show import planned_table
    from mi.experiments import asking

    planned = asking.plan(prepared, experiment.conditions)
    names = [f"{setting.get_domain_name()} · {arm.label}" for arm, setting, _ in planned]
    return planned_table([one for _, _, one in planned] * 2, [*names, *["asked in all"] * len(planned)])


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Go on until every job has ended.")] = False,
) -> None:
    """Show all jobs of all backends as they are now; those at a server are asked for."""
    from mi.finetuning.services import list_jobs
    from mi.finetuning.watching import look_at, until_all_ended

    with _shown() as show:
        if watch:
            asyncio.run(until_all_ended(list_jobs(), show))
        else:
            show(asyncio.run(look_at(list_jobs())))


@jobs.command(name="list")
def list_all() -> None:
    """List all jobs as they are on disk; nobody is asked."""
    from mi.finetuning.services import get_job_info, list_jobs

    with _shown() as show:
        show([get_job_info(job) for job in list_jobs()])


@jobs.command()
def show(name: JobName) -> None:
    """Print all that is on disk of a job, its attempts included."""
    from dataclasses import asdict

    from mi.finetuning.records import read_record
    from mi.finetuning.services import get_job_info

    info = get_job_info(_found(name))
    record = read_record(info.job.id)
    shown: dict[str, Any] = {"id": info.job.id, "status": info.status, "config": asdict(info.job.config)}
    shown |= {"attempts": [asdict(attempt) for attempt in record.attempts]} if record else {"report": info.report}
    typer.echo(json.dumps(shown, indent=1, ensure_ascii=False, default=str))
    typer.echo(f"{info.job.id} is {info.status}{f': {info.reason}' if info.reason else ''}; {info.folder}", err=True)


@jobs.command()
def retry(
    name: JobName, wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended.")] = False
) -> None:
    """Launch a job once more that failed, was cancelled or was refused."""
    from mi.finetuning.services import get_job_info, retry_job

    job = asyncio.run(retry_job(_found(name), wait))
    typer.echo(f"{job.id} is {get_job_info(job).status}.")


@jobs.command()
def cancel(name: JobName) -> None:
    """Cancel a job at its server."""
    from mi.finetuning.services import cancel_job

    info = asyncio.run(cancel_job(_found(name)))
    typer.echo(f"{info.job.id} is {info.status}.")


@jobs.command()
def forget(name: JobName) -> None:
    """Take a remote job for never launched: the next launch makes, and pays for, a new one."""
    from mi.finetuning.services import forget_job

    job = _found(name)
    asyncio.run(forget_job(job))
    typer.echo(f"{job.id} is forgotten; its attempts stay in its record.")


def _jobs_of(target: str, model: str, seeds: int | None, given: dict[str, str | None], arms: str | None = None) -> Jobs:
    """The jobs of a file or of an experiment, and which of them are compared.

    Raises UserError for neither, for options that do not fit, and for arms that are not paired.
    """
    from dataclasses import replace

    from mi.experiments.config.training import ORGANISM_LORA
    from mi.finetuning.configs import config_for
    from mi.finetuning.services import find_job

    if seeds is not None and seeds < 1:
        raise UserError("--seeds must be at least 1.")
    numbers = {name: _number(name, text) for name, text in given.items() if text is not None}
    if not _is_file(target):
        if numbers:
            raise UserError("an experiment has its own hyper-parameters; leave the options out, or give a file.")
        return _jobs_of_experiment(_prepared(target, model, seeds, arms)[1])
    if arms is not None:
        raise UserError(f"{target}: a file of rows has no arms; leave --arms out, or give an experiment.")
    configs = [config_for(model, replace(ORGANISM_LORA, dataset_path=target, seed=seed)) for seed in range(seeds or 1)]
    if numbers and not model.startswith("openai/"):
        raise UserError(f"{', '.join(numbers)} are for jobs at a server; for {model} see mi finetune.")
    return [find_job(replace(config, **numbers) if numbers else config) for config in configs], []


def _is_file(target: str) -> bool:
    """Whether a file of rows is meant; a .py file holds an experiment."""
    path = Path(target)
    return path.suffix == ".jsonl" or (path.is_file() and path.suffix != ".py")


def _prepared(name: str, model: str, seeds: int | None, arms: str | None) -> tuple[Experiment, list[Prepared]]:
    """The experiment, or a part of it, on the model, and its runs with their training files."""
    from mi.experiments import pipeline
    from mi.experiments.config import part

    chosen = part(name, arms, model)
    return chosen, pipeline.prepare(chosen, model, chosen.seeds if seeds is None else range(seeds))


def _jobs_of_experiment(prepared: Sequence[Prepared]) -> Jobs:
    from mi.experiments import pairing

    compared = pairing.paired(prepared)
    pairing.check_before(compared)
    return list({item.job.id: item.job for item in prepared if item.job is not None}.values()), compared


async def _launched(chosen: Sequence[FinetuningJob], wait: bool) -> None:
    """All jobs trained; those at a server launched in their order, and waited for with `wait`."""
    from mi.finetuning.services import launch_sequentially

    await launch_sequentially([job.config for job in chosen], wait)


def _is_live(job: FinetuningJob) -> bool:
    from mi.finetuning.data_models import LIVE
    from mi.finetuning.services import get_job_info

    return get_job_info(job).status in LIVE


@contextlib.contextmanager
def _shown() -> Iterator[Callable[[Sequence[JobInfo]], None]]:
    """A table that is drawn anew on a terminal; elsewhere it is printed once, as it was last."""
    from rich.console import Console
    from rich.live import Live

    from mi.finetuning.records import unreadable
    from mi.finetuning.show import status_table

    console, last = Console(highlight=False), []
    torn = list(unreadable())
    if not console.is_terminal:
        yield lambda infos: last.__setitem__(slice(None), infos)
        _print(_wide(console), last, torn)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda infos: live.update(status_table(infos, torn), refresh=True)


def _print(console: Console, infos: Sequence[JobInfo], torn: Sequence[tuple[str, str]]) -> None:
    from mi.finetuning.show import status_table

    console.print(status_table(infos, torn) if infos or torn else "No jobs yet.")


def _wide(console: Console) -> Console:
    """A file has no width: nothing is cut off in it."""
    from rich.console import Console

    return console if console.is_terminal else Console(highlight=False, width=max(console.width, 200))


def _found(name: str) -> FinetuningJob:
    """The job whose id begins so. Raises UserError for none, for several, and for one whose record is torn."""
    from mi.finetuning.records import unreadable
    from mi.finetuning.services import list_jobs

    for job_id, wrong in unreadable():
        if job_id.startswith(name):
            raise UserError(wrong)
    found = [job for job in list_jobs() if job.id.startswith(name)]
    if len(found) != 1:
        which = "no job" if not found else f"{len(found)} jobs"
        raise UserError(f"{name}: {which} of this name; see mi jobs list.")
    return found[0]


def _number(name: str, text: str) -> Any:
    if text == "auto":
        return text
    try:
        return float(text) if name == "lr_multiplier" else int(text)
    except ValueError:
        option = "--epochs" if name == "n_epochs" else "--" + name.replace("_", "-")
        raise UserError(f'{option} is {text!r}; give a number or "auto".') from None
