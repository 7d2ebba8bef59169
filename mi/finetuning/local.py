"""The local backend: a job is trained in place, in `jobs/.<id>.<random>.partial`, and takes its name when it is whole.

So whatever stands under a job's name is finished.
"""

import contextlib
import fcntl
import functools
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mi.config import jobs_dir
from mi.executors.current import elsewhere
from mi.external.local_driver.checkpoints import FILE as CHECKPOINT
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.finetuning.data_models import FinetuningJob, JobInfo, TrainingProgress
from mi.llm.data_models import Model
from mi.llm.rows import read_rows, rows_digest
from mi.llm.services import fingerprint
from mi.utils.errors import UserError
from mi.utils.files import locked, make_folder, whole_file
from mi.utils.hashing import digest
from mi.utils.workers import WorkerKilled

FORMAT = 1
"""Raised whenever the same configuration would train to something else, so that no older job is taken for it."""

OnStep = Callable[[int, float], None]

_RECORD = "job.json"
_REPORT = "training.json"
_PROGRESS = "progress.json"
_TELL_SECONDS = 1.0


class LocalBackend:
    """Trains on this machine, or on an executor's nodes. Nothing of it is paid for: what was cut off is done anew."""

    def find(self, config: LocalFTJobConfig) -> FinetuningJob:
        """The job of a configuration; nothing is trained or written."""
        state = Path(config.dataset_path).stat() if Path(config.dataset_path).is_file() else None
        rows = None if state is None else _rows_at(config.dataset_path, state.st_mtime_ns, state.st_size)
        return FinetuningJob(digest(_identity(config, rows)), config)

    async def submit(self, job: FinetuningJob, wait: str, on_step: OnStep | None) -> JobInfo:
        """Train, unless it is trained; where another process trains it, wait for that. `wait` changes nothing."""
        if not is_finished(job.id):
            async with locked(lock_path(job.id)):
                if not is_finished(job.id):
                    await _train(job, on_step)
        return self.info(job)

    async def poll(self, job: FinetuningJob) -> JobInfo:
        """As `info`: there is nobody else to ask."""
        return self.info(job)

    async def cancel(self, job: FinetuningJob) -> JobInfo:
        """Raises UserError: a training is stopped where it runs, and a finished one is its folder."""
        raise UserError(
            f"job {job.id}: a local training is stopped with Ctrl-C where it runs, and leaves nothing behind."
        )

    async def retry(self, job: FinetuningJob) -> None:
        """Raises UserError: a local job that failed left nothing behind."""
        raise UserError(f"job {job.id} is {self.info(job).status}; only what has failed at a server can be retried.")

    async def forget(self, job: FinetuningJob) -> None:
        """Raises UserError: a local job is its folder."""
        raise UserError(f"job {job.id}: a local job is its folder; delete {_folder(job.id)} to have it trained again.")

    def info(self, job: FinetuningJob) -> JobInfo:
        """What is on disk of a job."""
        folder = _folder(job.id)
        if is_finished(job.id):
            report = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
            return JobInfo(job, "finished", folder, report, progress=_finished_progress(report))
        if partials := _partials(job.id):
            running = is_held(lock_path(job.id))
            goes_on = any((partial / CHECKPOINT).is_file() for partial in partials)
            mend = "go on from its last checkpoint" if goes_on else "train it anew"
            reason = None if running else f"was cut off; launch it again to {mend}"
            return JobInfo(job, "begun", folder, reason=reason, progress=_progress(partials[-1]) if running else _NONE)
        return JobInfo(job, "unknown", folder)

    def model(self, job: FinetuningJob) -> Model:
        """The model that a finished job made."""
        return Model(job.config.source_model_id, "local", job_id=job.id)

    def listed(self) -> list[FinetuningJob]:
        """Every job that is finished or being trained, oldest first."""
        found = list(jobs_dir().glob("*/" + _RECORD))
        finished = [_recorded(path) for path in sorted(found, key=lambda path: path.stat().st_mtime)]
        begun = [_recorded(path) for path in sorted(jobs_dir().glob(".*.partial/" + _PROGRESS))]
        return list({job.id: job for job in [*finished, *begun] if job is not None}.values())


_NONE = TrainingProgress()


@functools.lru_cache(maxsize=256)
def _rows_at(path: str, changed_ns: int, size: int) -> str:
    """The digest of a file's rows; the seeds of an arm share the file, and it is read once for all of them."""
    return rows_digest(read_rows(path))


def _identity(config: LocalFTJobConfig, rows: str | None = None) -> dict[str, Any]:
    """All that can change what is trained; not where the data or the base model lie. `rows`: their digest, if known."""
    settings = {name: value for name, value in vars(config).items() if name not in ("dataset_path", "source_model_id")}
    if config.method == "full":
        settings = {name: value for name, value in settings.items() if not name.startswith("lora_")}
    return {
        "format": FORMAT,
        "dataset": rows or rows_digest(read_rows(config.dataset_path)),
        "base": base_of(config),
        "config": settings,
    }


class Unfinished:
    """The folder of a job while it is trained. Whoever makes one holds the job's lock."""

    def __init__(self, job: FinetuningJob) -> None:
        if _folder(job.id).exists():
            raise UserError(f"{_folder(job.id)}: this folder holds no whole job; move it away.")
        self._job, self._config = job, local_config(job)
        self._identity = _identity(self._config)
        abandoned = _partials(job.id)
        self.path = make_folder(jobs_dir() / f".{job.id}.{uuid.uuid4().hex[:8]}.partial")
        for folder in abandoned:
            if (folder / CHECKPOINT).is_file():
                os.replace(folder / CHECKPOINT, self.path / CHECKPOINT)
            shutil.rmtree(folder, ignore_errors=True)

    def complete(self) -> None:
        """Give it the job's name. Raises UserError where the data have changed, for the trainer reads them itself."""
        config = self._config
        if digest(_identity(config)) != self._job.id:
            raise UserError(f"{config.dataset_path}: changed while it was trained on; launch the job again.")
        (self.path / _PROGRESS).unlink(missing_ok=True)
        with whole_file(self.path / _RECORD) as file:
            record = {"id": self._job.id, "identity": self._identity, "config": vars(config)}
            json.dump(record, file, indent=1, ensure_ascii=False)
        _flush(self.path)
        os.rename(self.path, _folder(self._job.id))

    def give_up(self, error: BaseException) -> None:
        """Remove it, but for a checkpoint of a training that was cut off and did nothing wrong."""
        wrong = isinstance(error, UserError) and not isinstance(error, WorkerKilled)
        if wrong or not (self.path / CHECKPOINT).is_file():
            shutil.rmtree(self.path, ignore_errors=True)

    def tells(self, on_step: OnStep | None) -> OnStep:
        """Tells each step to the caller and, once a second, to whoever looks at the folder."""
        return _telling(self._job, self.path, on_step)


async def _train(job: FinetuningJob, on_step: OnStep | None) -> None:
    """Train into a folder of its own, then give it the job's name. The caller holds the job's lock."""
    from mi.external.local_driver import sending, services

    folder = Unfinished(job)
    try:
        config, tell = local_config(job), folder.tells(on_step)
        if (executor := elsewhere()) is not None:
            await sending.train_elsewhere(executor, job.id, config, folder.path, tell)
        else:
            await services.train_job(config, folder.path, tell)
        folder.complete()
    except BaseException as error:
        folder.give_up(error)
        raise


def _telling(job: FinetuningJob, partial: Path, on_step: OnStep | None) -> OnStep:
    told = 0.0
    started = time.time()

    def tell(step: int, loss: float) -> None:
        nonlocal told
        if time.monotonic() - told >= _TELL_SECONDS:
            told = time.monotonic()
            now = {"id": job.id, "config": vars(job.config), "step": step, "loss": loss}
            with whole_file(partial / _PROGRESS) as file:
                json.dump({**now, "seconds": time.time() - started}, file)
        if on_step:
            on_step(step, loss)

    return tell


def _progress(partial: Path) -> TrainingProgress:
    try:
        told = json.loads((partial / _PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return _NONE
    step, total = told["step"], told["config"].get("n_steps")
    left = told["seconds"] / step * (total - step) if total else None
    return TrainingProgress(step, total, told["loss"], seconds_left=left)


def _finished_progress(report: dict[str, Any]) -> TrainingProgress:
    losses = report.get("losses") or [None]
    steps = len(losses) if losses[0] is not None else None
    return TrainingProgress(steps, steps, losses[-1], report.get("trained_tokens"))


def _recorded(path: Path) -> FinetuningJob | None:
    """The job of a record; None where the file is none of ours (it is named when that job is asked for)."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return FinetuningJob(value["id"], LocalFTJobConfig(**value["config"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError):
        return None


def is_held(lock: Path) -> bool:
    """Whether some process holds a lock at this moment."""
    with contextlib.suppress(FileNotFoundError), lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _flush(folder: Path) -> None:
    """Onto the disk before the rename, so that a power cut leaves no named job with empty files."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _folder(job_id: str) -> Path:
    return jobs_dir() / job_id


def local_config(job: FinetuningJob) -> LocalFTJobConfig:
    """The configuration of a job of this backend."""
    assert isinstance(job.config, LocalFTJobConfig)
    return job.config


def base_of(config: LocalFTJobConfig) -> str:
    """The identity of the base model, wherever it lies."""
    return fingerprint(Model(config.source_model_id, "local"))


def lock_path(job_id: str) -> Path:
    """The file that whoever trains a job holds."""
    return jobs_dir() / f".{job_id}.lock"


def _partials(job_id: str) -> list[Path]:
    return sorted(jobs_dir().glob(f".{job_id}.*.partial"))


def is_finished(job_id: str) -> bool:
    """Whether a job is trained, and its folder whole."""
    return (_folder(job_id) / _RECORD).is_file()
