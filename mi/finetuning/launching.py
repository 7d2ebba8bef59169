"""Launching one job at a server, so that it is made once: an intent first, never the same request twice unlooked.

The caller holds the job's lock. Whatever happens between two lines here, the record says what may have been sent, and
the next launch looks at the server for it before it sends anything.
"""

import asyncio
import dataclasses
import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from mi.config import jobs_dir
from mi.external.openai_driver.data_models import FineTuningKey, JobRequest, OpenAIFTJobConfig, RemoteFile, RemoteJob
from mi.external.openai_driver.finetuning import CallFailed, FineTuningServer, connected
from mi.finetuning import quota, reading
from mi.finetuning.data_models import Attempt, FinetuningJob, JobRecord
from mi.finetuning.providers import endings, limits_at
from mi.finetuning.records import write_record
from mi.finetuning.validation import scan
from mi.utils.errors import UserError
from mi.utils.files import locked, make_folder

log = logging.getLogger("mi.finetuning")


@dataclass(frozen=True)
class Pace:
    """How long to wait for what, in seconds."""

    poll: float = 10.0
    """Between two looks at a job."""
    settle: tuple[float, ...] = (1.0, 4.0, 15.0)
    """Before each look for a job whose making was not confirmed: a server may be slow to list it."""
    tries: int = 3
    """Requests for one thing whose answers were lost, each after a look that found nothing."""
    file: float = 60.0
    """For an uploaded file to be processed; then the job's own checks decide, for the file's status is deprecated."""
    back_off: float = 15.0
    longest_back_off: float = 300.0
    quota: float = 3600.0
    """Where a key's jobs of the day are used up and the server does not say when there will be more."""


PACE = Pace()
_warned: set[tuple[str, str]] = set()


class Launch:
    """One launch of one job, from its record as it is to a job at the server, or to the reason why there is none."""

    def __init__(self, job: FinetuningJob, record: JobRecord, keys: Sequence[FineTuningKey]) -> None:
        self.job, self.record, self.keys = job, record, keys
        self.config = cast(OpenAIFTJobConfig, job.config)
        self.closings: list[quota.Closed] = []
        self.attempt = record.current or Attempt(len(record.attempts) + 1, begun_at=time.time())

    async def run(self) -> JobRecord:
        """The record with a job, an outcome or a time to wait for. Raises UserError where no key may launch it."""
        if self.attempt.key is None and not self._open():
            return self._wait()
        if await self.adopt():
            return self.record
        refusals = []
        for key in self._open():
            refusal = await self._launch_by(key)
            if refusal is None:
                return self.record
            refusals.append(refusal)
        if self.closings or len(self._open()) < len(self.keys):
            return self._wait()
        said = "; ".join(refusals)
        self._note(reason=said)
        raise UserError(f"{self.config.source_model_id}: no key may launch this job: {said}.")

    def _open(self) -> list[FineTuningKey]:
        """The keys that no limit closes for this model."""
        return [key for key in self.keys if quota.closed(key, self.config.source_model_id) is None]

    def _wait(self) -> JobRecord:
        """Note when the first closed key opens, and why it is closed."""
        known = [quota.closed(key, self.config.source_model_id) for key in self.keys]
        closings = [*self.closings, *(closing for closing in known if closing)]
        soonest = min(closings, key=lambda closing: closing.until, default=None)
        if soonest and (self.attempt.status, self.attempt.wait_until) != ("waiting", soonest.until):
            self._note(status="waiting", wait_until=soonest.until, reason=soonest.reason)
        return self.record

    async def adopt(self) -> bool:
        """Take the job that an earlier launch made, here or elsewhere, if the server knows one."""
        keys = self.keys if self.attempt.key is None else [owner(self.attempt, self.keys, self.job.id)]
        for key in keys:
            async with connected(key) as server:
                try:
                    found = await self._search(server, settle=self.attempt.creating)
                except CallFailed as failed:
                    if failed.kind == "lost" or self.attempt.creating:
                        raise _unsure(self.job, failed) from failed
                    continue  # a key that may not look may not launch either, and says so then
            if found:
                self._take(key, found)
                return True
        return False

    async def _launch_by(self, key: FineTuningKey) -> str | None:
        """Upload and ask, both by this key. None once it is settled; else why another key has to do it."""
        self._note(status="begun", key=key.name, organization=key.organization, wait_until=None, reason=None)
        try:
            async with connected(key) as server:
                await self._warn(server)
                file_id = await self._file_at(server, key)
                self._note(file_id=file_id, creating=True)
                remote = await self._create(server, file_id)
        except CallFailed as failed:
            return self._failed(key, failed)
        self._take(key, remote)
        return None

    async def _create(self, server: FineTuningServer, file_id: str) -> RemoteJob:
        """Ask for the job. After a lost answer: look first, and ask again only for what is not there."""
        lost = CallFailed("lost", "nothing was sent")
        request = JobRequest(self.config, file_id, self._metadata(), f"mi-{self.job.id[:12]}")
        for number in range(PACE.tries):
            try:
                made = await server.create_job(request)
                return made if not number else await self._only(server, made)
            except CallFailed as failed:
                if failed.kind != "lost":
                    raise
                lost = failed
            try:
                found = await self._search(server, settle=True)
            except CallFailed as failed:  # whatever it says, it does not say that the job was not made
                raise CallFailed("lost", f"{lost.reason}, nor can its jobs be looked at: {failed.reason}") from failed
            if found:
                return found
        raise lost

    async def _only(self, server: FineTuningServer, made: RemoteJob) -> RemoteJob:
        """One job of those that this attempt made: a request that was given up may yet have arrived."""
        twins = [job for job in await server.jobs_with(self._metadata()) if job.id != made.id]
        for twin in twins:
            log.warning("%s: made twice, as the server now says; %s is cancelled.", self.job.id, twin.id)
            await server.cancel(twin.id)
        return made

    async def _search(self, server: FineTuningServer, settle: bool) -> RemoteJob | None:
        """The job of this attempt or of a later one, the latest first; with `settle`, look several times."""
        for seconds in PACE.settle if settle else (0.0,):
            await asyncio.sleep(seconds)
            known = {attempt.remote_id for attempt in self.record.attempts}
            found = [job for job in await server.jobs_with({"mi_job": self.job.id}) if job.id not in known]
            found = [job for job in found if _number(job) >= self.attempt.number]
            if found:
                return max(found, key=lambda job: (_number(job), job.status != "cancelled", -job.created_at))
        return None

    async def _file_at(self, server: FineTuningServer, key: FineTuningKey) -> str:
        """The id of the training file at the server: the one that is there under its content's name, or a new one."""
        make_folder(jobs_dir())
        with tempfile.NamedTemporaryFile(dir=jobs_dir(), prefix=".upload.", suffix=".partial") as copy:
            data = scan(self.config.dataset_path, limits_at(self.record.server), copy.file)
            data.refuse()
            if data.digest != self.record.identity["dataset"]:
                raise UserError(f"{self.config.dataset_path}: changed while it was launched; launch the job again.")
            copy.flush()
            async with locked(jobs_dir() / f".{data.digest}.upload.lock"):
                file = await self._uploaded(server, f"mi-{data.digest}.jsonl", Path(copy.name))
        return file.id

    async def _uploaded(self, server: FineTuningServer, name: str, path: Path) -> RemoteFile:
        lost, size = CallFailed("lost", "nothing was sent"), path.stat().st_size
        for _ in range(PACE.tries):
            there = [file for file in await server.files_named(name) if file.status != "error" and file.size == size]
            try:
                return await _processed(server, there[0] if there else await server.upload(name, path))
            except CallFailed as failed:
                if failed.kind != "lost":
                    raise
                lost = failed
            await asyncio.sleep(PACE.settle[0] if PACE.settle else 0)
        raise lost

    def _failed(self, key: FineTuningKey, failed: CallFailed) -> str | None:
        """What follows from a call that failed: another key, a time to wait, an outcome, or not knowing."""
        if failed.kind == "lost":
            self._note(reason=failed.reason)
            raise _unsure(self.job, failed) from failed
        if failed.kind == "request":
            refused = reading.is_moderation(None, failed.reason)
            self._note(status="refused" if refused else "failed", reason=failed.reason, creating=False)
            return None
        if failed.kind in ("quota", "slow_down"):
            self._close(key, failed)
        self._note(key=None, organization=None, file_id=None, creating=False)
        return f"{key.name}: {failed.reason}"

    def _close(self, key: FineTuningKey, failed: CallFailed) -> None:
        model = self.config.source_model_id
        seconds = failed.retry_after
        if seconds is None and failed.kind == "quota":
            seconds = PACE.quota
        if seconds is None:
            seconds = quota.back_off(key, model, PACE.back_off, PACE.longest_back_off)
        self.closings.append(quota.close(key, model, seconds, failed.reason))
        clock = datetime.fromtimestamp(self.closings[-1].until, UTC).astimezone().strftime("%H:%M:%S")
        log.warning("%s: %s lets no job of %s in before %s: %s", self.job.id, key.name, model, clock, failed.reason)

    async def _warn(self, server: FineTuningServer) -> None:
        """Say what will end soon, once a process; refuse what has ended. Before anything is sent that costs."""
        model = self.config.source_model_id
        try:
            announced = await server.shutdown_date(model)
        except CallFailed:
            announced = None  # a server that lists no models can train all the same
        today = datetime.now(UTC).date()
        for what, day in endings(self.record.server, model, announced).items():
            if day <= today:
                self._note(key=None)
                raise UserError(f"{what} since {day}; choose another model, or point OPENAI_BASE_URL at `mi serve`.")
            if (self.record.server, what) not in _warned:
                _warned.add((self.record.server, what))
                log.warning("%s on %s, in %d days.", what, day, (day - today).days)

    def _take(self, key: FineTuningKey, remote: RemoteJob) -> None:
        """The job is at the server: its id onto the disk."""
        self._note(
            number=max(_number(remote), self.attempt.number),
            key=key.name,
            organization=remote.organization or key.organization,
            file_id=remote.training_file,
            creating=False,
            remote_id=remote.id,
            wait_until=None,
            **reading.told(remote),
        )

    def _note(self, **changes: Any) -> None:
        """Onto the disk, before anything else."""
        self.attempt = dataclasses.replace(self.attempt, **changes)
        self.record = with_attempt(self.record, self.attempt)
        write_record(self.record)

    def _metadata(self) -> dict[str, str]:
        return {"mi_job": self.job.id, "mi_attempt": str(self.attempt.number)}


def with_attempt(record: JobRecord, attempt: Attempt) -> JobRecord:
    """The record with its current attempt replaced, or with a first or new one behind the others."""
    earlier = record.attempts[:-1] if record.current else record.attempts
    return dataclasses.replace(record, attempts=(*earlier, attempt))


def owner(attempt: Attempt, keys: Sequence[FineTuningKey], job_id: str) -> FineTuningKey:
    """The key whose a job is. Raises UserError where it is not among those that are set."""
    for key in keys:
        if key.name == attempt.key:
            return key
    raise UserError(f"job {job_id} belongs to the key {attempt.key}, which is not set here; set it again.")


async def _processed(server: FineTuningServer, file: RemoteFile) -> RemoteFile:
    """The file once it is no longer being looked at, or after a while; raises CallFailed where it ends in error."""
    until = time.monotonic() + PACE.file
    while file.status in ("uploaded", "pending", "uploading", "running") and time.monotonic() < until:
        await asyncio.sleep(min(1.0, PACE.poll))
        file = await server.file(file.id)
    if file.status == "error":
        raise CallFailed("request", f"the server refuses the training file: {file.details or 'it gives no reason'}")
    return file


def _number(job: RemoteJob) -> int:
    text = job.metadata.get("mi_attempt", "1")
    return int(text) if text.isdecimal() else 1


def _unsure(job: FinetuningJob, failed: CallFailed) -> UserError:
    return UserError(f"job {job.id}: {failed.reason}; launch it again, and what was made meanwhile is found.")
