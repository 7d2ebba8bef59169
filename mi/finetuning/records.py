"""Records of remote jobs, one JSON file each under jobs/: replaced whole, on the disk before the next step is taken."""

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mi.config import jobs_dir
from mi.finetuning.data_models import Attempt, FinetuningJob, FTJobConfig, JobRecord, TrainingProgress
from mi.utils.errors import UserError
from mi.utils.files import whole_file
from mi.utils.hashing import digest

VERSION = 1
_NAME = re.compile(r"[0-9a-f]{32}")


def record_path(job_id: str) -> Path:
    """Where the record of a remote job lies."""
    return jobs_dir() / f"{job_id}.json"


def read_record(job_id: str) -> JobRecord | None:
    """The record of a job, None where there is none.

    Raises UserError for a file that is torn or that is not a record of this job: it is never taken for "not launched".
    """
    path = record_path(job_id)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: this job record cannot be read ({error}); {_MEND}") from error
    try:
        return _parse(json.loads(text), job_id)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: this is no whole record of job {job_id} ({error}); {_MEND}") from error


def write_record(record: JobRecord) -> None:
    """Onto the disk, name and all, before this returns."""
    path = record_path(record.id)
    with whole_file(path) as file:
        json.dump({"version": VERSION, **dataclasses.asdict(record)}, file, indent=1, ensure_ascii=False)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remote_job_ids() -> list[str]:
    """The jobs that have a record, oldest first."""
    found = [path for path in jobs_dir().glob("*.json") if _NAME.fullmatch(path.stem)]
    return [path.stem for path in sorted(found, key=lambda path: (_first_written(path), path.stem))]


def fresh_record(job: FinetuningJob, identity: dict[str, Any], settings: dict[str, Any]) -> JobRecord:
    """The record of a job that was never launched. Raises UserError where its data are not those it is named after."""
    if digest(identity) != job.id:
        raise UserError(f"{job.config.dataset_path}: changed since the job was named; launch it again.")
    return JobRecord(job.id, identity, settings)


def recorded_jobs(backend: str, config: Callable[..., FTJobConfig]) -> list[FinetuningJob]:
    """Every job of a backend with a record that can be read, oldest first; `config` makes its configuration."""
    found = []
    for job_id in remote_job_ids():
        try:
            record = read_record(job_id)
        except UserError:
            continue  # `unreadable` names it
        if record is not None and record.current is not None and record.identity.get("backend") == backend:
            found.append(FinetuningJob(job_id, config(**record.config)))
    return found


def unreadable() -> Iterator[tuple[str, str]]:
    """(job, what is wrong) of each record that cannot be read."""
    for job_id in remote_job_ids():
        try:
            read_record(job_id)
        except UserError as error:
            yield job_id, str(error)


_MEND = "look at the server for a job with this id in its metadata before you move the file away."


def _parse(value: Any, job_id: str) -> JobRecord:
    if not isinstance(value, dict) or value.get("id") != job_id:
        raise ValueError("its id is another")
    if value.get("version") != VERSION:
        raise ValueError(f"it has version {value.get('version')!r}, not {VERSION}")
    attempts = tuple(
        Attempt(**{**attempt, "progress": TrainingProgress(**attempt["progress"])}) for attempt in value["attempts"]
    )
    if not isinstance(value["identity"]["server"], str) or not isinstance(value["config"], dict):
        raise ValueError("its identity names no server, or its configuration is none")
    return JobRecord(job_id, value["identity"], value["config"], attempts)


def _first_written(path: Path) -> float:
    """When its first attempt began; now where that cannot be read."""
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["attempts"][0]["begun_at"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return float("inf")
