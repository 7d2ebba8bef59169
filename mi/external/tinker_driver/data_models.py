"""The nouns of training with Tinker: absolute hyper-parameters, as far as the service has them."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from mi.utils.errors import UserError


@dataclass(frozen=True)
class TinkerFTJobConfig:
    """A LoRA fine-tuning with Tinker. Fields that `LocalFTJobConfig` has mean what they mean there.

    The service sets the adapter's scale itself, so there is no lora_alpha.
    """

    source_model_id: str
    """A base model by the service's name, for instance "Qwen/Qwen3-8B"; its tokenizer is had from the hub."""
    dataset_path: str
    seed: int
    """Drives the order of the rows here and the adapter's initialisation there; the service's arithmetic is its own."""
    n_steps: int = 100
    batch_size: int = 16
    learning_rate: float = 1e-3
    warmup_steps: int = 5
    schedule: Literal["linear", "constant"] = "linear"
    weight_decay: float = 0.0
    gradient_clip: float = 1.0
    lora_rank: int = 8
    train_mlp: bool = True
    train_attn: bool = True
    train_unembed: bool = False
    """As "all-linear" of the local backend, which leaves the output layer alone."""
    max_length: int | None = None
    """Tokens a row; None takes what the tokenizer says the model reads."""
    long_rows: Literal["refuse", "leave_out"] = "refuse"
    checkpoint_every: int = 20
    """Steps after which the state is saved at the service: a client that was killed repeats fewer. Changes nothing."""

    def __post_init__(self) -> None:
        whole = min(self.n_steps, self.batch_size, self.lora_rank, self.checkpoint_every)
        if not self.source_model_id or whole < 1 or self.learning_rate <= 0:
            raise UserError(
                "source_model_id must be named, n_steps, batch_size, lora_rank and checkpoint_every at least 1 and "
                "learning_rate above 0."
            )

    def settings(self) -> dict[str, Any]:
        """What changes the outcome, but for the data and the base."""
        placed = ("source_model_id", "dataset_path", "checkpoint_every")
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in placed}

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return dataclasses.asdict(self)
