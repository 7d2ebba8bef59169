"""How files, jobs, events and models look on the wire, as OpenAI's API writes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from mi.serve.data_models import JobEvent, ServeSettings, StoredFile, TunedModel, TuningJob
from mi.serve.hyperparameters import AUTO, THEIRS

OWNER = "mi"


def file_object(stored: StoredFile) -> dict[str, Any]:
    """A file; `status_details` says why one cannot be trained on."""
    return {
        "id": stored.id,
        "object": "file",
        "bytes": stored.size,
        "created_at": stored.created,
        "expires_at": None,
        "filename": stored.filename,
        "purpose": stored.purpose,
        "status": stored.status,
        "status_details": stored.complaint,
    }


def job_object(job: TuningJob) -> dict[str, Any]:
    """A job. `resolved` is ours: every hyper-parameter as it is trained with."""
    shown = {name: job.shown.get(name, job.asked.get(name, AUTO)) for name in THEIRS}
    return {
        "id": job.id,
        "object": "fine_tuning.job",
        "created_at": job.created,
        "finished_at": job.finished,
        "estimated_finish": job.estimated_finish,
        "model": job.model,
        "fine_tuned_model": job.fine_tuned_model,
        "organization_id": OWNER,
        "status": job.status,
        "seed": job.seed,
        "training_file": job.training_file,
        "validation_file": job.validation_file,
        "result_files": list(job.result_files),
        "trained_tokens": job.trained_tokens,
        "hyperparameters": shown,
        "method": {"type": "supervised", "supervised": {"hyperparameters": shown}},
        "metadata": job.metadata,
        "integrations": [],
        "user_provided_suffix": job.suffix,
        "error": job.error,
        "resolved": job.resolved,
    }


def event_object(event: JobEvent) -> dict[str, Any]:
    """An event of a job."""
    return {
        "id": event.id,
        "object": "fine_tuning.job.event",
        "created_at": event.created,
        "level": event.level,
        "message": event.message,
        "type": event.type,
        "data": event.data or {},
    }


def checkpoint_object(tuned: TunedModel) -> dict[str, Any]:
    """The one checkpoint of a job: its end."""
    return {
        "id": f"ftckpt_{tuned.tuning_job.removeprefix('ftjob-')}",
        "object": "fine_tuning.job.checkpoint",
        "created_at": tuned.created,
        "fine_tuned_model_checkpoint": tuned.name,
        "fine_tuning_job_id": tuned.tuning_job,
        "step_number": tuned.steps,
        "metrics": {"step": tuned.steps, "train_loss": tuned.train_loss},
    }


def model_object(name: str, base: str, created: int, settings: ServeSettings) -> dict[str, Any]:
    """A model, with the day on which it will be gone, if one was announced for its base."""
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": OWNER,
        "shutdown_date": settings.shutdown_dates.get(base),
    }


def list_object(items: Sequence[Mapping[str, Any]], has_more: bool = False) -> dict[str, Any]:
    """A page of a list."""
    ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]} if items else {"first_id": None, "last_id": None}
    return {"object": "list", "data": list(items), "has_more": has_more, **ends}
