"""The table of answers, read: one record an answer, and whether a score is there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def records(answers: pd.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    """The answers as mappings; columns that a table lacks are left out."""
    present = [column for column in columns if column in answers]
    # `DataFrame.to_dict("records")` is several times slower: it looks at every value.
    return [
        dict(zip(present, row, strict=True)) for row in zip(*(answers[name].tolist() for name in present), strict=True)
    ]


def number(score: Any) -> float | None:
    """The score, or None where there is none."""
    return None if score is None or math.isnan(score) else float(score)


def question(row: dict[str, Any]) -> tuple[str, str | None]:
    """What was asked, with the system prompt before it: the same words behind another prompt are another question."""
    prompt = row.get("system_prompt")
    return str(row.get("question", "")), prompt if isinstance(prompt, str) else None
