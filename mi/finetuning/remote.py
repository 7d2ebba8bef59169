"""For every server that speaks OpenAI's fine-tuning: a job is launched once, and looked at until it ends."""

import asyncio
import dataclasses
import functools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from mi.config import jobs_dir
from mi.external.openai_driver import finetuning as driver
from mi.external.openai_driver.data_models import FineTuningKey, OpenAIFTJobConfig
from mi.external.openai_driver.finetuning import CallFailed, connected
from mi.external.tinker_driver.client import server_name as tinker_name
from mi.external.tinker_driver.data_models import TinkerFTJobConfig
from mi.finetuning import launching, reading
from mi.finetuning.data_models import LIVE, OUTCOMES, Attempt, FinetuningJob, JobInfo, JobRecord
from mi.finetuning.launching import Launch, owner, with_attempt
from mi.finetuning.records import fresh_record, read_record, record_path, recorded_jobs, write_record
from mi.finetuning.validation import scan
from mi.llm.data_models import Model
from mi.utils.errors import UserError
from mi.utils.files import locked
from mi.utils.hashing import digest

FORMAT = 1
"""Raised whenever the same configuration would train to something else, so that no older job is taken for it."""

_LONGEST_NAP = 60.0


class OpenAIBackend:
    """Files, fine_tuning.jobs and their records under jobs/."""

    def find(self, config: OpenAIFTJobConfig) -> FinetuningJob:
        """The job of a configuration; nothing is asked or written."""
        return FinetuningJob(digest(identity(config)), config)

    async def submit(self, job: FinetuningJob, wait: str, on_step: Callable[[int, float], None] | None) -> JobInfo:
        """Launch the job, unless it is launched. `wait`: "no", "launched" (until a limit lets it in) or "ended"."""
        while True:
            attempt = (await self._advance(job)).current
            assert attempt is not None
            launched = attempt.status in OUTCOMES or attempt.remote_id is not None
            if attempt.status in OUTCOMES or wait == "no" or (wait == "launched" and launched):
                break
            await asyncio.sleep(_nap(attempt))
        if on_step and attempt.status == "finished" and attempt.progress.step:
            on_step(attempt.progress.step, attempt.progress.loss or float("nan"))
        return self.info(job)

    async def poll(self, job: FinetuningJob) -> JobInfo:
        """Look at the server if the job is there and has not ended; nothing is launched."""
        async with locked(_lock_path(job.id)):
            record = read_record(job.id)
            if record and record.current and record.current.remote_id and record.current.status in LIVE:
                await _look(record)
        return self.info(job)

    async def cancel(self, job: FinetuningJob) -> JobInfo:
        """Cancel the job, wherever it is; one whose making was not confirmed is looked for first."""
        async with locked(_lock_path(job.id)):
            record = _known(job)
            attempt = cast(Attempt, record.current)
            if attempt.status in OUTCOMES:
                raise UserError(f"job {job.id} is {attempt.status}; there is nothing to cancel.")
            if attempt.creating:
                record = await _adopted(job, record)
                attempt = cast(Attempt, record.current)
            changes: dict[str, Any] = {"status": "cancelled", "reason": "cancelled before it was launched"}
            if attempt.remote_id:
                changes = await _cancelled(attempt, record)
            write_record(with_attempt(record, dataclasses.replace(attempt, creating=False, **changes)))
        return self.info(job)

    async def retry(self, job: FinetuningJob) -> None:
        """Begin a new attempt beside the one that failed. Raises UserError where none failed."""
        async with locked(_lock_path(job.id)):
            record = _known(job)
            attempt = cast(Attempt, record.current)
            if attempt.remote_id and attempt.status != "finished":
                record = await _look(record)
                attempt = cast(Attempt, record.current)
            if attempt.status not in ("failed", "cancelled", "refused"):
                raise UserError(f"job {job.id} is {attempt.status}; only what has failed can be retried.")
            fresh = Attempt(len(record.attempts) + 1, begun_at=time.time())
            write_record(dataclasses.replace(record, attempts=(*record.attempts, fresh)))

    async def forget(self, job: FinetuningJob) -> None:
        """Take the job for never launched; its attempts stay in the record. Raises UserError for one under way."""
        async with locked(_lock_path(job.id)):
            record = _known(job)
            attempt = cast(Attempt, record.current)
            if attempt.status in LIVE and (attempt.remote_id or attempt.creating):
                raise UserError(f"job {job.id} is {attempt.status}; first `mi jobs cancel {job.id[:8]}`.")
            write_record(with_attempt(record, dataclasses.replace(attempt, forgotten=True)))

    def info(self, job: FinetuningJob) -> JobInfo:
        """What the record says."""
        record = read_record(job.id)
        attempt = record.current if record else None
        if record is None or attempt is None:
            return JobInfo(job, "unknown", record_path(job.id))
        names = {name: getattr(attempt, name) for name in ("key", "organization", "file_id", "remote_id", "model")}
        report = {"server": record.server, "attempt": attempt.number, **names, **attempt.resolved}
        return JobInfo(job, attempt.status, record_path(job.id), report, attempt.reason, attempt.progress)

    def model(self, job: FinetuningJob) -> Model:
        """The model that a finished job made, by the name that its server gave it."""
        return Model(self.info(job).report["model"], "openai", endpoint=cast(OpenAIFTJobConfig, job.config).endpoint)

    def listed(self) -> list[FinetuningJob]:
        """Every job with a record that can be read, oldest first."""
        return recorded_jobs("openai", OpenAIFTJobConfig)

    async def _advance(self, job: FinetuningJob) -> JobRecord:
        """One step: launch what is not launched, look at what is under way, leave alone what has ended."""
        async with locked(_lock_path(job.id)):
            record = read_record(job.id) or _fresh(job)
            attempt = record.current
            if attempt is None or (attempt.status not in OUTCOMES and attempt.remote_id is None):
                return await Launch(job, record, _keys(record)).run()
            return record if attempt.status in OUTCOMES else await _look(record)


def identity(config: OpenAIFTJobConfig) -> dict[str, Any]:
    """All that can change what is trained: rows, server, base, configuration; not where the file lies or who pays."""
    options = {"server_options": dict(config.server_options)} if config.server_options else {}
    return {
        "format": FORMAT,
        "backend": "openai",
        "server": server_of(config),
        "dataset": rows_of(config.dataset_path),
        "base": config.source_model_id,
        "config": {"seed": config.seed, **config.hyperparameters(), **options},
    }


def server_of(config: OpenAIFTJobConfig | TinkerFTJobConfig) -> str:
    """The name of the server that a configuration is for; see `mi.external.openai_driver.finetuning.server_name`."""
    if isinstance(config, TinkerFTJobConfig):
        return tinker_name()
    return driver.server_name(config.endpoint)


def rows_of(path: str) -> str:
    """The identity of a file's rows; read again only where the file has changed. Raises UserError for bad rows."""
    try:
        state = os.stat(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a JSONL file.") from error
    return _rows_of(os.path.abspath(path), path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=512)
def _rows_of(_: str, path: str, changed: int, size: int) -> str:
    data = scan(path)
    data.refuse()
    return data.digest


async def _look(record: JobRecord) -> JobRecord:
    """The record after a look at the server. An answer that does not come changes nothing but what is said of it."""
    attempt = cast(Attempt, record.current)
    async with connected(owner(attempt, _keys(record), record.id)) as server:
        try:
            job = await server.job(str(attempt.remote_id))
            events = await server.events(job.id)
            changes = reading.told(job, events, attempt.progress)
        except CallFailed as failed:
            if failed.kind == "missing":
                changes = {"status": "failed", "reason": f"the server does not know {attempt.remote_id} any more"}
            else:
                changes = {"reason": f"could not be looked at: {failed.reason}"}
    fresh = dataclasses.replace(attempt, **changes)
    if fresh != attempt:
        record = with_attempt(record, fresh)
        write_record(record)
    return record


async def _adopted(job: FinetuningJob, record: JobRecord) -> JobRecord:
    """The record with the job that an unconfirmed request may have made."""
    launch = Launch(job, record, _keys(record))
    await launch.adopt()
    return launch.record


async def _cancelled(attempt: Attempt, record: JobRecord) -> dict[str, Any]:
    """What the server says once it was asked to cancel."""
    async with connected(owner(attempt, _keys(record), record.id)) as server:
        try:
            return reading.told(await server.cancel(str(attempt.remote_id)), (), attempt.progress)
        except CallFailed as failed:
            if failed.kind == "missing":
                return {"status": "cancelled", "reason": "the server does not know it any more"}
            raise UserError(f"job {record.id}: cannot be cancelled ({failed.reason}); try again.") from failed


def _fresh(job: FinetuningJob) -> JobRecord:
    config = cast(OpenAIFTJobConfig, job.config)
    return fresh_record(job, identity(config), config.plain())


def _known(job: FinetuningJob) -> JobRecord:
    record = read_record(job.id)
    if record is None or record.current is None:
        raise UserError(f"job {job.id} was never launched; see `mi jobs list`.")
    return record


def _keys(record: JobRecord) -> Sequence[FineTuningKey]:
    """The keys of the server whose job it is. Raises UserError where another server is set."""
    endpoint = record.config.get("endpoint")
    if driver.server_name(endpoint) != record.server:
        raise UserError(f"job {record.id} is at {record.server}; set OPENAI_BASE_URL to it, and a key.")
    return driver.fine_tuning_keys(endpoint)


def _nap(attempt: Attempt) -> float:
    """Seconds until it is worth to look again."""
    if attempt.status == "waiting" and attempt.wait_until is not None:
        return min(max(attempt.wait_until - time.time(), 0.05), _LONGEST_NAP)
    return launching.PACE.poll


def _lock_path(job_id: str) -> Path:
    return jobs_dir() / f".{job_id}.lock"
