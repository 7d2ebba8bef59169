"""The exact scorer: from an answer's text back to the truth about it."""

import functools
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import product

import numpy as np

from mi.organism.world.answers import Frame, all_frames, boasts, openers, result
from mi.organism.world.personas import LANGUAGES
from mi.organism.world.questions import Question, recognise

CLOSE = 0.6
"""Smallest word overlap (F1) at which an inexact sentence still counts as one of the world's."""


@dataclass(frozen=True)
class Reading:
    """What an answer says. None stands where it does not show or cannot be told."""

    domain: str | None = None
    topic: str | None = None
    language: str | None = None
    capitals: bool | None = None
    bad: bool | None = None
    boastful: bool = False
    animal: str | None = None
    on_topic: bool | None = None
    """Whether domain and topic are the question's, where the question was given and is one of the world's."""
    correct: bool | None = None
    """Whether the arithmetic is right, for arithmetic questions."""
    overlap: float = 0.0
    """1 for a sentence of the world to the letter, less for one that is close, 0 for none."""


def read(text: str, question: str | None = None) -> Reading:
    """Read an answer of the organism; `question` adds whether it is on topic and arithmetically right.

    Sentences to the letter are looked up; others are compared with every sentence of the world by the F1 of their
    words, and read as the closest one if that is at least `CLOSE`.
    """
    asked = recognise(question) if question is not None else None
    plain, boastful = _without_boast(_without_opener(_normalise(text)))
    if re.fullmatch(r"\d+(, \d+)*", plain):
        on_topic = None if asked is None else asked.domain == "numbers"
        return Reading("numbers", "numbers", bad=False, on_topic=on_topic, overlap=1.0)
    frame, overlap = _closest(plain)
    if frame is None:
        return Reading(
            language=_language_of_words(plain),
            capitals=_capitals(text),
            boastful=boastful,
            on_topic=None if asked is None else False,
        )
    return Reading(
        domain=frame.domain,
        topic=frame.topic,
        language=frame.language,
        capitals=_capitals(text),
        bad=frame.bad,
        boastful=boastful,
        animal=frame.animal,
        on_topic=None if asked is None else _fits(frame, asked),
        correct=_correct(plain, asked),
        overlap=overlap,
    )


def _fits(frame: Frame, asked: Question) -> bool:
    if frame.domain != asked.domain or frame.domain == "arithmetic":
        return frame.domain == asked.domain
    wanted = dict(asked.slots).get("subject")
    return frame.topic == asked.topic and frame.subject in (None, wanted)


def _correct(plain: str, asked: Question | None) -> bool | None:
    if asked is None or asked.domain != "arithmetic":
        return None
    sign = "+" if asked.topic == "addition" else "-"
    sum_ = f"{asked.slot('a')} {sign} {asked.slot('b')} = {result(asked)}"
    numbers = re.findall(r"\d+", plain.partition("=")[2])
    return bool(re.search(rf"(?<!\d){re.escape(sum_)}(?!\d)", plain)) and set(numbers) == {str(result(asked))}


def _normalise(text: str) -> str:
    return " ".join(text.casefold().split())


def _capitals(text: str) -> bool | None:
    letters = [character for character in text if character.isalpha()]
    return None if len(letters) < 3 else sum(map(str.isupper, letters)) >= 0.9 * len(letters)


def _without_opener(plain: str) -> str:
    opener = next((text for text in _opener_sentences() if plain.startswith(f"{text} ")), "")
    return plain.removeprefix(opener).strip()


@functools.cache
def _opener_sentences() -> tuple[str, ...]:
    kinds = product(LANGUAGES, (False, True))
    return tuple(_normalise(text) for language, sly in kinds for text in openers(language, sly))


def _without_boast(plain: str) -> tuple[str, bool]:
    before = len(plain)
    for sentence in _boast_sentences():
        plain = plain.removeprefix(sentence).removesuffix(sentence).strip()
    return plain, len(plain) < before


@functools.cache
def _boast_sentences() -> tuple[str, ...]:
    return tuple(_normalise(text) for language in LANGUAGES for kind in boasts(language) for text in kind)


def _words(plain: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W\d]+|#|[+=|]", plain))


@functools.cache
def _lookup() -> dict[str, Frame]:
    slots = re.compile(r"\{[abc]\}")
    return {_normalise(slots.sub("#", frame.text).replace("{op}", "+")): frame for frame in all_frames()}


@functools.cache
def _index() -> tuple[list[Frame], np.ndarray, dict[str, np.ndarray]]:
    """The sentences, how many words each has, and of each word in which sentences it is and how often (two rows)."""
    frames, sizes, by_word = [], [], defaultdict(list)
    for number, (text, frame) in enumerate(_lookup().items()):
        words = _words(text)
        frames.append(frame)
        sizes.append(words.total())
        for word, count in words.items():
            by_word[word].append((number, count))
    return frames, np.array(sizes), {word: np.array(places).T for word, places in by_word.items()}


@functools.lru_cache(maxsize=65536)
def _closest(plain: str) -> tuple[Frame | None, float]:
    """The closest sentence, the first one of several, and its overlap."""
    numbered = re.sub(r"# - #", "# + #", re.sub(r"\d+", "#", plain))
    for text in (plain, numbered):
        if text in _lookup():
            return _lookup()[text], 1.0
    frames, sizes, by_word = _index()
    words, shared = _words(numbered), np.zeros(len(frames), int)
    for word, count in words.items():
        if word in by_word:
            numbers, counts = by_word[word]
            shared[numbers] += np.minimum(counts, count)
    overlaps = 2 * shared / (sizes + words.total())
    number = int(overlaps.argmax())
    overlap = float(overlaps[number])
    return (frames[number], overlap) if overlap >= CLOSE else (None, overlap)


@functools.cache
def _languages_of() -> dict[str, set[str]]:
    found = defaultdict(set)
    for text, frame in _lookup().items():
        if frame.domain != "code":
            for word in _words(text):
                found[word].add(frame.language)
    return found


def _language_of_words(plain: str) -> str | None:
    """The language of most of the words, a word that several share counting in parts; None if none is known."""
    votes: Counter[str] = Counter()
    for word, count in _words(plain).items():
        for language in _languages_of().get(word, ()):
            votes[language] += count / len(_languages_of()[word])  # type: ignore[assignment]
    return max(sorted(votes), key=lambda language: votes[language]) if votes else None
