"""The nouns of fine-tuning: a job and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.openai_driver.data_models import OpenAIFTJobConfig

FTJobConfig = LocalFTJobConfig | OpenAIFTJobConfig
JobStatus = Literal["finished", "begun", "unknown"]


@dataclass(frozen=True)
class FinetuningJob:
    """A job, known by the content of its data, its base model and its configuration."""

    id: str
    config: FTJobConfig


@dataclass(frozen=True)
class JobInfo:
    """What is on disk of a job: "begun" is being trained or was cut off and will be trained anew."""

    job: FinetuningJob
    status: JobStatus
    folder: Path
    report: Mapping[str, Any] = field(default_factory=dict)
    """What the training kept (`training.json`): rows, tokens, seconds, loss curve, examples; empty unless finished."""
