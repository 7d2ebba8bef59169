"""Looking at jobs: all of them once, or again and again until something is done."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from mi.finetuning import launching
from mi.finetuning.data_models import LIVE, FinetuningJob, JobInfo
from mi.finetuning.services import get_job_info, poll_job
from mi.utils.errors import UserError

T = TypeVar("T")
Show = Callable[[Sequence[JobInfo]], None]


async def look_at(jobs: Sequence[FinetuningJob]) -> list[JobInfo]:
    """How jobs are, asked where they are trained if they have not ended; a job that cannot be asked for says why."""
    return list(await asyncio.gather(*map(_look, jobs)))


async def watched(work: Awaitable[T], jobs: Sequence[FinetuningJob], show: Show, seconds: float = 1.0) -> T:
    """The result of `work`, which trains `jobs`; meanwhile `show` is given what is on disk of them, and once after.

    What is shown is read from the disk alone, so it is the same after a restart and in another process.
    """
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            show([get_job_info(job) for job in jobs])
            await asyncio.wait([task], timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        show([get_job_info(job) for job in jobs])
    return task.result()


async def until_all_ended(jobs: Sequence[FinetuningJob], show: Show) -> None:
    """Look at jobs until none is under way; nothing is launched."""
    while True:
        infos = await look_at(jobs)
        show(infos)
        if not any(info.status in LIVE and info.report.get("remote_id") for info in infos):
            return
        await asyncio.sleep(launching.PACE.poll)


async def _look(job: FinetuningJob) -> JobInfo:
    info = get_job_info(job)
    if info.status not in LIVE:
        return info
    try:
        return await poll_job(job)
    except UserError as error:
        return replace(info, reason=f"could not be looked at: {error}")
