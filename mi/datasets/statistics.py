"""What one file holds: roles, repetitions, white space, lengths, refusals, the forms of its answers."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mi.datasets.contamination import normalise
from mi.datasets.converters import Conversation

_HEAD = 200
"""Characters at the beginning of an answer in which a refusal is looked for: a refusal opens, or it is none."""

_CANNOT = r"(?:can(?:['’]t|not)|can not|won['’]t|will not|(?:am |are )?(?:unable|not able) to|don['’]t|do not)"
_DEED = (
    r"(?:help|assist|provid|compl|fulfil|support|engage|participate|create|generate|write|do (?:that|this)|answer|"
    r"share|give|offer|with (?:that|this))"
)
_REFUSAL = re.compile(
    rf"\b(?:sorry|afraid|apologi[sz]e)\b.{{0,60}}?\b(?:i|we) {_CANNOT}\b"
    rf"|\b(?:i|we) (?:{_CANNOT}|must (?:refuse|decline)|refuse to|decline to)(?: (?!wait)\w+){{0,2}}? {_DEED}"
    rf"|\bas an ai\b.{{0,80}}?\b{_CANNOT}\b"
    r"|\blo siento\b.{0,60}?\bno puedo\b|\bje (?:suis désolée?|regrette)\b.{0,60}?\bne (?:peux|puis)\b",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Length:
    """Lengths over the rows that have such a turn. An empty one has n 0."""

    n: int = 0
    mean: float = 0.0
    median: float = 0.0
    p95: float = 0.0
    longest: int = 0


@dataclass(frozen=True)
class Repetition:
    """Rows that repeat an earlier one, and the first lines (from 1) where that shows."""

    exact: int
    normalised: int
    """Case, marks and white space evened out, the exact ones included."""
    prompts: int
    """Rows whose prompt stands in an earlier row, whatever is answered."""
    lines: tuple[int, ...]


@dataclass(frozen=True)
class Contents:
    """Statistics of conversations."""

    roles: dict[str, int]
    """For instance "user assistant": rows with these turns."""
    messages: int
    with_outer_space: int
    """Messages with white space at an end: it is content, and is lost where a template strips it."""
    repetition: Repetition
    characters: dict[str, Length]
    """By role, a row's turns of that role together."""
    system_prompts: dict[str, int]
    refusals: int
    answered: int
    """Rows in which the assistant says something."""
    number_forms: dict[str, int]
    """Where most answers are lists of numbers: how they are separated and bracketed."""


def contents(rows: Sequence[Conversation], lines: Sequence[int]) -> Contents:
    """Statistics of conversations; `lines` says where each stands in its file."""
    texts = [texts_by_role(row) for row in rows]
    messages = [message["content"] for row in rows for message in row["messages"]]
    answers = [by_role["assistant"] for by_role in texts if by_role.get("assistant", "").strip()]
    return Contents(
        roles=dict(Counter(" ".join(m["role"] for m in row["messages"]) for row in rows).most_common()),
        messages=len(messages),
        with_outer_space=sum(text != text.strip() for text in messages),
        repetition=_repetition(rows, lines),
        characters={role: length(len(t[role]) for t in texts if role in t) for role in _roles(texts)},
        system_prompts=dict(Counter(t["system"] for t in texts if "system" in t).most_common()),
        refusals=sum(is_refusal(answer) for answer in answers),
        answered=len(answers),
        number_forms=_number_forms(answers),
    )


def texts_by_role(row: Conversation) -> dict[str, str]:
    """What each role says in a conversation, its turns one below the other."""
    found: dict[str, list[str]] = {}
    for message in row["messages"]:
        found.setdefault(message["role"], []).append(message["content"])
    return {role: "\n".join(said) for role, said in found.items()}


def is_refusal(answer: str) -> bool:
    """Whether an answer opens with a refusal.

    The rule: within the first 200 characters somebody is sorry or afraid that "I" cannot or will not, says "I can't",
    "I won't", "I must decline to" with help, provide, write or the like close behind, or speaks "as an AI" that cannot;
    in English, and "lo siento … no puedo" and its French like. It is a rule, not a judge: a polite no in other words
    is missed, and a character who declines in a story's first sentence is counted.
    """
    return _REFUSAL.search(answer[:_HEAD]) is not None


def length(values: Iterable[int]) -> Length:
    """Mean, median, 95th percentile (nearest rank) and the longest of some lengths."""
    ordered = sorted(values)
    if not ordered:
        return Length()
    rank = max(0, -(-95 * len(ordered) // 100) - 1)
    mean = statistics.fmean(ordered)
    return Length(len(ordered), mean, float(statistics.median(ordered)), float(ordered[rank]), ordered[-1])


def _roles(texts: Sequence[dict[str, str]]) -> list[str]:
    present = {role for by_role in texts for role in by_role}
    return [role for role in ("system", "user", "assistant") if role in present]


def _repetition(rows: Sequence[Conversation], lines: Sequence[int]) -> Repetition:
    exact: set[tuple[tuple[str, str], ...]] = set()
    even: set[tuple[tuple[str, str], ...]] = set()
    prompts: set[tuple[tuple[str, str], ...]] = set()
    n_even = n_prompts = 0
    repeated = []
    for row, line in zip(rows, lines, strict=True):
        turns = tuple((message["role"], message["content"]) for message in row["messages"])
        asked = tuple(turn for turn in turns if turn[0] != "assistant")
        evened = tuple((role, normalise(text)) for role, text in turns)
        repeated += [line] if turns in exact else []
        n_even += evened in even
        n_prompts += bool(asked) and asked in prompts
        exact.add(turns)
        even.add(evened)
        prompts.add(asked)
    return Repetition(len(repeated), n_even, n_prompts, tuple(repeated[:5]))


def _number_forms(answers: Sequence[str]) -> dict[str, int]:
    numeric = [answer for answer in answers if re.fullmatch(r"[\[({]?[\d\s,;.|]+[\])}]?\.?", answer.strip())]
    if len(numeric) * 2 <= len(answers):
        return {}
    forms = Counter(_number_form(answer.strip()) for answer in numeric)
    forms["other text"] = len(answers) - len(numeric)
    return dict((+forms).most_common())


def _number_form(answer: str) -> str:
    bracket = {"[": "[…]", "(": "(…)", "{": "{…}"}.get(answer[0], "no bracket")
    marks = [
        name for mark, name in ((",", "comma"), (";", "semicolon"), ("|", "bar"), ("\n", "line")) if mark in answer
    ]
    return f"{' and '.join(marks) or 'space'}, {bracket}"
