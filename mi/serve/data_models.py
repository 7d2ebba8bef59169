"""The nouns of the server: what it may do, and the files, jobs, events and models that it keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mi.external.local_driver.models import ORGANISM
from mi.utils.errors import UserError

FileStatus = Literal["uploaded", "processed", "error"]
JobStatus = Literal["validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"]

UNFINISHED: tuple[JobStatus, ...] = ("validating_files", "queued", "running", "paused")
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What one client may ask of the machine."""

    json_bytes: int = 8 * MEGABYTE
    """The body of a request that is no upload."""
    file_bytes: int = 512 * MEGABYTE
    """An uploaded file; OpenAI's own limit."""
    stored_files: int = 10_000
    unfinished_jobs: int = 100
    jobs_per_day: int | None = None
    """Of one base model in 24 hours; None sets no limit."""
    waiting_answers: int = 4096
    """Answers asked for and not yet drawn, over all requests."""
    completion_tokens: int = 32_768
    """The most that `max_tokens` may ask for; the model's context ends an answer before that."""
    default_completion_tokens: int = 4096
    """Where a request names no `max_tokens`."""


@dataclass(frozen=True)
class ServeSettings:
    """A server before it is started. `models` are "organism", folders or hub ids."""

    models: tuple[str, ...] = (ORGANISM,)
    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any that is free."""
    token: str | None = None
    limits: Limits = field(default_factory=Limits)
    shutdown_dates: Mapping[str, str] = field(default_factory=dict)
    """The date, YYYY-MM-DD, that `/v1/models` announces for a base model and what is made of it."""
    batch_milliseconds: float = 4.0
    """How long a first chat request waits for others to be answered together with it."""

    def __post_init__(self) -> None:
        if not self.models:
            raise UserError("a server needs a base model; give --model organism.")
        if self.token is None and not is_loopback(self.host):
            raise UserError(
                f"{self.host} can be reached from other machines, so a token is required; give --token or set "
                "MI_SERVE_TOKEN, or stay on 127.0.0.1."
            )
        if self.token is not None and not (self.token.isascii() and self.token.isprintable() and self.token.strip()):
            raise UserError("the token is empty or cannot stand in a header; give printable ASCII characters.")
        unknown = sorted(set(self.shutdown_dates) - set(self.bases()))
        if unknown:
            raise UserError(f"--shutdown-date names {unknown[0]}, which is not served; name one of the models.")

    def bases(self) -> dict[str, str]:
        """The name under which each base model is served, and what it is; a folder goes by its own name."""
        found: dict[str, str] = {}
        for model in self.models:
            name = Path(model).expanduser().resolve().name if Path(model).expanduser().is_dir() else model
            if found.setdefault(name, model) != model:
                raise UserError(f"{found[name]} and {model} would both be called {name}; rename one folder.")
        return found


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's alone."""
    import ipaddress

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class StoredFile:
    """An uploaded file, or one with the results of a job. Times are in seconds since 1970."""

    id: str
    created: int
    filename: str
    purpose: str
    size: int
    status: FileStatus = "uploaded"
    complaint: str | None = None
    """Why it cannot be trained on; the sentence names the line."""
    rows: int | None = None


@dataclass(frozen=True)
class TuningJob:
    """A fine-tuning job as it is now."""

    id: str
    created: int
    model: str
    """The name of the base model."""
    training_file: str
    seed: int
    status: JobStatus = "validating_files"
    asked: Mapping[str, Any] = field(default_factory=dict)
    """The hyper-parameters as the client gave them, "auto" and our own fields included."""
    resolved: Mapping[str, Any] | None = None
    """What they became, every field of LocalFTJobConfig but the paths; None before the file is validated."""
    shown: Mapping[str, Any] = field(default_factory=dict)
    """OpenAI's three hyper-parameters, "auto" until they are resolved."""
    suffix: str | None = None
    metadata: Mapping[str, str] | None = None
    validation_file: str | None = None
    finished: int | None = None
    estimated_finish: int | None = None
    fine_tuned_model: str | None = None
    trained_tokens: int | None = None
    result_files: tuple[str, ...] = ()
    error: Mapping[str, str | None] | None = None


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job; `type` "metrics" carries step and train_loss in `data`."""

    id: str
    created: int
    level: Literal["info", "warn", "error"]
    message: str
    type: Literal["message", "metrics"] = "message"
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class TunedModel:
    """A fine-tuned model: its public name, the name of its base, and the job folder that holds it."""

    name: str
    created: int
    base: str
    job_id: str
    """The job of `mi.finetuning`, known by its content."""
    steps: int
    train_loss: float
    tuning_job: str
    """The job of the server that asked for it."""
