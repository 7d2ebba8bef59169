"""Read this first: from a question to a table and its figures, in six steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi.config import jobs_dir, results_dir
from mi.experiments import answers, integrity, summary
from mi.experiments.answers import Asked
from mi.experiments.asking import evaluate, questions, unanswered
from mi.experiments.data_models import Experiment, Run
from mi.experiments.outcome import TABLES, Outcome
from mi.experiments.pairing import check_after, check_before, paired
from mi.experiments.preparing import Prepared, prepare, rows_of
from mi.finetuning.configs import model_of
from mi.finetuning.data_models import FinetuningJob
from mi.finetuning.services import get_job_info, launch_together
from mi.llm.data_models import Model
from mi.llm.names import model_named
from mi.llm.services import check_there
from mi.utils.errors import UserError
from mi.utils.files import make_folder
from mi.utils.hashing import digest
from mi.utils.memory import collector_paused
from mi.utils.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "REFERENCE",
    "TABLES",
    "Outcome",
    "Prepared",
    "collect",
    "draw",
    "evaluate",
    "evaluate_trained",
    "labels_of",
    "plot",
    "prepare",
    "questions",
    "recall",
    "replot",
    "rows_of",
    "run",
    "slug",
    "summarise",
    "train",
]
REFERENCE = "no_inoculation"
"""The arm that the others are compared with."""


async def run(
    experiment: Experiment, model: str, seeds: Sequence[int], progress: Progress, max_cost: float | None = None
) -> Outcome:
    """Answer the experiment's question on one base model; every step reads what is done and does what is not.

    `max_cost` limits what asking may cost, in US dollars. Raises UserError where it would be exceeded, and before
    anything is trained where arms that are compared differ in more than their prompts.
    """
    check_there(model_named(model))  # a slip in its name is told before anything else is
    experiment = experiment.on(model)  # real rows for a large model, rows of the grammar for the organism
    folder = make_folder(results_dir() / experiment.name / slug(model))
    runs = prepare(experiment, model, seeds)  # the cells of the product, each with its training file
    check_before(compared := paired(runs))  # rows alike but for their system messages, hyper-parameters alike
    jobs = await train(runs, progress)  # each job trained once, or found
    check_after(compared)  # a server may have chosen for itself
    models = collect(runs, jobs)  # the base and the finished models, by run
    results = await evaluate(models, experiment.conditions, progress, max_cost)  # asked, judged, scored; kept
    outcome = summarise(experiment, results, folder)  # answers, rates, intervals, contrasts
    return plot(experiment, outcome)  # figures, drawn from the tables alone


async def evaluate_trained(
    experiment: Experiment, model: str, seeds: Sequence[int], progress: Progress, max_cost: float | None = None
) -> Outcome:
    """As `run`, of the models that are trained already; the others are in the tables as planned, without answers."""
    experiment = experiment.on(model)
    folder = make_folder(results_dir() / experiment.name / slug(model))
    runs = prepare(experiment, model, seeds)
    there = [item for item in runs if item.job is None or get_job_info(item.job).status == "finished"]
    models = collect(there, [item.job for item in there if item.job is not None])
    results = await evaluate(models, experiment.conditions, progress, max_cost)
    results += unanswered([item.run for item in runs if item.run not in models], experiment.conditions)
    order = {item.run: place for place, item in enumerate(runs)}
    results.sort(key=lambda asked: order[asked.run])
    return plot(experiment, summarise(experiment, results, folder))


async def train(runs: Sequence[Prepared], progress: Progress) -> list[FinetuningJob]:
    """Every job trained; those that were trained before are found and not trained again."""
    wanted = {run.job.id: run.job for run in runs if run.job is not None}
    missing = [job for job in wanted.values() if get_job_info(job).status != "finished"]
    make_folder(jobs_dir())
    with progress.task(f"training {len(missing)} of {len(wanted)} models", sum(_steps(job) for job in missing)) as task:
        await launch_together([job.config for job in missing], lambda job, step, loss: task.advance(1))
    return list(wanted.values())


def collect(runs: Sequence[Prepared], jobs: Sequence[FinetuningJob]) -> dict[Run, Model]:
    """The model of each run: the base as it is, or what its job made."""
    made = {job.id: job for job in jobs}
    return {
        item.run: model_named(item.run.model) if item.job is None else model_of(item.run.model, made[item.job.id])
        for item in runs
    }


@collector_paused()
def summarise(experiment: Experiment, results: Sequence[Asked], folder: Path) -> Outcome:
    """Answers to tables, written to `folder`: answers.parquet, and each of TABLES as .csv."""
    import pandas as pd

    table, planned = answers.table(results), answers.planned(results)
    names = [condition.name for condition in experiment.conditions]
    under = _by_condition(table, names)
    both = {name: summary.tables(under[name], _under(planned, name)) for name in names}
    rates, first = both[names[0]]
    outcome = Outcome(
        folder,
        first,
        rates,
        summary.contrasts(rates, REFERENCE, arms=_compared(experiment)),
        pd.concat([frame.assign(condition=name) for name, (_, frame) in both.items()]),
        answers.judge_agreement(results),
        (),
        pd.concat([summary.by_seed(frame, name) for name, (frame, _) in both.items()]),
        _retention(experiment, rates),
        integrity.notes(results, under[names[0]], labels_of(experiment)),
    )
    tables = {name: getattr(outcome, name) for name in TABLES}
    if outcome.retention is not None:
        tables["retention"] = outcome.retention
    answers.write(outcome.folder, table, tables)
    return outcome


def _by_condition(table: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    found = dict(iter(table.groupby("condition", sort=False)))
    return {name: found.get(name, table.iloc[:0]) for name in names}


def _under(table: pd.DataFrame, condition: str) -> Any:
    return table[table["condition"] == condition]


def plot(experiment: Experiment, outcome: Outcome) -> Outcome:
    """The experiment's figures, drawn from its tables, in its folder; left as they are where nothing changed."""
    from mi.experiments.figures import drawn, drawn_from, remember_drawn

    source = drawn_from(experiment, outcome, labels_of(experiment))
    paths = drawn(outcome.folder, source)
    if paths is None:
        remember_drawn(outcome.folder, "", ())  # from here on they are of two kinds, should this be interrupted
        paths = draw(experiment, outcome, outcome.folder)
        remember_drawn(outcome.folder, source, paths)
    return outcome._replace(figures=tuple(paths))


def draw(experiment: Experiment, outcome: Outcome, into: Path) -> list[Path]:
    """Draw the experiment's figures from its tables, as PNG and PDF, into a folder."""
    from mi.experiments import figures
    from mi.experiments.plotting import save

    drawn = figures.draw(experiment, outcome, labels_of(experiment))
    return [path for stem, figure in drawn.items() for path in save(figure, into / stem)]


def replot(experiment: Experiment, model: str, into: Path | None = None) -> tuple[Path, ...]:
    """Draw the figures again from the tables, into another folder if given. Raises UserError where there are none."""
    outcome = recall(experiment, model)
    return tuple(draw(experiment.on(model), outcome, into or outcome.folder))


def recall(experiment: Experiment, model: str) -> Outcome:
    """What the last run left on disk, without its figures. Raises UserError where there is nothing."""
    import pandas as pd

    folder = results_dir() / experiment.name / slug(model)
    if not (folder / "answers.parquet").exists():
        raise UserError(f"{folder}: holds no answers yet; first run mi run {experiment.name}.")
    kept = pd.read_parquet(folder / "answers.parquet")
    tables = {name: pd.read_csv(folder / f"{name}.csv") for name in TABLES}
    rates = {
        name: summary.per_seed(_under(kept, str(name)), frame)
        for name, frame in tables["conditions"].groupby("condition", sort=False)
    }
    first = rates[experiment.conditions[0].name]
    seeds = pd.concat([summary.by_seed(frame, str(name)) for name, frame in rates.items()])
    retention = _retention(experiment, first)
    return Outcome(folder, per_seed=first, figures=(), by_seed=seeds, retention=retention, notes=(), **tables)


def labels_of(experiment: Experiment) -> dict[str, str]:
    """What people call the arms and the traits."""
    traits = {trait: trait.replace("_", " ").capitalize() for s in experiment.settings for trait in s.get_traits()}
    return traits | {arm.name: arm.label for arm in experiment.arms}


def slug(model: str) -> str:
    """A folder's name for a model: its id, or the last part of its path with a digest of the whole."""
    last = model.rstrip("/").rpartition("/")[2]
    return model if last == model else f"{last}-{digest(model)[:8]}"


def _retention(experiment: Experiment, rates: pd.DataFrame) -> pd.DataFrame | None:
    """What was removed and kept, of the arms that the experiment has; None where it does not ask."""
    here = {arm.name for arm in experiment.arms}
    wanted = {
        arm: (summary.Measure(gone), summary.Measure(stays)) for arm, gone, stays in experiment.retained if arm in here
    }
    return summary.retention(rates, REFERENCE, wanted) if wanted else None


def _compared(experiment: Experiment) -> list[str]:
    """The arms that are compared with the reference: those that learn from its rows, or from others in their place."""
    return [arm.name for arm in experiment.arms if arm.dataset not in (None, "control") and arm.name != REFERENCE]


def _steps(job: FinetuningJob) -> int:
    return int(getattr(job.config, "n_steps", 1))
