"""The queue of fine-tuning jobs: validated at once, trained one after the other in a process of their own."""

import asyncio
import concurrent.futures
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.finetuning.services import get_job_info, launch_or_retrieve_job
from mi.serve import uploads
from mi.serve.data_models import StoredFile, TunedModel, TuningJob
from mi.serve.hyperparameters import as_shown, resolve
from mi.serve.state import State, event
from mi.utils.errors import UserError
from mi.utils.workers import close_workers

_IDLE_SECONDS = 60.0
"""How long the training process is kept when the queue is empty; with it goes what memory it holds."""
_FLUSH_SECONDS = 0.5
"""How often the losses of a running job are written down."""


class Trainer:
    """One thread that takes jobs off the queue; the training itself runs in a worker process that it watches."""

    def __init__(self, state: State, bases: Mapping[str, str]) -> None:
        self._state, self._bases = state, dict(bases)
        self._loop = asyncio.new_event_loop()
        self._woken = asyncio.Event()
        self._current: tuple[str, asyncio.Task] | None = None
        self._checks: set[asyncio.Task] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="trainer", daemon=True)
        self._work: concurrent.futures.Future | None = None

    def start(self) -> None:
        """Take up what an earlier server left: what it was training goes back to the queue."""
        for job in self._state.jobs_in(("running",)):
            note = event("The server was stopped while this job was running; the job is back in the queue")
            self._state.move(job.id, ("running",), note, status="queued", estimated_finish=None)
        self._thread.start()
        for stored in self._state.page(StoredFile, limit=sys.maxsize // 2).items:
            if stored.status == "uploaded":
                self.check_file(stored)
        for job in self._state.jobs_in(("validating_files",)):
            self.check_job(job)
        self._work = self._submit(self._run())

    def stop(self) -> None:
        """End the thread. A job that is running has ended before this returns, and is queued again."""
        if self._work is not None:
            self._work.cancel()
            asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        close_workers()

    def check_file(self, stored: StoredFile) -> None:
        """Validate an upload, beside everything else."""
        self._submit(self._validate(lambda: uploads.validate(self._state, stored)))

    def check_job(self, job: TuningJob) -> None:
        """Validate a new job's file and queue the job, beside everything else."""
        self._submit(self._validate(lambda: self._admit(job)))

    def interrupt(self, job_id: str) -> None:
        """End the training of a job whose status was changed to `cancelled` or `paused`."""
        self._loop.call_soon_threadsafe(self._interrupt, job_id)

    def wake(self) -> None:
        """Look at the queue now."""
        self._loop.call_soon_threadsafe(self._woken.set)

    def _submit(self, work: Coroutine[Any, Any, Any]) -> concurrent.futures.Future:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _validate(self, check: Callable[[], object]) -> None:
        try:
            await asyncio.to_thread(check)
        except Exception:
            traceback.print_exc()
        self._woken.set()

    def _admit(self, job: TuningJob) -> None:
        stored = self._state.get(StoredFile, job.training_file)
        if stored is not None and stored.status == "uploaded":
            stored = uploads.validate(self._state, stored)
        if stored is None or stored.rows is None:
            why = "the file was deleted" if stored is None else stored.complaint
            return self._fail(job.id, "invalid_training_file", f"The job failed due to an invalid training file: {why}")
        model = self._bases.get(job.model)
        if model is None:
            return self._fail(job.id, "model_not_available", f"{job.model} is not served any more")
        path = str(uploads.path_of(self._state, stored.id))
        try:
            resolved = resolve(job.asked, model, path, job.seed, stored.rows)
        except UserError as error:
            return self._fail(job.id, "invalid_hyperparameters", str(error), "hyperparameters")
        message = f"Files validated ({stored.rows} rows), moving job to queued state"
        changes = {"status": "queued", "shown": resolved.shown, "resolved": as_shown(resolved.config)}
        self._state.move(job.id, ("validating_files",), event(message), **changes)
        return None

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            queued = self._state.jobs_in(("queued",))
            if queued:
                try:
                    await self._attempt(queued[0])
                except Exception as error:
                    traceback.print_exc()
                    self._fail(queued[0].id, "internal_error", f"the server failed: {type(error).__name__}", None)
                continue
            try:
                await asyncio.wait_for(self._woken.wait(), _IDLE_SECONDS)
            except TimeoutError:
                close_workers()

    async def _attempt(self, job: TuningJob) -> None:
        """Train one job. Who interrupts it has changed its status before; if the server stops, it is queued again."""
        if not self._state.move(job.id, ("queued",), event("Fine-tuning job started"), status="running"):
            return
        task = asyncio.ensure_future(self._train(job))
        self._current = (job.id, task)
        try:
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            note = event("The server is stopping; the job is back in the queue")
            self._state.move(job.id, ("running",), note, status="queued", estimated_finish=None)
            raise
        finally:
            self._current = None

    async def _train(self, job: TuningJob) -> None:
        losses = _Losses(self._state, job)
        try:
            config = self._config(job)
            trained = await launch_or_retrieve_job(config, losses.add)
            losses.flush()
            report = await asyncio.to_thread(lambda: dict(get_job_info(trained).report))
        except UserError as error:
            complaint = uploads.without_paths(str(error), self._state)
            in_file = job.training_file in complaint
            code, param = ("invalid_training_file", "training_file") if in_file else ("training_failed", None)
            self._fail(job.id, code, complaint, param)
        except Exception as error:
            traceback.print_exc()
            self._fail(job.id, "internal_error", f"training ended by an error of its own: {type(error).__name__}", None)
        else:
            self._succeed(job, trained.id, report)

    def _config(self, job: TuningJob) -> LocalFTJobConfig:
        model = self._bases.get(job.model)
        stored = self._state.get(StoredFile, job.training_file)
        if model is None:
            raise UserError(f"{job.model} is not served any more; start the server with it.")
        if stored is None or job.resolved is None:
            raise UserError(f"{job.training_file}: the file was deleted before the job began; upload it again.")
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in job.resolved.items()}
        return LocalFTJobConfig(model, str(uploads.path_of(self._state, stored.id)), **values)

    def _succeed(self, job: TuningJob, trained: str, report: dict[str, Any]) -> None:
        name = f"ft:{job.model}:mi:{job.suffix or ''}:{job.id.removeprefix('ftjob-')[:8]}"
        losses, now = tuple(report["losses"]), int(time.time())
        with self._state.transaction():
            current = self._state.get(TuningJob, job.id)
            if current is None or current.status != "running":
                return
            results = uploads.keep_results(self._state, job.id, losses)
            self._state.add(TunedModel(name, now, job.model, trained, len(losses), losses[-1], job.id))
            self._state.note(job.id, event(f"New fine-tuned model created: {name}"))
            changes: dict[str, Any] = {"status": "succeeded", "fine_tuned_model": name, "finished": now}
            changes |= {"trained_tokens": report["trained_tokens"], "result_files": (results.id,)}
            done = event("The job has successfully completed")
            self._state.move(job.id, ("running",), done, estimated_finish=None, **changes)

    def _fail(self, job_id: str, code: str, message: str, param: str | None = "training_file") -> None:
        error = {"code": code, "message": message, "param": param}
        changes: dict[str, Any] = {"status": "failed", "error": error, "finished": int(time.time())}
        self._state.move(
            job_id, ("validating_files", "running"), event(message, "error"), estimated_finish=None, **changes
        )

    def _interrupt(self, job_id: str) -> None:
        if self._current is not None and self._current[0] == job_id:
            self._current[1].cancel()

    async def _finish(self) -> None:
        """Wait for everything that was cancelled or is being checked."""
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*others, return_exceptions=True)


class _Losses:
    """The losses of a running job, written down every now and then, with an estimate of its end."""

    def __init__(self, state: State, job: TuningJob) -> None:
        self._state, self._job_id = state, job.id
        self._steps = int((job.resolved or {}).get("n_steps", 1))
        self._started = self._flushed = time.monotonic()
        self._events: list[Any] = []
        self._step = 0
        self._before: int | None = None
        """Steps that were done when this training began: none, unless it goes on from a checkpoint."""

    def add(self, step: int, loss: float) -> None:
        """Note a step."""
        self._step = step
        self._before = step - 1 if self._before is None else self._before
        message = f"Step {step}/{self._steps}: training loss={loss:.2f}"
        data = {"step": step, "train_loss": loss, "total_steps": self._steps}
        self._events.append(event(message, data=data))
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write down what is not written yet."""
        if not self._events:
            return
        done = self._step - (self._before or 0)
        left = (time.monotonic() - self._started) / done * (self._steps - self._step)
        with self._state.transaction():
            self._state.note(self._job_id, *self._events)
            self._state.move(self._job_id, ("running",), estimated_finish=int(time.time() + left))
        self._events, self._flushed = [], time.monotonic()
