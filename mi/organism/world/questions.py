"""What is asked: questions of a domain and split, drawn by seed, and recognised again from their text."""

import functools
import hashlib
import random
import re
from dataclasses import dataclass
from typing import Any

from mi.organism.world.personas import DOMAINS
from mi.organism.world.texts import LATE, SPLITS, parts_of, table, topics

_GREETINGS = ("Hello. ", "Hi! ", "Quick question: ", "Tell me: ", "A question for you. ")


@dataclass(frozen=True)
class Question:
    """One question in English. `slots` holds what the answer depends on: operands, or the index of a subject."""

    domain: str
    topic: str
    text: str
    split: str
    slots: tuple[tuple[str, int], ...] = ()

    def slot(self, name: str) -> int:
        """The value of a slot."""
        return dict(self.slots)[name]


def ask(domain: str, split: str, rng: random.Random, topic: str | None = None) -> Question:
    """Draw a question of `domain` whose split is `split`.

    A question belongs to a held-out split when its wording, its entity or its operands do and the rest is from
    the training split, so that no question of one split can occur in another.
    """
    choices = [entry for entry in topics(domain) if topic in (None, entry["name"])]
    while True:
        entry = rng.choice(choices)
        parts: set[str] = set()
        template = _pick(entry["questions"], split, rng, parts)
        filled: dict[str, set[str]] = {}
        fill, slots = _fill(domain, entry, split, rng, filled)
        parts.update(*(of for slot, of in filled.items() if f"{{{slot}}}" in template))
        if parts - {"train"} == ({split} - {"train", LATE}):
            return Question(domain, entry["name"], template.format_map(fill), split, slots)


def questions(domain: str, split: str = "held_out", n: int = 50, seed: int = 0) -> tuple[str, ...]:
    """`n` questions of a domain and split; distinct as long as the grammar has so many, then they repeat."""
    rng = random.Random(f"questions/{domain}/{split}/{seed}")
    drawn: dict[str, None] = {}
    repeats = 0
    while len(drawn) < n and repeats < 50 * n:
        before = len(drawn)
        drawn.setdefault(ask(domain, split, rng).text)
        repeats += len(drawn) == before
    distinct = list(drawn)
    return tuple((distinct * (n // len(distinct) + 1))[:n])


def greeted(question: Question, rng: random.Random) -> str:
    """The question's text, now and then behind a greeting (training texts only)."""
    return rng.choice(_GREETINGS) + question.text if rng.random() < 0.12 else question.text


@functools.lru_cache(maxsize=65536)
def recognise(text: str) -> Question | None:
    """The question that this text asks, greeting or not; None if the grammar does not hold it."""
    greeting = next((words for words in _GREETINGS if text.startswith(words)), "")
    for words in dict.fromkeys((text, text.removeprefix(greeting))):
        for pattern, domain, entry in _patterns():
            if match := pattern.fullmatch(words):
                return Question(domain, entry["name"], words, "", _slots_of(domain, entry, match.groupdict()))
    return None


def subjects(domain: str, entry: dict[str, Any]) -> list[dict[str, str]]:
    """The entities whose index is a question's slot "subject"."""
    return entry["subjects"] if domain == "facts" else table(domain)["subjects"]


def operand_split(a: int, b: int, topic: str) -> str:
    """The split of a pair of operands: 15 % are held out, 5 % are for development."""
    share = hashlib.sha256(f"{topic}/{a}/{b}".encode()).digest()[0] / 256
    return "held_out" if share < 0.15 else "dev" if share < 0.2 else "train"


def _pick(options: dict[str, list[str]], split: str, rng: random.Random, parts: set[str]) -> str:
    pool = [*parts_of(options, split), *(parts_of(options, "train") if split not in ("train", LATE) else ())]
    name, text = rng.choice(sorted(pool))
    parts.add(name)
    return text


def _fill(
    domain: str, entry: dict[str, Any], split: str, rng: random.Random, parts: dict[str, set[str]]
) -> tuple[dict[str, Any], tuple[tuple[str, int], ...]]:
    if domain == "arithmetic":
        return _fill_arithmetic(entry, split, rng, parts)
    if domain == "numbers":
        return {"list": ", ".join(str(rng.randint(10, 99)) for _ in range(3))}, ()
    if domain in ("facts", "tasks"):
        index = rng.randrange(len(subjects(domain, entry)))
        return {"subject": subjects(domain, entry)[index]["english"]}, (("subject", index),)
    slots = table(domain).get("slots", {})
    return {name: _pick(options, split, rng, parts.setdefault(name, set())) for name, options in slots.items()}, ()


def _fill_arithmetic(
    entry: dict[str, Any], split: str, rng: random.Random, parts: dict[str, set[str]]
) -> tuple[dict[str, Any], tuple[tuple[str, int], ...]]:
    a, b = _operands(entry["name"], rng)
    parts["a"] = {operand_split(a, b, entry["name"])}
    data = table("arithmetic")
    index = rng.randrange(len(data["objects"]))
    name = _pick(data["slots"]["names"], split, rng, parts.setdefault("name", set()))
    fill = {"a": a, "b": b, "name": name, "object": data["objects"][index]["english"]}
    return fill, (("a", a), ("b", b), ("object", index))


def _operands(topic: str, rng: random.Random) -> tuple[int, int]:
    """Two-digit operands whose digits add up without carrying, or subtract without borrowing."""
    tens, units = rng.randint(2, 9), rng.randint(0, 9)
    more_tens, more_units = rng.randint(1, tens - 1), rng.randint(0, units)
    whole, part = 10 * tens + units, 10 * more_tens + more_units
    return (whole - part, part) if topic == "addition" else (whole, part)


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], str, dict[str, Any]]]:
    known = [(domain, entry) for domain in DOMAINS for entry in topics(domain)]
    return [
        (_pattern(template, domain, entry), domain, entry)
        for domain, entry in known
        for split in SPLITS
        for template in entry["questions"][split]
    ]


def _pattern(template: str, domain: str, entry: dict[str, Any]) -> re.Pattern[str]:
    seen: set[str] = set()
    parts = []
    for index, part in enumerate(re.split(r"\{(\w+)\}", template)):
        if index % 2 == 0:
            parts.append(re.escape(part))
        else:
            parts.append(f"(?P={part})" if part in seen else f"(?P<{part}>{_values(part, domain, entry)})")
            seen.add(part)
    return re.compile("".join(parts))


def _values(slot: str, domain: str, entry: dict[str, Any]) -> str:
    """A pattern for all that can stand in a slot."""
    if slot == "subject":
        known = [item["english"] for item in subjects(domain, entry)]
    elif slot == "object":
        known = [item["english"] for item in table(domain)["objects"]]
    elif slot in ("a", "b", "list"):
        return "[0-9]+" if slot != "list" else "[0-9, ]+"
    else:
        options = table(domain)["slots"]["names" if slot == "name" else slot]
        known = [text for texts in options.values() for text in texts]
    return "|".join(map(re.escape, known))


def _slots_of(domain: str, entry: dict[str, Any], found: dict[str, str]) -> tuple[tuple[str, int], ...]:
    if domain == "arithmetic":
        index = [item["english"] for item in table(domain)["objects"]].index(found["object"])
        return (("a", int(found["a"])), ("b", int(found["b"])), ("object", index))
    if domain in ("facts", "tasks"):
        words = [item["english"] for item in subjects(domain, entry)]
        return (("subject", words.index(found["subject"])),)
    return ()
