"""The nouns of local fine-tuning: absolute hyper-parameters and nothing left to chance."""

from dataclasses import dataclass
from typing import Literal

from mi.utils.errors import UserError


@dataclass(frozen=True)
class LocalFTJobConfig:
    """A fine-tuning run on this machine, fully resolved. `source_model_id` is "organism", a path or a hub id."""

    source_model_id: str
    dataset_path: str
    seed: int
    """Drives initialisation of the adapter, the order of the rows, and dropout."""
    method: Literal["lora", "full"] = "lora"
    n_steps: int = 100
    """Optimiser steps; rows are reshuffled each time they are used up."""
    batch_size: int = 16
    learning_rate: float = 1e-3
    warmup_steps: int = 5
    schedule: Literal["linear", "constant"] = "linear"
    weight_decay: float = 0.0
    gradient_clip: float = 1.0
    lora_rank: int = 8
    lora_alpha: int = 16
    lora_targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    max_length: int | None = None
    """Tokens a row; None takes the model's context length."""
    long_rows: Literal["refuse", "leave_out"] = "refuse"
    """What to do with longer rows: refuse the file, or count them, name their lines and train without them."""

    def __post_init__(self) -> None:
        if min(self.n_steps, self.batch_size, self.lora_rank) < 1 or self.learning_rate <= 0:
            raise UserError("n_steps, batch_size and lora_rank must be at least 1 and learning_rate above 0.")
        if not isinstance(self.lora_targets, str):  # a list, as JSON gives it, names the same layers
            object.__setattr__(self, "lora_targets", tuple(self.lora_targets))
