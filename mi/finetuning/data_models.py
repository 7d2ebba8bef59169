"""The nouns of fine-tuning: a job, its attempts on a server, and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.openai_driver.data_models import OpenAIFTJobConfig
from mi.external.tinker_driver.data_models import TinkerFTJobConfig

FTJobConfig = LocalFTJobConfig | OpenAIFTJobConfig | TinkerFTJobConfig
JobStatus = Literal[
    "unknown", "begun", "waiting", "queued", "running", "paused", "finished", "failed", "cancelled", "refused"
]
"""unknown: never launched, or forgotten. begun: is being launched or trained here, or was cut off and will be taken up
again. waiting: the server's limits let no job in yet. refused: by the provider's moderation. The last four are
outcomes."""

OUTCOMES: tuple[JobStatus, ...] = ("finished", "failed", "cancelled", "refused")
LIVE: tuple[JobStatus, ...] = ("begun", "waiting", "queued", "running", "paused")


@dataclass(frozen=True)
class FinetuningJob:
    """A job, known by the content of its data, its base model and its configuration."""

    id: str
    config: FTJobConfig


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is, as far as its backend tells."""

    step: int | None = None
    total_steps: int | None = None
    loss: float | None = None
    """Of the last step told, in nats a token."""
    trained_tokens: int | None = None
    seconds_left: float | None = None
    event: str | None = None
    """What the backend said last."""


@dataclass(frozen=True)
class JobInfo:
    """What is on disk of a job."""

    job: FinetuningJob
    status: JobStatus
    folder: Path
    """The folder of a local job, the record's file of a remote one."""
    report: Mapping[str, Any] = field(default_factory=dict)
    """What the training kept: of a local job `training.json` (rows, tokens, seconds, loss curve, examples), of a remote
    one its resolved hyper-parameters and the names of its owner, job, file and model; empty unless there is any."""
    reason: str | None = None
    """Why the job waits, or why it has the outcome that it has."""
    progress: TrainingProgress = field(default_factory=TrainingProgress)


@dataclass(frozen=True)
class Attempt:
    """One try of a remote job. Each field is on disk before the next step is taken."""

    number: int
    """From 1; it travels with the job as metadata, so that a retried job is told from its predecessor."""
    status: JobStatus = "begun"
    begun_at: float = 0.0
    """Unix seconds."""
    key: str | None = None
    """The name of the API key whose the file and the job are; None until something is about to be sent."""
    organization: str | None = None
    file_id: str | None = None
    creating: bool = False
    """The request for the job may have been sent, and no answer was read yet."""
    remote_id: str | None = None
    model: str | None = None
    """The fine-tuned model's name."""
    reason: str | None = None
    wait_until: float | None = None
    resolved: Mapping[str, Any] = field(default_factory=dict)
    """What the server made of the configuration: base model, hyper-parameters, seed."""
    progress: TrainingProgress = field(default_factory=TrainingProgress)
    forgotten: bool = False


@dataclass(frozen=True)
class JobRecord:
    """All that is known of a remote job: what it is, and its attempts, oldest first."""

    id: str
    identity: Mapping[str, Any]
    config: Mapping[str, Any]
    attempts: tuple[Attempt, ...] = ()

    @property
    def current(self) -> Attempt | None:
        """The attempt that counts; None where there was none or the last is forgotten."""
        return self.attempts[-1] if self.attempts and not self.attempts[-1].forgotten else None

    @property
    def server(self) -> str:
        """The name of the server whose job it is."""
        return str(self.identity["server"])
