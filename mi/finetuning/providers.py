"""What is known of hosted fine-tuning from outside: prices, limits, tokens that are refused, days on which things end.

Each table says where it is from and when it was read. What is not in a table is unknown, and said to be.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

TRAINING_PRICES: Mapping[str, float] = {
    "gpt-4.1-2025-04-14": 25.00,
    "gpt-4.1-mini-2025-04-14": 5.00,
    "gpt-4.1-nano-2025-04-14": 1.50,
    "gpt-4o-2024-08-06": 25.00,
    "gpt-4o-mini-2024-07-18": 3.00,
}
"""US dollars a million trained tokens at OpenAI: developers.openai.com/api/docs/pricing#fine-tuning, as copied into
public sources that were read on 24 November 2026. Tokens are counted once an epoch."""

TINKER_PRICES: Mapping[str, float] = {"Qwen/Qwen3-8B": 0.44}
"""US dollars a million tokens that are trained on at Tinker, as a third party copied its page on 7 October 2026; it was
0.40 in January. Other models have other prices, which are not known here."""

SHUTDOWNS: Mapping[str, datetime.date] = {
    "gpt-4.1-nano-2025-04-14": datetime.date(2026, 10, 23),
    "gpt-4.1-2025-04-14": datetime.date(2027, 1, 14),
    "gpt-4.1-mini-2025-04-14": datetime.date(2027, 1, 14),
    "gpt-4o-2024-08-06": datetime.date(2027, 1, 14),
    "gpt-4o-2024-11-20": datetime.date(2027, 1, 14),
    "gpt-4o-mini-2024-07-18": datetime.date(2027, 1, 14),
}
"""Days on which OpenAI shuts models down, their fine-tuned models with them: OpenAI's page of deprecations (copies of
it, read on 23 November 2026)."""

JOBS_END = datetime.date(2027, 1, 6)
"""From this day nobody can create fine-tuning jobs at OpenAI (reported by several, read on 23 November 2026)."""

_ALIASES = {
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
}


@dataclass(frozen=True)
class FileLimits:
    """What a provider takes of a training file."""

    provider: str
    refused_tokens: tuple[str, ...] = ()
    """Special tokens that may stand in no message."""
    min_rows: int = 1
    max_bytes: int | None = None
    max_row_tokens: int | None = None
    """Longer rows are cut."""


AT_OPENAI = FileLimits(
    "OpenAI",
    refused_tokens=(
        "<|endoftext|>",
        "<|endofprompt|>",
        "<|fim_prefix|>",
        "<|fim_middle|>",
        "<|fim_suffix|>",
        "<|im_start|>",
        "<|im_end|>",
        "<|im_sep|>",
    ),
    min_rows=10,
    max_bytes=512_000_000,
    max_row_tokens=65_536,
)
"""Sizes: the SDK's docstrings and OpenAI's fine-tuning guide. Tokens: the special ones of its tokenizers (tiktoken) and
chat format; that one of them fails a job is reported at github.com/johny-b/llmcomp/issues/59."""

ELSEWHERE = FileLimits("this server")


def limits_at(server: str) -> FileLimits:
    """What a server takes, by the name that jobs know it by."""
    return AT_OPENAI if server == "openai" else ELSEWHERE


def training_price(server: str, model: str) -> float | None:
    """US dollars a million trained tokens; None where it is not known, as at a server of one's own."""
    if server == "tinker":
        return TINKER_PRICES.get(model)
    return TRAINING_PRICES.get(_dated(model)) if server == "openai" else None


def endings(server: str, model: str, announced: str | None = None) -> dict[str, datetime.date]:
    """What will end, as sentences begin, and when. `announced` is the `shutdown_date` that the server itself tells."""
    found: dict[str, datetime.date] = {}
    if announced is not None:
        try:
            found[f"{model} is shut down"] = datetime.date.fromisoformat(announced[:10])
        except ValueError:
            announced = None
    if server != "openai":
        return found
    if announced is None and _dated(model) in SHUTDOWNS:
        found[f"{model} is shut down"] = SHUTDOWNS[_dated(model)]
    return found | {"OpenAI takes no new fine-tuning jobs": JOBS_END}


def _dated(model: str) -> str:
    """A base model's dated name: that of an alias, or of the base of a fine-tuned model."""
    base = model.split(":")[1] if model.startswith("ft:") and model.count(":") >= 2 else model
    return _ALIASES.get(base, base)
