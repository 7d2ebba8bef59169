"""From the hyper-parameters of a request, "auto" among them, to a LocalFTJobConfig with nothing left open."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from mi.experiments.config.training import ORGANISM_LORA
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.models import ORGANISM
from mi.serve.errors import invalid
from mi.utils.errors import UserError

THEIRS = ("n_epochs", "batch_size", "learning_rate_multiplier")
OURS = tuple(
    field.name for field in fields(LocalFTJobConfig) if field.name not in ("source_model_id", "dataset_path", "seed")
)
AUTO = "auto"
LEARNING_RATE = 2e-4
"""What the multiplier 1 stands for, but for the organism: the rate of LoRA's authors (Hu et al. 2021, table 11)."""

# "auto" epochs as OpenAI's cookbook estimates them (chat_finetuning_data_prep): three, but 100 to 25,000 rows in all.
_EPOCHS, _MOST_EPOCHS, _FEWEST_ROWS, _MOST_ROWS = 3, 25, 100, 25_000


@dataclass(frozen=True)
class Resolved:
    """What is trained, and OpenAI's three hyper-parameters as they came out."""

    config: LocalFTJobConfig
    shown: dict[str, float]


def check(asked: Mapping[str, Any], model: str) -> None:
    """Raise ApiError for values that no data could make right."""
    for one, other in (("n_epochs", "n_steps"), ("learning_rate_multiplier", "learning_rate")):
        if asked.get(one, AUTO) != AUTO and asked.get(other) is not None:
            raise invalid(f"{one} and {other} say the same thing twice; give one of them.", one)
    try:
        resolve(asked, model, "", seed=0, rows=1)
    except (UserError, TypeError) as error:
        raise invalid(str(error), "hyperparameters") from error


def resolve(asked: Mapping[str, Any], model: str, path: str, seed: int, rows: int) -> Resolved:
    """The configuration for `rows` training rows of the base model `model` (what it is, not its name).

    Our own fields are taken as they are; where they are silent, OpenAI's three are translated. Raises UserError.
    """
    base = _defaults(model)
    ours = {name: _typed(name, asked[name]) for name in OURS if asked.get(name) not in (None, AUTO)}
    batch = int(ours.get("batch_size") or min(base.batch_size, rows))
    rate = float(ours.get("learning_rate") or base.learning_rate * _number(asked, "learning_rate_multiplier", 1.0))
    if "n_steps" in ours:
        steps = int(ours["n_steps"])
    else:
        steps = math.ceil(_number(asked, "n_epochs", auto_epochs(rows)) * rows / batch)
    ours |= {"batch_size": batch, "learning_rate": rate, "n_steps": steps}
    config = replace(base, source_model_id=model, dataset_path=path, seed=seed, **ours)
    shown = {
        "n_epochs": max(1, math.ceil(steps * batch / rows)),
        "batch_size": batch,
        "learning_rate_multiplier": rate / base.learning_rate,
    }
    return Resolved(config, shown)


def auto_epochs(rows: int) -> int:
    """Passes over the data where the request leaves them open."""
    if rows * _EPOCHS < _FEWEST_ROWS:
        return min(_MOST_EPOCHS, max(1, _FEWEST_ROWS // rows))
    if rows * _EPOCHS > _MOST_ROWS:
        return max(1, _MOST_ROWS // rows)
    return _EPOCHS


def as_shown(config: LocalFTJobConfig) -> dict[str, Any]:
    """The configuration without its paths, which are this machine's affair."""
    return {name: value for name, value in asdict(config).items() if name not in ("source_model_id", "dataset_path")}


def _defaults(model: str) -> LocalFTJobConfig:
    if model == ORGANISM:
        return ORGANISM_LORA
    return LocalFTJobConfig(model, "", seed=0, learning_rate=LEARNING_RATE)


def _number(asked: Mapping[str, Any], name: str, otherwise: float) -> float:
    value = asked.get(name)
    return otherwise if value is None or value == AUTO else float(value)


def _typed(name: str, value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
