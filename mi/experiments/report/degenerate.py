"""Answers that are no answers: empty, cut off at their length, going round in circles, one text for every question."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mi.experiments.pipeline import labels_of
from mi.experiments.report.data_models import Check, Sources

_WORDS, _DISTINCT = 16, 1 / 3
_LETTERS = 20
_SHARE = 0.05
"""Above this share of a model's answers a kind is worth a line."""


def check(sources: Sources) -> Check:
    """The check for answers that are no answers, with a line for each arm and kind that is common."""
    labels, lines = labels_of(sources.experiment), []
    circles: dict[str, bool] = {}
    named = sources.condition_labels
    for arm in sources.arms:
        rows = sources.answers[sources.answers["arm"] == arm]
        answers = [answer for answer in rows["answer"] if isinstance(answer, str)]
        counts = {
            "empty": sum(not answer.strip() for answer in answers),
            "cut off at their length": int((rows["stop_reason"] == "length").sum()),
            "going round in circles": sum(_remembered(circles, answer) for answer in answers),
        }
        for kind, n in counts.items():
            if answers and n > _SHARE * len(answers):
                lines.append(f"{labels.get(arm, arm)}: {n:,} of {len(answers):,} answers {kind}")
        for (condition, seed), of_seed in rows.groupby(["condition", "seed"], sort=False):  # type: ignore[misc]
            where = f", {named[str(condition)].lower()}" if len(named) > 1 else ""
            if told := _one_text(of_seed):
                lines.append(f"{labels.get(arm, arm)}, seed {seed}{where}: {told}")
    found = (
        "Some models do not answer as they should." if lines else "Answers are neither empty, cut off, nor in circles."
    )
    return Check("Answers are answers", "warning" if lines else "ok", found, lines)


def goes_in_circles(answer: str) -> bool:
    """Whether an answer says the same few words again and again, or one letter for ever."""
    words = answer.split()
    if len(words) >= _WORDS and len(set(words)) < _DISTINCT * len(words):
        return True
    return any(letter * _LETTERS in answer for letter in set(answer[-_LETTERS:]) if letter.isalnum())


def _remembered(known: dict[str, bool], answer: str) -> bool:
    if answer not in known:
        known[answer] = goes_in_circles(answer)
    return known[answer]


def _one_text(rows: Any) -> str:
    """A sentence part if more than half of a model's answers, to five questions or more, are one text."""
    counts = Counter(answer for answer in rows["answer"] if isinstance(answer, str))
    if rows["question"].nunique() < 5 or not counts:
        return ""
    (_, n), *_ = counts.most_common(1)
    return f"{n:,} of {len(rows):,} answers are one and the same text" if 2 * n > len(rows) else ""
