"""The table of answers, read: one record an answer, and whether a score is there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def columns(answers: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The answers as tuples of these columns; one that the table lacks is None throughout."""
    # Nothing of pandas' own walks along rows as fast as lists do.
    return zip(*(answers[name].tolist() if name in answers else [None] * len(answers) for name in names), strict=True)


def number(score: Any) -> float | None:
    """The score, or None where there is none."""
    return None if score is None or math.isnan(score) else float(score)


def question(words: Any, prompt: Any) -> tuple[str, str | None]:
    """What was asked, with the system prompt before it: the same words behind another prompt are another question."""
    return "" if words is None else str(words), prompt if isinstance(prompt, str) else None
