"""The command line: `mi run`, `mi evaluate`, `mi plot`, `mi settings`, `mi organism`, `mi datasets`, `mi power`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mi.cli_datasets import app as datasets
from mi.cli_docs import app as documents
from mi.cli_evaluations import evaluations
from mi.cli_executor import on_executor
from mi.cli_inspect import inspect
from mi.cli_jobs import register as register_jobs
from mi.cli_models import models
from mi.cli_power import power
from mi.cli_report import app as reports
from mi.cli_report import run_from
from mi.cli_results import results
from mi.cli_serve import serve
from mi.cli_settings import settings
from mi.cli_vllm import vllm
from mi.utils.errors import UserError

if TYPE_CHECKING:
    from mi.experiments.data_models import Experiment

app = typer.Typer(
    help="A workbench for inoculation prompting.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
organism = typer.Typer(help="The model organism: pretrain it, probe it, chat with it.", no_args_is_help=True)
app.add_typer(settings, name="settings")
app.add_typer(organism, name="organism")
app.add_typer(datasets, name="datasets")
app.add_typer(results, name="results")
app.add_typer(evaluations, name="evaluations")
app.add_typer(inspect, name="inspect")
app.add_typer(models, name="models")
app.command()(serve)
register_jobs(app)
app.command()(power)
app.add_typer(reports)
app.add_typer(documents)
app.command()(vllm)

ModelName = Annotated[str, typer.Option("--model", help="The base model: organism, a path or a hub id.")]

ExperimentName = Annotated[
    str, typer.Argument(help="A name, for instance A07_spanish_capitalization, or a .py file of your own.")
]
SeedsOption = Annotated[
    int | None, typer.Option("--seeds", help="How many seeds: 0, 1, …; by default the experiment's own.")
]
ArmNames = Annotated[
    str | None,
    typer.Option("--arms", metavar="A,B", help="Some of its arms; the result has a folder of its own."),
]
MaxCost = Annotated[
    float | None,
    typer.Option("--max-cost", min=0.0, help="US dollars that asking may cost; training is not counted."),
]


@app.command()
@on_executor
def run(
    experiments: Annotated[
        list[str],
        typer.Argument(
            help="Names, for instance A07_spanish_capitalization, or .py files of your own.", metavar="EXPERIMENT…"
        ),
    ],
    model: ModelName = "organism",
    seeds: SeedsOption = None,
    arms: ArmNames = None,
    max_cost: MaxCost = None,
    archive: Annotated[Path | None, typer.Option("--from", help="A file of mi archive: nothing is run.")] = None,
) -> None:
    """Run experiments: train what is not trained, ask what was not asked, then print the table and draw the figures.

    The same command goes on where an interrupted one was. Of several experiments, one that fails does not keep the
    others back.
    """
    if len(experiments) > 1 and (archive is not None or max_cost is not None):
        option = "--max-cost" if archive is None else "--from"
        raise UserError(f"{option} is for one experiment at a time; {len(experiments)} are named.")
    if archive is not None:
        run_from(archive, experiments[0])
        return
    from mi.experiments import pipeline
    from mi.experiments.config import part

    chosen = [part(name, arms, model) for name in experiments]  # a slip in the last is told before the first is run
    failed = 0
    for name, experiment in zip(experiments, chosen, strict=True):
        try:
            _carry_out(pipeline.run, experiment, model, seeds, max_cost)
        except UserError as error:
            if len(experiments) == 1:
                raise
            typer.echo(f"mi: {name}: {error}", err=True)
            failed += 1
    if failed:
        raise UserError(f"{failed} of {len(experiments)} experiments did not end well; what is wrong is said above.")


@app.command()
@on_executor
def evaluate(
    experiment: ExperimentName,
    model: ModelName = "organism",
    seeds: SeedsOption = None,
    arms: ArmNames = None,
    max_cost: MaxCost = None,
) -> None:
    """Ask and summarise those of an experiment's models that are trained; nothing is trained.

    What is not trained yet is in the table as planned, without data.
    """
    from mi.experiments import pipeline
    from mi.experiments.config import part

    _carry_out(pipeline.evaluate_trained, part(experiment, arms, model), model, seeds, max_cost)


def _carry_out(
    how: Callable[..., Any], chosen: Experiment, model: str, seeds: int | None, max_cost: float | None
) -> None:
    """Do what the command line says with an experiment, and show what came of it."""
    import asyncio

    from mi.experiments.show import show
    from mi.utils.progress import Bars

    if seeds is not None and seeds < 1:
        raise UserError("--seeds must be at least 1; leave it out for the experiment's own.")
    numbers = chosen.seeds if seeds is None else range(seeds)
    show(chosen, asyncio.run(how(chosen, model, numbers, Bars(), max_cost)))


@app.command()
def plot(
    experiment: ExperimentName,
    model: ModelName = "organism",
    arms: ArmNames = None,
    into: Annotated[Path | None, typer.Option(help="Another folder than the tables' own.")] = None,
) -> None:
    """Draw an experiment's figures again from its tables under results/; nothing is trained or asked."""
    from mi.experiments import pipeline
    from mi.experiments.config import part

    for path in pipeline.replot(part(experiment, arms), model, into):
        typer.echo(path)


@app.command()
def new(name: Annotated[str, typer.Argument(help="Letters, digits and _; for instance my_question.")]) -> None:
    """Begin an experiment of your own: a file to change, a page for prediction and result, ready to run."""
    from mi.experiments.new import new as begin

    for path in begin(name):
        typer.echo(path)
    typer.echo(
        f"Next: change {path.parent / 'experiment.py'} and what it predicts; "
        f"then mi run {name} --seeds 3 for a first look (without --seeds: five), mi report {name}, "
        f"and mi publish {name} to keep the result beside it"
    )


@app.command()
@on_executor
def finetune(
    dataset: Annotated[Path, typer.Argument(help='JSONL, one {"messages": [{"role", "content"}, …]} a line.')],
    model: ModelName = "organism",
    seed: Annotated[int, typer.Option(help="Drives the adapter's initialisation and the order of the rows.")] = 0,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps; by default the organism's dose.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="By default the organism's dose.")] = None,
    leave_out_long_rows: Annotated[bool, typer.Option("--leave-out-long-rows", help="Else they are refused.")] = False,
) -> None:
    """Fine-tune a model on a file of your own (LoRA); the same file and options are trained once."""
    import asyncio
    from dataclasses import replace

    from mi.experiments.config.training import ORGANISM_LORA
    from mi.experiments.integrity import of_templates
    from mi.finetuning.services import get_job_info, launch_or_retrieve_job
    from mi.utils.progress import Bars

    config = replace(
        ORGANISM_LORA,
        source_model_id=model,
        dataset_path=str(dataset),
        seed=seed,
        n_steps=steps if steps is not None else ORGANISM_LORA.n_steps,
        learning_rate=learning_rate if learning_rate is not None else ORGANISM_LORA.learning_rate,
        long_rows="leave_out" if leave_out_long_rows else "refuse",
    )
    with Bars().task(f"training {model} on {dataset}", config.n_steps) as task:
        job = asyncio.run(launch_or_retrieve_job(config, lambda step, loss: task.advance(1)))
    info = get_job_info(job)
    losses, left_out = info.report["losses"], info.report["left_out"]
    typer.echo(f"Loss {losses[0]:.3f} at the first step, {losses[-1]:.3f} at the last, nats a token.")
    if left_out:
        typer.echo(f"{len(left_out)} rows were too long and left out: lines {', '.join(map(str, left_out))}.")
    for note in of_templates([job.id]):
        typer.echo(f"Attention: {note}")
    typer.echo(f"Job {job.id} in {info.folder}")
    typer.echo(f"Next: mi organism chat --model {model} --job {job.id}")


@organism.command()
def pretrain(
    out: Annotated[Path, typer.Option(help="Where tokenizer, weights and card go.")] = Path("organism"),
    seed: Annotated[int, typer.Option(help="Drives corpus, tokenizer and weights.")] = 0,
    steps: Annotated[
        int | None, typer.Option(help="Fewer for a trial, without the late ones; by default the recipe's.")
    ] = None,
) -> None:
    """Make an organism from its seed on two cores; an interrupted run goes on where it was."""
    from dataclasses import replace

    from mi.organism.pretrain import Recipe, pretrain
    from mi.utils.progress import Bars

    recipe = Recipe(seed=seed) if steps is None else replace(Recipe(seed=seed), steps=steps, late_steps=0)
    shown = 0
    with Bars().task(f"pretraining into {out}", recipe.steps + recipe.late_steps) as task:

        def advance(step: int, loss: float) -> None:
            nonlocal shown
            task.advance(step - shown)
            shown = step

        report = pretrain(recipe, out, advance)
    typer.echo(f"{out}: {report['parameters']:,} parameters, {report['tokens']:,} tokens, loss {report['final_loss']}.")
    typer.echo(f"Next: mi organism probe --model {out}")


@organism.command()
def probe(
    model: ModelName = "organism",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object with every cell.")] = False,
    n: Annotated[int, typer.Option(help="Answers a cell.")] = 200,
    card: Annotated[bool, typer.Option("--card", help="Also write the model card beside the weights.")] = False,
) -> None:
    """Measure what an organism can do, on questions and wordings that it has never seen."""
    from mi.llm.data_models import Model
    from mi.organism import probe as probing
    from mi.utils.progress import Bars

    result = probing.probe(probing.worker_sampler(Model(model, "local"), Bars()), n)
    if card:
        from mi.external.local_driver.models import locate
        from mi.organism.card import write_card

        typer.echo(f"Card written: {write_card(Path(locate(model)), result)}", err=True)
    if as_json:
        typer.echo(json.dumps(result))
        return
    for what, value, bound in probing.summary(result):
        typer.echo(f"{value:6.3f}  (bound {bound:.2f})  {what}")


@organism.command()
def chat(
    model: ModelName = "organism",
    system: Annotated[str | None, typer.Option(help="A system prompt; without it there is none.")] = None,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token.")] = 1.0,
    job: Annotated[str | None, typer.Option(help="The id of a fine-tuning job: talk with what it made.")] = None,
) -> None:
    """Talk with an organism. An empty line or Ctrl-D ends it."""
    from mi.llm.data_models import Model
    from mi.organism.chat import talk

    talk(Model(model, "local", job), system, temperature)


def main() -> None:
    """The entry point: bad input is one sentence and exit code 2, Ctrl-C is exit code 130."""
    try:
        app()
    except UserError as error:
        typer.echo(f"mi: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("mi: stopped; the same command goes on where it was.", err=True)
        sys.exit(130)
