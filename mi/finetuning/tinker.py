"""The Tinker backend: the client owns the loop, so the record holds how far it is, and a killed client goes on."""

import asyncio
import dataclasses
import time
import weakref
from collections.abc import Callable
from typing import Any, cast

from mi.config import jobs_dir
from mi.external.tinker_driver.client import server_name
from mi.external.tinker_driver.data_models import TinkerFTJobConfig
from mi.finetuning.data_models import OUTCOMES, Attempt, FinetuningJob, JobInfo, JobRecord, TrainingProgress
from mi.finetuning.launching import with_attempt
from mi.finetuning.records import fresh_record, read_record, record_path, recorded_jobs, write_record
from mi.finetuning.remote import rows_of
from mi.llm.data_models import Model
from mi.utils.errors import UserError
from mi.utils.files import locked, make_folder
from mi.utils.hashing import digest

FORMAT = 1
"""Raised whenever the same configuration would train to something else, so that no older job is taken for it."""

OnStep = Callable[[int, float], None]
_AT_ONCE = 8
"""Trainings of one process under way together: the service caps sessions, and over the cap all of them fail."""
_gates: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = weakref.WeakKeyDictionary()


class TinkerBackend:
    """Trains at the service, in this process's time."""

    def find(self, config: TinkerFTJobConfig) -> FinetuningJob:
        """The job of a configuration; nothing is asked or written."""
        return FinetuningJob(digest(_identity(config)), config)

    async def submit(self, job: FinetuningJob, wait: str, on_step: OnStep | None) -> JobInfo:
        """Train, unless it is trained, from the last checkpoint on; `wait` changes nothing, for we are the loop."""
        gate = _gates.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE))
        make_folder(jobs_dir())
        async with gate, locked(_lock_path(job.id)):
            record = read_record(job.id) or _fresh(job)
            if record.current is None or record.current.status not in OUTCOMES:
                await _train(job, record, on_step)
        return self.info(job)

    async def poll(self, job: FinetuningJob) -> JobInfo:
        """As `info`: what is known is in the record."""
        return self.info(job)

    async def cancel(self, job: FinetuningJob) -> JobInfo:
        """Raises UserError: a training is stopped where it runs."""
        raise UserError(
            f"job {job.id}: a Tinker training is stopped with Ctrl-C where it runs; it goes on from its last "
            "checkpoint when it is launched again, or from the start after `mi jobs forget`."
        )

    async def retry(self, job: FinetuningJob) -> None:
        """Raises UserError: what went wrong at the service has not ended the job."""
        raise UserError(f"job {job.id} is {self.info(job).status}; one that was cut off goes on when it is launched.")

    async def forget(self, job: FinetuningJob) -> None:
        """Take the job for never launched; what it has at the service stays there."""
        async with locked(_lock_path(job.id)):
            record = read_record(job.id)
            if record is None or record.current is None:
                raise UserError(f"job {job.id} was never launched; see `mi jobs list`.")
            write_record(with_attempt(record, dataclasses.replace(record.current, forgotten=True)))

    def info(self, job: FinetuningJob) -> JobInfo:
        """What the record says."""
        record = read_record(job.id)
        attempt = record.current if record else None
        if record is None or attempt is None:
            return JobInfo(job, "unknown", record_path(job.id))
        report = {"server": record.server, "base": job.config.source_model_id, "attempt": attempt.number}
        report |= {"seed": job.config.seed, "model": attempt.model, **attempt.resolved}
        reason = attempt.reason
        if attempt.status not in OUTCOMES:
            saved = attempt.resolved.get("step")
            reason = f"saved after step {saved}" if saved else "begun"
        return JobInfo(job, attempt.status, record_path(job.id), report, reason, attempt.progress)

    def model(self, job: FinetuningJob) -> Model:
        """The model that a finished job made, by the service's name for it."""
        return Model(self.info(job).report["model"], "tinker")

    def listed(self) -> list[FinetuningJob]:
        """Every job with a record that can be read, oldest first."""
        return recorded_jobs("tinker", TinkerFTJobConfig)


def _identity(config: TinkerFTJobConfig) -> dict[str, Any]:
    """All that can change what is trained, as far as it is ours to say."""
    return {
        "format": FORMAT,
        "backend": "tinker",
        "server": server_name(),
        "dataset": rows_of(config.dataset_path),
        "base": config.source_model_id,
        "config": config.settings(),
    }


async def _train(job: FinetuningJob, record: JobRecord, on_step: OnStep | None) -> None:
    """Train on from what the record holds, which is on the disk after each checkpoint. The caller holds the lock."""
    from mi.external.tinker_driver.training import DataReport, Trained, train

    config = cast(TinkerFTJobConfig, job.config)
    attempt = record.current or Attempt(len(record.attempts) + 1, begun_at=time.time())
    record = with_attempt(record, attempt)
    write_record(record)
    kept = attempt.resolved
    so_far = Trained()
    if kept.get("checkpoint"):
        so_far = Trained(kept["step"], kept["checkpoint"], tuple(kept["losses"]), kept["trained_tokens"])

    def keep(now: Trained, data: DataReport) -> None:
        progress = TrainingProgress(now.step, config.n_steps, now.losses[-1], now.trained_tokens)
        told = {"step": now.step, "checkpoint": now.checkpoint, "losses": now.losses}
        resolved = {**told, "trained_tokens": now.trained_tokens, **dataclasses.asdict(data)}
        ended = {"status": "finished", "model": now.model} if now.model else {}
        write_record(with_attempt(record, dataclasses.replace(attempt, resolved=resolved, progress=progress, **ended)))

    await train(config, f"mi-{job.id}-{attempt.number}", so_far, keep, on_step)


def _fresh(job: FinetuningJob) -> JobRecord:
    config = cast(TinkerFTJobConfig, job.config)
    return fresh_record(job, _identity(config), config.plain())


def _lock_path(job_id: str) -> Any:
    return jobs_dir() / f".{job_id}.lock"
