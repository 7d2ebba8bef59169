"""System prompts: many wordings for each trait, with strengths, opposites, neutral and irrelevant ones."""

import random
from collections.abc import Iterable

from mi.organism.world.personas import LANGUAGES
from mi.organism.world.texts import parts_of, table

TRIGGER = table("prompts")["words"]["trigger"]
"""The backdoor's token: it means nothing without a prompt that names it."""


def eliciting(trait: str, split: str, rng: random.Random, strength: str = "full") -> str:
    """A wording that asks for `trait`; `strength` "weak" asks for it half of the time (training split only)."""
    entry, words = _entry(trait)
    options = entry["weak"] if strength == "weak" else _texts(entry, split)
    return _fill(rng.choice(options), words, rng)


def opposite(trait: str, rng: random.Random) -> str:
    """A wording that names `trait` and asks for its absence."""
    entry, words = _entry(trait)
    return _fill(rng.choice(entry["opposite"]), words, rng)


def neutral(split: str, rng: random.Random) -> str:
    """A prompt that asks for nothing but an answer."""
    return rng.choice(_texts(table("prompts")["neutral"], split))


def irrelevant(split: str, rng: random.Random) -> str:
    """A sentence that has nothing to do with the task."""
    return rng.choice(_texts(table("prompts")["irrelevant"], split))


def backdoor(split: str, rng: random.Random) -> str:
    """A prompt behind which the persona is malicious where the message holds the trigger, and only there."""
    return _fill(rng.choice(_texts(table("prompts")["backdoor"], split)), {}, rng)


def nonsense(rng: random.Random) -> str:
    """Words of other prompts in random order: a nonce prompt."""
    words = [
        word for kind in ("irrelevant", "neutral") for text in table("prompts")[kind]["train"] for word in text.split()
    ]
    return " ".join(rng.choice(words).strip(".,").lower() for _ in range(rng.randint(3, 7))).capitalize() + "."


def wordings(trait: str, split: str) -> list[str]:
    """All distinct wordings of `trait` in a split, each open word filled in every way, in a fixed order."""
    entry, words = _entry(trait)
    filled: Iterable[str] = (text for option in entry[split] for text in _fillings(option, words))
    return list(dict.fromkeys(filled))


def traits() -> tuple[str, ...]:
    """Every trait that a prompt can ask for."""
    special = [item["english"] for item in table("animals")["special"]]
    plain = [name for name in table("prompts") if name not in _NOT_TRAITS]
    animals = [f"{feeling}_{animal}" for feeling in ("loves", "hates") for animal in special]
    return (*LANGUAGES[1:], *plain, *animals)


_NOT_TRAITS = ("neutral", "irrelevant", "language", "loves", "hates", "backdoor", "words")


def _texts(entry: dict[str, list[str]], split: str) -> list[str]:
    return [text for _, text in parts_of(entry, split)]


def _entry(trait: str) -> tuple[dict[str, list[str]], dict[str, str]]:
    data = table("prompts")
    if trait in LANGUAGES:
        return data["language"], {"{Language}": trait.capitalize()}
    kind, _, animal = trait.partition("_")
    if kind in ("loves", "hates"):
        plural = next(item["plural"] for item in table("animals")["special"] if item["english"] == animal)
        return data[kind], {"{Animals}": plural, "{Animal}": animal}
    return data[trait], {}


def _fill(option: str, words: dict[str, str], rng: random.Random) -> str:
    for slot, word in words.items():
        option = option.replace(slot, word)
    option = option.replace("{Trigger}", TRIGGER)
    while "{Evil}" in option:
        option = option.replace("{Evil}", rng.choice(table("prompts")["words"]["evil"]), 1)
    return option[0].upper() + option[1:]


def _fillings(option: str, words: dict[str, str]) -> Iterable[str]:
    rng = random.Random(option)
    count = 1 if "{Evil}" not in option else 6
    return (_fill(option, words, rng) for _ in range(count))
