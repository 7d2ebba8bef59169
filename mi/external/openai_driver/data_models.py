"""The nouns of OpenAI fine-tuning."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mi.utils.errors import UserError

Auto = Literal["auto"]


@dataclass(frozen=True)
class OpenAIFTJobConfig:
    """A fine-tuning job as OpenAI's API takes it; "auto" leaves a hyper-parameter to the provider."""

    source_model_id: str
    dataset_path: str
    seed: int
    n_epochs: int | Auto = "auto"
    lr_multiplier: float | Auto = "auto"
    batch_size: int | Auto = "auto"
    server_options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Hyper-parameters that only this server knows, sent beside the others; `mi serve` takes LocalFTJobConfig's."""
    endpoint: str | None = None
    """A declared endpoint's name or a base URL, `/v1` included; None takes OPENAI_BASE_URL, or else OpenAI itself."""

    def __post_init__(self) -> None:
        if not self.source_model_id:
            raise UserError("source_model_id is empty; give the name of a model that the server can fine-tune.")
        for name, value in self.hyperparameters().items():
            whole = name != "lr_multiplier"
            fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool) and value > 0
            if value != "auto" and not fits:
                raise UserError(
                    f'{name} is {value!r}; give {"a whole number" if whole else "a number"} above 0 or "auto".'
                )

    def hyperparameters(self) -> dict[str, int | float | str]:
        """What a provider may resolve: n_epochs, lr_multiplier and batch_size."""
        return {name: getattr(self, name) for name in ("n_epochs", "lr_multiplier", "batch_size")}

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class FineTuningKey:
    """One API key that may fine-tune: at which endpoint, in whose name."""

    name: str
    """What records call it; never the key itself."""
    secret: str = field(repr=False)
    endpoint: str
    """The server's base URL, without a slash at its end."""
    organization: str | None = None
    project: str | None = None


@dataclass(frozen=True)
class RemoteFile:
    """An uploaded file as the server describes it."""

    id: str
    name: str
    size: int
    """Bytes."""
    status: str | None
    """"uploaded", "processed", "error", or whatever else a server says."""
    details: str | None = None


@dataclass(frozen=True)
class RemoteJob:
    """A fine-tuning job as the server describes it; times are Unix seconds."""

    id: str
    status: str
    """OpenAI's word, or any other that a server has."""
    base: str
    """The model that the server really trains; an alias is resolved."""
    training_file: str
    fine_tuned_model: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    """n_epochs, lr_multiplier, batch_size; "auto" until the server has resolved it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The whole configuration as it is trained, where a server tells it (`resolved`; `mi serve` does)."""
    seed: int | None = None
    trained_tokens: int | None = None
    created_at: int = 0
    estimated_finish: int | None = None
    organization: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RemoteEvent:
    """Something that a server told of a job, at Unix second `at`; `data` holds step and losses where it tells them."""

    at: int
    level: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class JobRequest:
    """What is asked for when a job is created."""

    config: OpenAIFTJobConfig
    file_id: str
    metadata: Mapping[str, str]
    suffix: str
    """Part of the fine-tuned model's name."""
