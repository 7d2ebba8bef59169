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
from mi.experiments import pipeline, summary
from mi.experiments.data_models import Experiment
from mi.experiments.report.data_models import JobRecord, Sources
from mi.llm.data_models import LLMResponse
from mi.llm.judging import judge_chat
from mi.utils.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

CONTRASTS = [*summary.CELL, "reference", "difference", "n_seeds", "n_seeds_reference", "p", "p_holm", "smallest_p"]
AGREEMENT = ["trait", "agreement", "n", "n_without_both"]
_PREDICTION = "**Prediction"


def gather(experiment: Experiment, model: str, readme: Path | None = None) -> Sources:
    """All that is there of an experiment on one base model.

    Raises UserError where there are no answers or no table yet, or where a file cannot be read.
    """
    import pandas as pd

    folder = results_folder(experiment, model)
    path = folder / "answers.parquet"
    if not path.exists():
        raise UserError(f"{folder}: holds no answers yet; first run mi run {experiment.name}.")
    try:
        answers = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read; remove it and run mi run {experiment.name} again.") from error
    table = _table(folder / "summary.csv", summary.SUMMARY_COLUMNS)
    if table.empty and len(answers):
        raise UserError(f"{folder / 'summary.csv'}: holds no table; run mi run {experiment.name} again.")
    jobs = {job: read_job(jobs_dir() / job) for job in answers["job_id"].dropna().unique()}
    return Sources(
        experiment,
        model,
        answers,
        table,
        summary.per_seed(answers, table),
        _table(folder / "contrasts.csv", CONTRASTS),
        _table(folder / "judge_agreement.csv", AGREEMENT),
        raw_verdicts(experiment, answers),
        {job: record for job, record in jobs.items() if record is not None},
        [job for job, record in jobs.items() if record is None],
        sorted(folder.glob("*.png"), key=lambda figure: (figure.stem != "intervals", figure.stem)),
        _prediction(readme),
        path.stat().st_mtime,
    )


def results_folder(experiment: Experiment, model: str) -> Path:
    """Where a run of the experiment on this base model leaves its tables and figures."""
    return results_dir() / experiment.name / pipeline.slug(model)


def read_job(folder: Path) -> JobRecord | None:
    """The record of a job; None where there is none, or none that can be read."""
    try:
        job, report = (json.loads((folder / name).read_text("utf-8")) for name in ("job.json", "training.json"))
        return JobRecord(folder.name, job["config"], report, (folder / "job.json").stat().st_mtime)
    except (OSError, ValueError, KeyError):
        return None


def raw_verdicts(experiment: Experiment, answers: pd.DataFrame) -> dict[str, list[str | None]]:
    """By judgment: for each answer what the judge said of it, from the store; all None where nothing was kept."""
    judges = {
        (setting.get_domain_name(), evaluation.id): evaluation.judgment_map
        for setting in experiment.settings
        for _, evaluation in pipeline.evaluations_of(setting)
    }
    found: dict[str, list[str | None]] = {}
    cases: dict[tuple[str, Judgment], dict[tuple[str, str], list[int]]] = {}
    columns = (answers[name] for name in ("setting", "evaluation", "question", "answer"))
    for row, (setting, evaluation, question, answer) in enumerate(zip(*columns, strict=True)):
        for name, judgment in judges.get((setting, evaluation), {}).items():
            found.setdefault(name, [None] * len(answers))
            if isinstance(answer, str):
                cases.setdefault((name, judgment), {}).setdefault((question, answer), []).append(row)
    for (name, judgment), pairs in cases.items():
        for rows, said in zip(pairs.values(), _said(judgment, list(pairs)), strict=True):
            for row in rows:
                found[name][row] = said
    return found


def _said(judgment: Judgment, pairs: Sequence[tuple[str, str]]) -> list[str | None]:
    calls = [Call(judge_chat(judgment, *pair), judgment.sample_cfg) for pair in pairs]
    try:
        responses = recall("judgements", judgment.model, calls)
    except UserError:  # a judge that is not there any more: what it said cannot be found again
        return [None] * len(pairs)
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
