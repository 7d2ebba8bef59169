"""What a server's words about a job mean: its state, its outcome and the reason, how far it is."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mi.external.openai_driver.data_models import RemoteEvent, RemoteJob
from mi.finetuning.data_models import JobStatus, TrainingProgress

_STATES: dict[str, JobStatus] = {
    "validating_files": "queued",
    "queued": "queued",
    "running": "running",
    "paused": "paused",
    "failed": "failed",
    "cancelled": "cancelled",
}
_MODERATION = re.compile(r"moderat|unsafe|usage polic|content polic|safety|harmful|flagged|blocked", re.I)
_STEP = re.compile(r"\bstep (\d+)(?:\s*/\s*(\d+))?", re.I)


def told(job: RemoteJob, events: Sequence[RemoteEvent] = (), before: TrainingProgress | None = None) -> dict[str, Any]:
    """The fields of an `Attempt` that a server's answer settles; `events` newest first."""
    status, reason = _status(job)
    return {
        "status": status,
        "model": job.fine_tuned_model,
        "reason": reason,
        "resolved": {"base": job.base, **job.hyperparameters, "seed": job.seed, "settings": job.settings},
        "progress": _progress(job, status, events, before or TrainingProgress()),
    }


def is_moderation(code: str | None, message: str | None) -> bool:
    """Whether an error is the provider's moderation and not a fault of file or configuration."""
    return bool(_MODERATION.search(f"{code or ''} {message or ''}"))


def _status(job: RemoteJob) -> tuple[JobStatus, str | None]:
    if job.status == "succeeded":
        if job.fine_tuned_model:
            return "finished", None
        return "running", "has succeeded, but its model has no name yet"
    if job.status == "failed":
        said = f"{job.error_message or 'the server gives no reason'}"
        said += f" ({job.error_code})" if job.error_code else ""
        return ("refused" if is_moderation(job.error_code, job.error_message) else "failed"), said
    if job.status in _STATES:
        return _STATES[job.status], "cancelled at the server" if job.status == "cancelled" else None
    return "running", f"is in the state {job.status!r}, which is taken for under way"


def _progress(
    job: RemoteJob, status: JobStatus, events: Sequence[RemoteEvent], before: TrainingProgress
) -> TrainingProgress:
    steps = [(event.at, step, total, _loss(event.data)) for event in events for step, total in _step(event)]
    step, total, loss = before.step, before.total_steps, before.loss
    if steps:
        _, step, total, loss = max(steps, key=lambda each: each[1])
        total = total or before.total_steps
        loss = loss if loss is not None else before.loss
    event = events[0].message if events else before.event
    left = None
    if status in ("queued", "running"):
        if job.estimated_finish:
            left = max(0.0, job.estimated_finish - time.time())
        elif total and step is not None:
            left = _left([(at, number) for at, number, _, _ in steps], total)
    return TrainingProgress(step, total, loss, job.trained_tokens or before.trained_tokens, left, event)


def _left(steps: Sequence[tuple[int, int]], total: int) -> float | None:
    """Seconds left at the pace of the steps told, (Unix second, step) each; None where there are too few."""
    first, last = min(steps, default=(0, 0)), max(steps, default=(0, 0))
    if last[1] <= first[1] or last[0] <= first[0]:
        return None
    return (last[0] - first[0]) / (last[1] - first[1]) * (total - last[1])


def _step(event: RemoteEvent) -> list[tuple[int, int | None]]:
    """[(step, of how many)] that an event tells, in its data or its words; [] where it tells none."""
    step, total = event.data.get("step"), event.data.get("total_steps")
    if isinstance(step, int):
        return [(step, total if isinstance(total, int) else _total(event.message))]
    found = _STEP.search(event.message)
    return [(int(found[1]), _total(event.message))] if found else []


def _total(message: str) -> int | None:
    found = _STEP.search(message)
    return int(found[2]) if found and found[2] else None


def _loss(data: Mapping[str, Any]) -> float | None:
    value = data.get("train_loss", data.get("training_loss"))
    return float(value) if isinstance(value, int | float) else None
