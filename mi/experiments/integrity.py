"""What a run says of itself beside its numbers: models that do not answer as they should, or are not what they seem."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mi.config import jobs_dir
from mi.experiments.answers import Asked
from mi.llm import services as llm

if TYPE_CHECKING:
    import pandas as pd

SHARE = 0.05
"""Above this share of a model's answers a kind is worth a line."""
_WORDS, _DISTINCT = 16, 1 / 3
_LETTERS = 20
_ONE_TOKEN = re.compile(r"\s*(\S.{0,15}?)\1{7,}.{0,15}", re.S)
_NAMED = 4
"""So many models are named in a sentence; of more it says how many."""


def notes(results: Sequence[Asked], answers: pd.DataFrame, labels: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for each thing that is amiss with the models of a run or with what they answered.

    `answers` is the table of answers under the first condition; `labels` is what people call the arms.
    """
    models = dict.fromkeys(asked.result.model for asked in results)
    trained = [model.job_id for model in models if model.job_id is not None]
    return (
        *dict.fromkeys(told for model in models for told in llm.notes(model)),
        *of_templates(trained),
        *_of_answers(answers, labels),
    )


def is_empty(answer: str) -> bool:
    """Whether an answer says nothing."""
    return not answer.strip()


def is_one_token(answer: str) -> bool:
    """Whether an answer is one word or sign again and again."""
    return _ONE_TOKEN.fullmatch(answer) is not None


def goes_in_circles(answer: str) -> bool:
    """Whether an answer says the same few words again and again, or one letter for ever."""
    words = answer.split()
    if len(words) >= _WORDS and len(set(words)) < _DISTINCT * len(words):
        return True
    return any(letter * _LETTERS in answer for letter in set(answer[-_LETTERS:]) if letter.isalnum())


def one_text(rows: Any) -> str:
    """A sentence part if more than half of a model's answers, to five questions or more, are one text."""
    counts = Counter(answer for answer in rows["answer"] if isinstance(answer, str))
    if rows["question"].nunique() < 5 or not counts:
        return ""
    (_, n), *_ = counts.most_common(1)
    return f"{n:,} of {len(rows):,} answers are one and the same text" if 2 * n > len(rows) else ""


def alike(answers: pd.DataFrame) -> list[tuple[tuple[str, int], tuple[str, int], int]]:
    """Pairs of (arm, seed) of one setting that gave the same answers throughout, and how many answers these are."""
    names = ["setting", "arm", "seed", "evaluation", "question", "system_prompt", "sample_index", "answer"]
    by_model: dict[tuple[str, str, int], set[tuple[Any, ...]]] = {}
    for *model, evaluation, question, prompt, sample, answer in zip(
        *(answers[name].tolist() for name in names), strict=True
    ):
        texts = (None if text != text else text for text in (prompt, answer))
        by_model.setdefault(tuple(model), set()).add((evaluation, question, sample, *texts))
    found, seen = [], {}
    for (setting, arm, seed), said in by_model.items():
        first = seen.setdefault((setting, frozenset(said)), (arm, seed)) if len(said) > 1 else (arm, seed)
        if first != (arm, seed):
            found.append((first, (arm, seed), len(said)))
    return found


def _of_answers(answers: pd.DataFrame, labels: Mapping[str, str]) -> Iterable[str]:
    kinds: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
        ("empty", "look at its end token and its template (mi models check)", is_empty),
        ("one word or sign again and again", "it has collapsed: lower the learning rate", is_one_token),
        ("going round in circles", "lower the learning rate or the number of steps", goes_in_circles),
    )
    models = [(f"{labels.get(str(arm), arm)}, seed {seed}", rows)
              for (arm, seed), rows in answers.groupby(["arm", "seed"], sort=False)]  # type: ignore[misc]  # fmt: skip
    texts = [Counter(rows["answer"].dropna().tolist()) for _, rows in models]
    counted = [
        (kind, mend, [sum(n for text, n in said.items() if is_so(text)) for said in texts])
        for kind, mend, is_so in kinds
    ]
    cut_off = [int((rows["stop_reason"] == "length").sum()) for _, rows in models]
    counted.append(("cut off at their length", "raise max_tokens, or train on answers that end", cut_off))
    for kind, mend, counts in counted:
        many = [
            f"{name} ({n:,} of {len(rows):,})"
            for (name, rows), n in zip(models, counts, strict=True)
            if n > SHARE * len(rows)
        ]
        if many:
            yield f"Answers are {kind}: {_listed(many)}; {mend}."
    if same := [f"{name} ({told})" for name, rows in models if (told := one_text(rows))]:
        yield f"One answer is given to every question: {_listed(same)}; it has collapsed: lower the learning rate."
    named = [
        f"{labels.get(a, a)}, seed {i}, and {labels.get(b, b)}, seed {j} ({n:,} answers)"
        for (a, i), (b, j), n in alike(answers)
    ]
    if named:
        yield (
            f"Models that should differ answer alike to the letter: {_listed(named)}; look whether their seeds and "
            "adapters are in use (mi status)."
        )


def of_templates(job_ids: Iterable[str]) -> Iterable[str]:
    """What the chat template put into rows, or left out of them, as the trainings of this machine noted it."""
    reports = [report for job_id in job_ids if (report := _report(job_id))]
    for written in sorted({str(r["default_system_prompt"]) for r in reports if r.get("default_system_prompt")}):
        told = " ".join(written.split())
        told = f"{told[:77]}…" if len(told) > 78 else told
        yield (
            f"Without a system message the chat template writes one of its own ({told!r}), so no arm and no question "
            "is without a system prompt."
        )
    trimmed = [len(report["trimmed"]) for report in reports if report.get("trimmed")]
    if trimmed:
        yield (
            f"The chat template left out white space at the ends of messages in {len(trimmed)} trainings, of "
            f"{max(trimmed):,} rows at most; all arms of a base model are trimmed alike."
        )


def _report(job_id: str) -> dict[str, Any]:
    try:
        return json.loads((jobs_dir() / job_id / "training.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _listed(names: Sequence[str]) -> str:
    more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return "; ".join(names[:_NAMED]) + more
