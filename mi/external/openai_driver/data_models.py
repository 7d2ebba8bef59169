"""The nouns of OpenAI fine-tuning."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class OpenAIFTJobConfig:
    """A fine-tuning job as OpenAI's API takes it; "auto" leaves a hyper-parameter to the provider."""

    source_model_id: str
    dataset_path: str
    seed: int
    n_epochs: int | Literal["auto"] = "auto"
    lr_multiplier: float | Literal["auto"] = "auto"
    batch_size: int | Literal["auto"] = "auto"
