"""Launching fine-tuning jobs, each once, at whichever backend: what is trained already is found by its content."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.tinker_driver.data_models import TinkerFTJobConfig
from mi.finetuning.data_models import FinetuningJob, FTJobConfig, JobInfo
from mi.finetuning.local import LocalBackend
from mi.finetuning.remote import OpenAIBackend
from mi.finetuning.stacks import OnJobStep, train_together
from mi.finetuning.tinker import TinkerBackend
from mi.llm.data_models import Model
from mi.utils.concurrency import all_of
from mi.utils.errors import UserError

OnStep = Callable[[int, float], None]


class Backend(Protocol):
    """What differs between places that train."""

    def find(self, config: Any) -> FinetuningJob:
        """The job of a configuration, launched or not."""
        ...

    async def submit(self, job: FinetuningJob, wait: str, on_step: OnStep | None) -> JobInfo:
        """Launch a job once; `wait` "no", until it is "launched", or until it has "ended"."""
        ...

    async def poll(self, job: FinetuningJob) -> JobInfo:
        """Look how a job is, where it is trained."""
        ...

    async def cancel(self, job: FinetuningJob) -> JobInfo:
        """Stop a job."""
        ...

    async def retry(self, job: FinetuningJob) -> None:
        """Allow a job that failed to be launched anew."""
        ...

    async def forget(self, job: FinetuningJob) -> None:
        """Take a job for never launched."""
        ...

    def info(self, job: FinetuningJob) -> JobInfo:
        """What is on disk of a job."""
        ...

    def model(self, job: FinetuningJob) -> Model:
        """The model of a finished job."""
        ...

    def listed(self) -> list[FinetuningJob]:
        """Every job on disk, oldest first."""
        ...


_LOCAL, _OPENAI, _TINKER = LocalBackend(), OpenAIBackend(), TinkerBackend()


async def launch_or_retrieve_job(
    config: FTJobConfig, on_step: OnStep | None = None, wait: bool = True
) -> FinetuningJob:
    """The finished job of `config`: found where its content was trained before, else trained now.

    Several calls and several processes may ask for one job: it is trained once, and all wait for it. With `wait` False
    a remote job is returned as soon as it is at the server, or as soon as the server's limits are known to let it in
    later only (`get_job_info` says which); the same call later goes on. A local job is trained in place either way.
    `on_step` is told the number of each step, from 1, and its loss in nats a token, if this call does the training; of
    a remote job it is told the last step. Raises UserError for a bad data set, an unknown base model, a folder that
    cannot be written, and for a job that has failed, was cancelled or refused: it is not launched again by itself.
    """
    backend = backend_of(config)
    job = backend.find(config)
    _check_outcome(await backend.submit(job, "ended" if wait else "no", on_step))
    return job


async def launch_together(configs: Sequence[FTJobConfig], on_step: OnJobStep | None = None) -> list[FinetuningJob]:
    """The finished jobs of `configs`, in their order; what is not trained yet is trained, as much at once as can be.

    Adapters of one local base and shape are trained in one pass, with the results of each trained alone. `on_step` is
    told each job's steps. What fails leaves the others alone: the first error is raised when all have ended.
    """
    jobs: list[FinetuningJob] = []
    failed: list[Exception] = []
    for config in configs:
        try:
            jobs.append(find_job(config))
        except UserError as error:
            failed.append(error)
    known = {job.id: job for job in jobs}.values()
    here = [job for job in known if isinstance(job.config, LocalFTJobConfig)]
    elsewhere = [launch_or_retrieve_job(job.config, _of_job(job, on_step)) for job in known if job not in here]
    of_here, of_others = await asyncio.gather(
        train_together(here, _submitted, on_step), asyncio.gather(*elsewhere, return_exceptions=True)
    )
    failed += [*of_here, *(error for error in of_others if isinstance(error, Exception))]
    if failed:
        raise failed[0]
    return jobs


async def launch_sequentially(configs: Sequence[FTJobConfig], wait: bool = True) -> list[FinetuningJob]:
    """The jobs of `configs`, launched in their order and one after the other, and then, with `wait`, finished.

    Where a server's limits let no more in, the next one waits for a place; nothing is left out. Local jobs are trained
    together, when the others are launched. What fails is told at the end, when the others are launched and finished:
    the first error is raised.
    """
    jobs = [find_job(config) for config in configs]
    here = [job for job in jobs if isinstance(job.config, LocalFTJobConfig)]
    there = [job for job in jobs if job not in here]
    failed: list[Exception] = []
    for job in there:
        try:
            _check_outcome(await backend_of(job.config).submit(job, "launched", None))
        except UserError as error:
            failed.append(error)
    failed += await train_together(here, _submitted)
    if wait:
        failed += [error for error in await all_of(map(_end_of, there)) if error is not None]
    if failed:
        raise failed[0]
    return jobs


async def poll_job(job: FinetuningJob) -> JobInfo:
    """Look how a job is, where it is trained, and keep what is found; nothing is launched."""
    return await backend_of(job.config).poll(job)


async def cancel_job(job: FinetuningJob) -> JobInfo:
    """Cancel a job at its server. Raises UserError where there is nothing to cancel."""
    return await backend_of(job.config).cancel(job)


async def retry_job(job: FinetuningJob, wait: bool = True) -> FinetuningJob:
    """Launch a job once more that failed, was cancelled or was refused. Raises UserError for any other."""
    backend = backend_of(job.config)
    await backend.retry(job)
    _check_outcome(await backend.submit(job, "ended" if wait else "no", None))
    return job


async def forget_job(job: FinetuningJob) -> None:
    """Take a remote job for never launched. Raises UserError for one that is under way."""
    await backend_of(job.config).forget(job)


def find_job(config: FTJobConfig) -> FinetuningJob:
    """The job that `config` would launch, whether it is trained or not; nothing is trained or written."""
    return backend_of(config).find(config)


def get_job_info(job: FinetuningJob) -> JobInfo:
    """What is on disk of a job; nobody is asked (see `poll_job`). Raises UserError for a record that cannot be read."""
    return backend_of(job.config).info(job)


def get_finetuned_model(job: FinetuningJob) -> Model:
    """The model that a job made. Raises UserError where the job is not finished, with the reason where it has one."""
    info = get_job_info(job)
    if info.status != "finished":
        reason = f" ({info.status}: {info.reason})" if info.reason else ""
        raise UserError(f"{info.folder}: this job is not finished{reason}; launch it with launch_or_retrieve_job.")
    return backend_of(job.config).model(job)


def list_jobs() -> list[FinetuningJob]:
    """Every job that is on disk, of every backend, oldest first in each; see `records.unreadable` for torn records."""
    return [*_LOCAL.listed(), *_OPENAI.listed(), *_TINKER.listed()]


def backend_of(config: FTJobConfig) -> Backend:
    """Where a configuration is trained."""
    if isinstance(config, TinkerFTJobConfig):
        return _TINKER
    return _LOCAL if isinstance(config, LocalFTJobConfig) else _OPENAI


async def _submitted(job: FinetuningJob, on_step: OnStep | None) -> None:
    _check_outcome(await backend_of(job.config).submit(job, "ended", on_step))


def _of_job(job: FinetuningJob, on_step: OnJobStep | None) -> OnStep | None:
    return None if on_step is None else lambda step, loss: on_step(job, step, loss)


async def _end_of(job: FinetuningJob) -> UserError | None:
    """None once a job is finished; else why it is not. An outcome that was told before is not told again."""
    backend = backend_of(job.config)
    try:
        before = backend.info(job).status
        if before in ("unknown", "failed", "cancelled", "refused"):
            return None
        _check_outcome(await backend.submit(job, "ended", None))
    except UserError as error:
        return error
    return None


def _check_outcome(info: JobInfo) -> None:
    if info.status in ("failed", "cancelled", "refused"):
        job = info.job
        raise UserError(
            f"job {job.id} ({job.config.source_model_id} on {job.config.dataset_path}) is {info.status}: "
            f"{info.reason}; see `mi jobs show {job.id[:8]}`, launch it again with `mi jobs retry {job.id[:8]}`."
        )
