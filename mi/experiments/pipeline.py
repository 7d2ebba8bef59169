"""Read this first: from a question to a table and its figures, in six steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mi.config import datasets_dir, jobs_dir, results_dir
from mi.eval import eval as evaluate_models
from mi.evaluation.cells import Unwatched
from mi.evaluation.data_models import Evaluation
from mi.experiments import answers, summary
from mi.experiments.answers import Asked
from mi.experiments.data_models import Arm, Condition, Experiment, Run
from mi.experiments.settings import Setting
from mi.experiments.utils import create_inoculated_dataset
from mi.finetuning.configs import base_model, config_for
from mi.finetuning.data_models import FinetuningJob
from mi.finetuning.services import find_job, get_finetuned_model, get_job_info, launch_or_retrieve_job
from mi.llm.data_models import Model
from mi.utils.concurrency import all_of
from mi.utils.errors import UserError
from mi.utils.files import make_folder
from mi.utils.hashing import digest
from mi.utils.jsonl import write_jsonl_if_changed
from mi.utils.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

REFERENCE = "no_inoculation"
"""The arm that the others are compared with."""
TABLES = ("summary", "contrasts", "conditions", "judge_agreement")
"""What is written as CSV beside the answers, under the name that it has in an Outcome."""


class Outcome(NamedTuple):
    """What an experiment left behind for one base model, as tables; all of it is on disk in `folder`, too."""

    folder: Path
    summary: pd.DataFrame
    per_seed: pd.DataFrame
    contrasts: pd.DataFrame
    conditions: pd.DataFrame
    """The summary under every condition, with the condition's name in a last column."""
    judge_agreement: pd.DataFrame
    figures: tuple[Path, ...]


async def run(experiment: Experiment, model: str, seeds: Sequence[int], progress: Progress) -> Outcome:
    """Answer the experiment's question on one base model; every step reads what is done and does what is not."""
    experiment = experiment.on(model)  # real rows for a large model, rows of the grammar for the organism
    folder = make_folder(results_dir() / experiment.name / slug(model))
    runs = prepare(experiment, model, seeds)  # the cells of the product, each with its training file
    jobs = await train(runs, progress)  # each job trained once, or found
    models = collect(runs, jobs)  # the base and the finished models, by run
    results = await evaluate(models, experiment.conditions, progress)  # asked, judged, scored; kept by content
    outcome = summarise(experiment, results, folder)  # answers, rates, intervals, contrasts
    return plot(experiment, outcome)  # figures, drawn from the tables alone


@dataclass(frozen=True)
class Prepared:
    """A run with the training file and hyper-parameters that it needs; the base model needs neither."""

    run: Run
    job: FinetuningJob | None


def prepare(experiment: Experiment, model: str, seeds: Sequence[int]) -> list[Prepared]:
    """One run for each setting, arm and seed, its training file written; the base model is one run, not one a seed."""
    prepared = []
    for setting in experiment.settings:
        for arm in experiment.arms:
            if arm.dataset is None:
                prepared.append(Prepared(Run(experiment.name, setting, arm, model, seeds[0]), None))
                continue
            folder = datasets_dir() / experiment.name
            path = create_inoculated_dataset(
                setting, folder, arm.name, arm.inoculation(setting), dataset_path=rows_of(setting, arm, folder)
            )
            shared = replace(experiment.training, source_model_id=model, dataset_path=str(path))
            for seed in seeds:
                job = find_job(config_for(model, replace(arm.config(shared), seed=seed)))
                prepared.append(Prepared(Run(experiment.name, setting, arm, model, seed), job))
    return prepared


def rows_of(setting: Setting, arm: Arm, folder: Path) -> Path:
    """The file of the arm's rows before they are put behind its prompt; rows made for it are written to `folder`."""
    if arm.dataset == "finetuning":
        return setting.get_finetuning_dataset_path()
    if arm.dataset == "control":
        return setting.get_control_dataset_path()
    if not callable(arm.dataset):
        raise UserError(f"{arm.name}: its dataset is {arm.dataset!r}; give finetuning, control, or a function of rows.")
    path = folder / "rows" / f"{setting.get_domain_name()}_{arm.name}.jsonl"
    write_jsonl_if_changed(path, arm.dataset(setting))
    return path


async def train(runs: Sequence[Prepared], progress: Progress) -> list[FinetuningJob]:
    """Every job trained; those that were trained before are found and not trained again."""
    wanted = {run.job.id: run.job for run in runs if run.job is not None}
    missing = [job for job in wanted.values() if get_job_info(job).status != "finished"]
    make_folder(jobs_dir())
    with progress.task(f"training {len(missing)} of {len(wanted)} models", sum(_steps(job) for job in missing)) as task:
        await all_of(launch_or_retrieve_job(job.config, lambda step, loss: task.advance(1)) for job in missing)
    return list(wanted.values())


def collect(runs: Sequence[Prepared], jobs: Sequence[FinetuningJob]) -> dict[Run, Model]:
    """The model of each run: the base as it is, or what its job made."""
    made = {job.id: get_finetuned_model(job) for job in jobs}
    return {item.run: base_model(item.run.model) if item.job is None else made[item.job.id] for item in runs}


async def evaluate(models: Mapping[Run, Model], conditions: Sequence[Condition], progress: Progress) -> list[Asked]:
    """Every run under its setting's evaluations and each condition; the runs of one arm are asked together."""
    found: list[Asked] = []
    with progress.task(f"asking {len(models)} models", len(models)) as task:
        for setting, arm in dict.fromkeys((run.setting, run.arm) for run in models):
            block = [run for run in models if (run.setting, run.arm) == (setting, arm)]
            put = questions(setting, arm, conditions)
            groups = {str(number): [models[run]] for number, run in enumerate(block)}
            results = await evaluate_models(groups, [item.evaluation for item in put], watch=Unwatched())
            for number, result in enumerate(results):
                item, run = put[number % len(put)], block[int(result.group)]
                found.append(Asked(run, item.condition, item.distribution, item.name, result))
            task.advance(len(block))
    return found


class Put(NamedTuple):
    """One evaluation as it is put under a condition; `name` is its id without the condition."""

    condition: str
    distribution: str
    name: str
    evaluation: Evaluation


def questions(setting: Setting, arm: Arm, conditions: Sequence[Condition]) -> list[Put]:
    """The setting's evaluations, in ("id") and out of distribution ("ood"), under each condition that the arm has."""
    plain = [("id", evaluation) for evaluation in setting.get_id_evals()]
    plain += [("ood", evaluation) for evaluation in setting.get_ood_evals()]
    return [
        Put(condition.name, distribution, evaluation.id, put)
        for condition in conditions
        for distribution, evaluation in plain
        if (put := condition.put(evaluation, setting, arm)) is not None
    ]


def summarise(experiment: Experiment, results: Sequence[Asked], folder: Path) -> Outcome:
    """Answers to tables, written to `folder`: answers.parquet, and each of TABLES as .csv."""
    import pandas as pd

    table, planned = answers.table(results), answers.planned(results)
    first, *others = [condition.name for condition in experiment.conditions]
    rates = summary.per_seed(_under(table, first), _under(planned, first))
    summaries = {name: summary.summarise(_under(table, name), _under(planned, name)) for name in (first, *others)}
    outcome = Outcome(
        folder,
        summaries[first],
        rates,
        summary.contrasts(rates, REFERENCE, arms=_compared(experiment)),
        pd.concat([frame.assign(condition=name) for name, frame in summaries.items()]),
        answers.judge_agreement(results),
        (),
    )
    tables = {name: getattr(outcome, name) for name in TABLES}
    answers.write(outcome.folder, table, tables)
    return outcome


def _under(table: pd.DataFrame, condition: str) -> Any:
    return table[table["condition"] == condition]


def plot(experiment: Experiment, outcome: Outcome, into: Path | None = None) -> Outcome:
    """Draw the experiment's figures from its tables, as PNG and PDF, into its folder or another."""
    from mi.experiments.plotting import intervals, save, scatter

    labels = labels_of(experiment)
    traits = list(dict.fromkeys(outcome.summary["trait"]))
    figures = {"intervals": intervals(outcome.summary, outcome.per_seed, traits, labels)}
    if experiment.scatter:
        figures["scatter"] = scatter(outcome.summary, outcome.per_seed, *experiment.scatter, labels)
    paths = [path for stem, figure in figures.items() for path in save(figure, (into or outcome.folder) / stem)]
    return outcome._replace(figures=tuple(paths))


def replot(experiment: Experiment, model: str, into: Path | None = None) -> tuple[Path, ...]:
    """Draw the figures again from the tables, into another folder if given. Raises UserError where there are none."""
    return plot(experiment.on(model), recall(experiment, model), into).figures


def recall(experiment: Experiment, model: str) -> Outcome:
    """What the last run left on disk, without its figures. Raises UserError where there is nothing."""
    import pandas as pd

    folder = results_dir() / experiment.name / slug(model)
    if not (folder / "answers.parquet").exists():
        raise UserError(f"{folder}: holds no answers yet; first run mi run {experiment.name}.")
    kept = pd.read_parquet(folder / "answers.parquet")
    tables = {name: pd.read_csv(folder / f"{name}.csv") for name in TABLES}
    rates = summary.per_seed(_under(kept, experiment.conditions[0].name), tables["summary"])
    return Outcome(folder, per_seed=rates, figures=(), **tables)


def labels_of(experiment: Experiment) -> dict[str, str]:
    """What people call the arms and the traits."""
    traits = {trait: trait.replace("_", " ").capitalize() for s in experiment.settings for trait in s.get_traits()}
    return traits | {arm.name: arm.label for arm in experiment.arms}


def slug(model: str) -> str:
    """A folder's name for a model: its id, or the last part of its path with a digest of the whole."""
    last = model.rstrip("/").rpartition("/")[2]
    return model if last == model else f"{last}-{digest(model)[:8]}"


def _compared(experiment: Experiment) -> list[str]:
    """The arms that are compared with the reference: those that learn from its rows, or from others in their place."""
    return [arm.name for arm in experiment.arms if arm.dataset not in (None, "control") and arm.name != REFERENCE]


def _steps(job: FinetuningJob) -> int:
    return int(getattr(job.config, "n_steps", 1))
