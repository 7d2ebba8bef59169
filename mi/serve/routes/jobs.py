"""/v1/fine_tuning/jobs: create, list, retrieve, cancel, pause, resume, events, checkpoints."""

import secrets
import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from mi.serve import hyperparameters, uploads
from mi.serve.context import Context
from mi.serve.data_models import JobStatus, StoredFile, TunedModel, TuningJob
from mi.serve.errors import ApiError, invalid, no_such_job
from mi.serve.objects import checkpoint_object, event_object, job_object, list_object
from mi.serve.routes.common import After, Json, Server, behind
from mi.serve.schemas import JobRequest, Method
from mi.serve.state import event, new_id

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])
JobId = Annotated[str, Path(max_length=64)]
Limit = Annotated[int, Query(ge=1, le=1000)]
_DAY = 24 * 3600
_MOST = 100_000


@router.post("")
def create(body: JobRequest, server: Server) -> Json:
    """Queue a job. Its file is validated, and what "auto" stands for is settled, before it is trained."""
    if body.model not in server.bases:
        message = f"Model {body.model} is not available for fine-tuning or does not exist; this server trains "
        raise invalid(message + ", ".join(server.bases) + ".", "model", "model_not_available")
    _check_file(server, body.training_file, "training_file")
    if body.validation_file is not None:
        _check_file(server, body.validation_file, "validation_file")
    asked = asked_of(body)
    hyperparameters.check(asked, server.bases[body.model])
    job = TuningJob(
        id=new_id("ftjob"),
        created=int(time.time()),
        model=body.model,
        training_file=body.training_file,
        seed=secrets.randbelow(2**31) if body.seed is None else body.seed,
        asked=asked,
        suffix=body.suffix or None,
        metadata=body.metadata,
        validation_file=body.validation_file,
    )
    with server.state.transaction():
        _check_room(server, body.model)
        server.state.add(job)
        server.state.note(job.id, event(f"Created fine-tuning job: {job.id}"), event("Validating training file"))
        if job.validation_file is not None:
            server.state.note(job.id, event("The validation file is kept, but no loss is measured on it", "warn"))
    server.trainer.check_job(job)
    return job_object(job)


@router.get("")
def list_jobs(request: Request, server: Server, limit: Limit = 20, after: After = None) -> Json:
    """The jobs, newest first; `metadata[key]=value` keeps those that carry it."""
    wanted = {
        name[len("metadata[") : -1]: value
        for name, value in request.query_params.items()
        if name.startswith("metadata[") and name.endswith("]")
    }
    page = behind(after, lambda: server.state.page(TuningJob, _MOST if wanted else limit, after))
    found = [job for job in page.items if wanted.items() <= (job.metadata or {}).items()]
    return list_object([job_object(job) for job in found[:limit]], page.has_more or len(found) > limit)


@router.get("/{job_id}")
def retrieve(job_id: JobId, server: Server) -> Json:
    """One job as it is now."""
    return job_object(_find(server, job_id))


@router.post("/{job_id}/cancel")
def cancel(job_id: JobId, server: Server) -> Json:
    """End a job for good."""
    sources: tuple[JobStatus, ...] = ("validating_files", "queued", "running", "paused")
    changes = {"finished": int(time.time()), "estimated_finish": None}
    return _move(server, job_id, sources, "cancelled", "The job was cancelled", changes)


@router.post("/{job_id}/pause")
def pause(job_id: JobId, server: Server) -> Json:
    """Take a job out of the queue, or end its training for now; it begins anew when it is resumed."""
    sources: tuple[JobStatus, ...] = ("validating_files", "queued", "running")
    return _move(server, job_id, sources, "paused", "The job was paused", {"estimated_finish": None})


@router.post("/{job_id}/resume")
def resume(job_id: JobId, server: Server) -> Json:
    """Queue a paused job again."""
    if _find(server, job_id).resolved is not None:
        return _move(server, job_id, ("paused",), "queued", "The job was resumed and is queued", {})
    moved = _move(server, job_id, ("paused",), "validating_files", "The job was resumed", {})
    server.trainer.check_job(_find(server, job_id))
    return moved


@router.get("/{job_id}/events")
def events(job_id: JobId, server: Server, limit: Limit = 20, after: After = None) -> Json:
    """What happened to a job, newest first."""
    _find(server, job_id)
    found, has_more = behind(after, lambda: server.state.events(job_id, limit, after))
    return list_object([event_object(one) for one in found], has_more)


@router.get("/{job_id}/checkpoints")
def checkpoints(job_id: JobId, server: Server, limit: Limit = 10, after: After = None) -> Json:
    """The checkpoints of a job: its end, when it has come there."""
    job = _find(server, job_id)
    tuned = server.state.get(TunedModel, job.fine_tuned_model) if job.fine_tuned_model else None
    return list_object([checkpoint_object(tuned)] if tuned is not None and after is None else [])


def asked_of(body: JobRequest) -> dict[str, Any]:
    """The hyper-parameters of a request, from all the places where they may stand; each may stand in one.

    Raises ApiError for another method than supervised, and for two values of one thing.
    """
    places: list[Mapping[str, Any]] = []
    if isinstance(body.method, Method):
        if body.method.type != "supervised" or body.method.dpo is not None or body.method.reinforcement is not None:
            raise invalid(f"the method {body.method.type!r} is not offered here; use 'supervised'.", "method")
        supervised = body.method.supervised
        if supervised is not None and supervised.hyperparameters is not None:
            places.append(supervised.hyperparameters.model_dump(exclude_none=True))
    elif body.method is not None:
        places.append({"method": body.method})
    if body.hyperparameters is not None:
        places.append(body.hyperparameters.model_dump(exclude_none=True))
    ours = set(hyperparameters.OURS) - {"method"}
    places.append({name: value for name, value in body.model_dump(exclude_none=True).items() if name in ours})
    asked: dict[str, Any] = {}
    for place in places:
        for name, value in place.items():
            if asked.setdefault(name, value) != value:
                raise invalid(f"{name} is given twice, as {asked[name]!r} and {value!r}; give it once.", name)
    return asked


def _check_file(server: Context, file_id: str, param: str) -> None:
    stored = server.state.get(StoredFile, file_id)
    if stored is None:
        raise invalid(f"{param} {file_id}: there is no such file; upload it first.", param, f"invalid_{param}")
    if stored.purpose != uploads.PURPOSE:
        raise invalid(
            f"{file_id} has the purpose {stored.purpose!r}; give one of 'fine-tune'.", param, f"invalid_{param}"
        )


def _check_room(server: Context, model: str) -> None:
    limits = server.settings.limits
    if len(server.state.jobs_in()) >= limits.unfinished_jobs:
        message = f"{limits.unfinished_jobs} jobs are waiting or running; wait until one has ended."
        raise ApiError(429, message, "rate_limit_exceeded")
    if limits.jobs_per_day is None:
        return
    since = time.time() - _DAY
    newest = server.state.page(TuningJob, _MOST).items
    if sum(job.model == model and job.created > since for job in newest) >= limits.jobs_per_day:
        raise ApiError(
            429,
            "This fine-tune request has been rate-limited. Your organization has reached the maximum of "
            f"{limits.jobs_per_day} fine-tuning requests per day for the model '{model}'.",
            "daily_rate_limit_exceeded",
        )


def _find(server: Context, job_id: str) -> TuningJob:
    job = server.state.get(TuningJob, job_id)
    if job is None:
        raise no_such_job(job_id)
    return job


def _move(
    server: Context, job_id: str, sources: tuple[JobStatus, ...], status: JobStatus, said: str, changes: dict[str, Any]
) -> Json:
    """Change a job's status. Raises ApiError (400) where it is in none of `sources`."""
    _find(server, job_id)
    if not server.state.move(job_id, sources, event(said), status=status, **changes):
        raise invalid(f"The job {job_id} is {_find(server, job_id).status}, so it cannot become {status}.", None)
    if status in ("cancelled", "paused"):
        server.trainer.interrupt(job_id)
    server.trainer.wake()
    return job_object(_find(server, job_id))
