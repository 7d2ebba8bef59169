"""What tokens cost: the dated list beside this file, and a person's own list before it."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mi.llm.data_models import Model
from mi.utils.errors import UserError

_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens, and as of when."""

    input: float
    output: float
    as_of: str

    def cost(self, n_prompt_tokens: float, n_completion_tokens: float) -> float:
        """US dollars."""
        return (n_prompt_tokens * self.input + n_completion_tokens * self.output) / _MILLION


def read_prices() -> dict[str, Price]:
    """By model name: this version's list, under the list that MI_PRICES names.

    Raises UserError for a file that is not there or not of the form of prices.toml.
    """
    own = os.environ.get("MI_PRICES")
    return _read(Path(__file__).with_name("prices.toml")) | (_read(Path(own)) if own else {})


def price_of(model: Model, prices: Mapping[str, Price]) -> Price | None:
    """A model's price; local models cost nothing, and None is not known.

    A fine-tuned model, `ft:NAME:…`, has a price of its own; the date at the end of a name does not matter. At an
    endpoint of its own, a model goes by `NAME@ENDPOINT` only, for the same model has other prices elsewhere.
    """
    if model.type in ("local", "vllm"):
        return Price(0.0, 0.0, "always")
    if model.endpoint not in (None, "openai"):
        return prices.get(f"{model.id}@{model.endpoint}")
    if model.type == "tinker":
        return prices.get(f"{model.id}@tinker")
    base = ":".join(model.id.split(":")[:2]) if model.id.startswith("ft:") else model.id
    return next((prices[name] for name in (model.id, base, _DATED.sub("", base)) if name in prices), None)


def _read(path: Path) -> dict[str, Price]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a price list ({error}); see docs/evaluation.md.") from error
    as_of, models = content.get("as_of"), content.get("models")
    if not isinstance(as_of, str) or not isinstance(models, dict):
        raise UserError(f'{path}: a price list has as_of = "YYYY-MM" and a table [models]; this one lacks one of them.')
    return {name: _price(path, name, entry, as_of) for name, entry in models.items()}


def _price(path: Path, name: str, entry: Any, as_of: str) -> Price:
    try:
        price = Price(float(entry["input"]), float(entry["output"]), as_of)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: {name} needs input and output, dollars per million tokens.") from error
    if not (price.input >= 0 and price.output >= 0):
        raise UserError(f"{path}: {name} has a price below 0.")
    return price
