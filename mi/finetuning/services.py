"""Launching fine-tuning jobs, each once: what is trained already is found by its content.

A job is trained in `jobs/.<id>.<random>.partial` and takes its name when it is whole, so whatever stands under a
job's name is finished.
"""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mi.config import jobs_dir
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.openai_driver.data_models import OpenAIFTJobConfig
from mi.finetuning.data_models import FinetuningJob, FTJobConfig, JobInfo
from mi.llm.data_models import Model
from mi.llm.rows import read_rows, rows_digest
from mi.llm.services import fingerprint
from mi.utils.errors import UserError
from mi.utils.files import locked, make_folder, whole_file
from mi.utils.hashing import digest

FORMAT = 1
"""Raised whenever the same configuration would train to something else, so that no older job is taken for it."""

OnStep = Callable[[int, float], None]

_RECORD = "job.json"
_REPORT = "training.json"


async def launch_or_retrieve_job(config: FTJobConfig, on_step: OnStep | None = None) -> FinetuningJob:
    """The finished job of `config`: found where its content was trained before, else trained now.

    Several calls and several processes may ask for one job: one of them trains, the others wait for it.
    `on_step` is told the number of each step, from 1, and its loss in nats a token, if this call does the training.
    Raises UserError for a bad data set, an unknown base model, a folder that cannot be written.
    """
    local = _local(config)
    identity = _identity(local)
    job = FinetuningJob(digest(identity), local)
    if not _is_finished(job):
        async with locked(_lock_path(job)):
            if not _is_finished(job):
                await _train(job, local, identity, on_step)
    return job


async def launch_sequentially(configs: Sequence[FTJobConfig]) -> list[FinetuningJob]:
    """The jobs of `configs`, finished, in their order and one after the other."""
    return [await launch_or_retrieve_job(config) for config in configs]


def find_job(config: FTJobConfig) -> FinetuningJob:
    """The job that `config` would launch, whether it is trained or not; nothing is trained or written."""
    local = _local(config)
    return FinetuningJob(digest(_identity(local)), local)


def get_job_info(job: FinetuningJob) -> JobInfo:
    """What is on disk of a job."""
    folder = _folder(job)
    if _is_finished(job):
        return JobInfo(job, "finished", folder, json.loads((folder / _REPORT).read_text(encoding="utf-8")))
    return JobInfo(job, "begun" if _partials(job) else "unknown", folder)


def get_finetuned_model(job: FinetuningJob) -> Model:
    """The model that a job made. Raises UserError where the job is not finished."""
    if not _is_finished(job):
        raise UserError(f"{_folder(job)}: this job is not finished; launch it again with launch_or_retrieve_job.")
    return Model(job.config.source_model_id, "local", job_id=job.id)


def _local(config: FTJobConfig) -> LocalFTJobConfig:
    if isinstance(config, OpenAIFTJobConfig):
        raise UserError(
            f"{config.source_model_id}: the pipeline for OpenAI fine-tuning is not built yet; give a LocalFTJobConfig."
        )
    return config


def _identity(config: LocalFTJobConfig) -> dict[str, Any]:
    """All that can change what is trained; not where the data or the base model lie."""
    settings = {name: value for name, value in vars(config).items() if name not in ("dataset_path", "source_model_id")}
    if config.method == "full":
        settings = {name: value for name, value in settings.items() if not name.startswith("lora_")}
    return {
        "format": FORMAT,
        "dataset": rows_digest(read_rows(config.dataset_path)),
        "base": fingerprint(Model(config.source_model_id, "local")),
        "config": settings,
    }


async def _train(
    job: FinetuningJob, config: LocalFTJobConfig, identity: dict[str, Any], on_step: OnStep | None
) -> None:
    """Train into a folder of its own, then give it the job's name. The caller holds the job's lock."""
    from mi.external.local_driver.services import train_job

    if _folder(job).exists():
        raise UserError(f"{_folder(job)}: this folder holds no whole job; move it away.")
    for abandoned in _partials(job):
        shutil.rmtree(abandoned, ignore_errors=True)
    partial = make_folder(jobs_dir() / f".{job.id}.{uuid.uuid4().hex[:8]}.partial")
    try:
        await train_job(config, partial, on_step)
        _check_unchanged(config, identity)
        with whole_file(partial / _RECORD) as file:
            json.dump({"id": job.id, "identity": identity, "config": vars(config)}, file, indent=1, ensure_ascii=False)
        _flush(partial)
        os.rename(partial, _folder(job))
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _check_unchanged(config: LocalFTJobConfig, identity: dict[str, Any]) -> None:
    """The trainer reads the file itself: what it read must be what the job is named after."""
    if rows_digest(read_rows(config.dataset_path)) != identity["dataset"]:
        raise UserError(f"{config.dataset_path}: changed while it was trained on; launch the job again.")


def _flush(folder: Path) -> None:
    """Onto the disk before the rename, so that a power cut leaves no named job with empty files."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _folder(job: FinetuningJob) -> Path:
    return jobs_dir() / job.id


def _lock_path(job: FinetuningJob) -> Path:
    return jobs_dir() / f".{job.id}.lock"


def _partials(job: FinetuningJob) -> list[Path]:
    return sorted(jobs_dir().glob(f".{job.id}.*.partial"))


def _is_finished(job: FinetuningJob) -> bool:
    return (_folder(job) / _RECORD).is_file()
