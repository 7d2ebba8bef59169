"""Reading what a run left on disk: answers, tables, jobs, figures, what the judges said. Nothing is asked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi.config import jobs_dir, results_dir
from mi.evaluation.calls import recall
from mi.evaluation.data_models import Judgment
from mi.evaluation.store import Call
from mi.experiments import archived_calls, pipeline, summary
from mi.experiments.data_models import Experiment
from mi.experiments.report.data_models import JobRecord, Sources
from mi.experiments.summary.comparisons import CONTRAST_COLUMNS
from mi.finetuning.records import read_record, record_path
from mi.llm.data_models import Chat, LLMResponse
from mi.llm.judging import judge_chat
from mi.utils.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

CONDITIONS = [*summary.SUMMARY_COLUMNS, "condition"]
AGREEMENT = ["trait", "agreement", "n", "n_without_both"]
_PREDICTION = "**Prediction"


def gather(experiment: Experiment, model: str, readme: Path | None = None) -> Sources:
    """All that is there of an experiment on one base model.

    Raises UserError where there are no answers or no table yet, or where a file cannot be read.
    """
    experiment = experiment.on(model)
    folder, first = results_folder(experiment, model), experiment.conditions[0].name
    answers = _answers(experiment, folder / "answers.parquet")
    table = _table(folder / "summary.csv", summary.SUMMARY_COLUMNS)
    if table.empty and len(answers):
        raise UserError(f"{folder / 'summary.csv'}: holds no table; run mi run {experiment.name} again.")
    jobs = jobs_in(answers)
    conditions = _table(folder / "conditions.csv", CONDITIONS)
    return Sources(
        experiment,
        model,
        answers,
        table,
        summary.per_seed(answers[answers["condition"] == first], table),
        _table(folder / "contrasts.csv", CONTRAST_COLUMNS),
        _table(folder / "judge_agreement.csv", AGREEMENT),
        table.assign(condition=first) if conditions.empty else conditions,
        raw_verdicts(experiment, answers),
        {job: record for job, record in jobs.items() if record is not None},
        [job for job, record in jobs.items() if record is None],
        sorted(folder.glob("*.png"), key=lambda figure: (figure.stem != "intervals", figure.stem)),
        _prediction(readme),
        (folder / "answers.parquet").stat().st_mtime,
        claims=_claims(experiment, answers, conditions),
    )


def _claims(experiment: Experiment, answers: Any, conditions: Any) -> Any:
    """The prediction read against the answers under the conditions that it is about."""
    import pandas as pd

    first = experiment.conditions[0].name
    about = {name or first for claim in experiment.prediction for name in (claim.condition, claim.than_condition)}
    plans = conditions if not conditions.empty else None
    tables = []
    for name in about:
        plan = None if plans is None else plans[plans["condition"] == name]
        tables.append(summary.by_seed(summary.per_seed(answers[answers["condition"] == name], plan), name))
    return summary.against(pd.concat(tables), experiment.prediction, first) if tables else None


def _answers(experiment: Experiment, path: Path) -> Any:
    import pandas as pd

    if not path.exists():
        raise UserError(f"{path.parent}: holds no answers yet; first run mi run {experiment.name}.")
    try:
        answers = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read; remove it and run mi run {experiment.name} again.") from error
    if "condition" not in answers:
        raise UserError(f"{path}: is of an older mi and names no condition; run mi run {experiment.name} again.")
    return with_remote_jobs(answers)


def with_remote_jobs(answers: Any) -> Any:
    """The answers, those of models that were trained at a server with their job in `job_id`, too."""
    made = archived_calls.made_at_servers()
    jobs = answers["model"].map(made).where(answers["job_id"].isna(), answers["job_id"])
    return answers.assign(job_id=jobs.astype(object).where(jobs.notna(), None))


def jobs_in(answers: Any) -> dict[str, JobRecord | None]:
    """The record of each job that the answers name; None where there is none that can be read."""
    return {job: read_job(job) for job in answers["job_id"].dropna().unique()}


def results_folder(experiment: Experiment, model: str) -> Path:
    """Where a run of the experiment on this base model leaves its tables and figures."""
    return results_dir() / experiment.name / pipeline.slug(model)


def read_job(job: str) -> JobRecord | None:
    """The record of a job, trained here or at a server; None where there is none, or none that can be read."""
    folder = jobs_dir() / job
    try:
        if (record := read_record(job)) is not None:
            attempt = record.current
            told = {} if attempt is None else {"trained_tokens": attempt.progress.trained_tokens, **attempt.resolved}
            return JobRecord(job, record.config, told, record_path(job).stat().st_mtime)
        kept, report = (json.loads((folder / name).read_text("utf-8")) for name in ("job.json", "training.json"))
        return JobRecord(job, kept["config"], report, (folder / "job.json").stat().st_mtime)
    except (OSError, ValueError, KeyError, UserError):
        return None


def raw_verdicts(experiment: Experiment, answers: pd.DataFrame) -> dict[str, list[str | None]]:
    """By verdict: for each answer what the judge said of it, from the store; all None where nothing was kept."""
    evaluations = archived_calls.put_where_known(experiment)
    found: dict[str, list[str | None]] = {}
    cases: dict[tuple[str, Judgment], dict[Chat, list[int]]] = {}
    columns = (answers[name].tolist() for name in ("setting", "arm", "condition", "evaluation"))
    said = (answers[name].tolist() for name in ("question", "system_prompt", "answer"))
    for row, (key, words) in enumerate(zip(zip(*columns, strict=True), zip(*said, strict=True), strict=True)):
        question, system_prompt, answer = (text if isinstance(text, str) else None for text in words)
        for name, judgment in evaluations[key].judgment_map.items() if key in evaluations else ():
            if answer is not None:
                hearing = judge_chat(judgment, question or "", answer, system_prompt)
                cases.setdefault((name, judgment), {}).setdefault(hearing, []).append(row)
    for (name, judgment), hearings in cases.items():
        for rows, response in zip(hearings.values(), _said(judgment, list(hearings)), strict=True):
            for verdict in judgment.verdict_names(name):
                column = found.setdefault(verdict, [None] * len(answers))
                for row in rows:
                    column[row] = response
    return found


def _said(judgment: Judgment, hearings: Sequence[Chat]) -> list[str | None]:
    calls = [Call(hearing, judgment.sample_cfg) for hearing in hearings]
    try:
        responses = recall("judgements", judgment.model, calls)
    except UserError:  # a judge that is not there any more: what it said cannot be found again
        return [None] * len(hearings)
    return [None if response is None else _shown(response) for response in responses]


def _shown(response: LLMResponse, least: float = 0.005) -> str:
    """A judge's words, then the likeliest first tokens with their probabilities."""
    first = response.logprobs[0].top if response.logprobs else ()
    likely = [(token, math.exp(logprob)) for token, logprob in first if math.exp(logprob) >= least]
    spread = " · ".join(f"{token.strip() or repr(token)} {p:.2f}" for token, p in likely[:4])
    said = "(refused)" if response.completion is None else response.completion
    return f"{said}   {spread}" if spread else said


def _table(path: Path, columns: list[str]) -> Any:
    """A table of the run; empty, with these columns, where the file is not there or has no row."""
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except (FileNotFoundError, pd.errors.EmptyDataError):
        return pd.DataFrame(columns=columns)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a table; remove it and run the experiment again.") from error
    lacking = [column for column in columns if column not in table]
    if lacking:
        raise UserError(f"{path}: has no column {lacking[0]}; remove it and run the experiment again.")
    return table


def _prediction(readme: Path | None) -> str | None:
    """The paragraph of a README that says what was predicted before the run."""
    if readme is None or not readme.is_file():
        return None
    paragraphs = readme.read_text("utf-8").split("\n\n")
    found = next((part for part in paragraphs if part.startswith(_PREDICTION)), None)
    return None if found is None else " ".join(found.partition(".**")[2].split())


def configurations(jobs: Mapping[str, JobRecord]) -> list[dict[str, Any]]:
    """The distinct hyper-parameters of jobs, without what a run is about: its seed, its data, its place."""
    found: list[dict[str, Any]] = []
    for record in jobs.values():
        config = {name: value for name, value in record.config.items() if name not in ("seed", "dataset_path")}
        if config not in found:
            found.append(config)
    return found
