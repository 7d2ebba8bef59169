"""Whether a model is tested on what it was trained on: to the letter, normalised, and by shared runs of words."""

import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

NGRAM = 8
SHARE = 0.7
"""A question is found by words when one training row holds this share of its runs of `NGRAM` words. A question of
four to seven words is one run; a shorter one is too ordinary to be told by its words."""
_SHORTEST = 4


@dataclass(frozen=True)
class Found:
    """A question (its number, from 1) and the place in `texts` (from 0) of the first training row that holds it."""

    question: int
    row: int


@dataclass(frozen=True)
class Overlap:
    """What of some questions stands in training data. Each list is in the order of the questions."""

    n_questions: int
    equal: tuple[Found, ...]
    """A whole turn of the training data is the question, to the letter."""
    inside: tuple[Found, ...]
    """The question stands in a turn to the letter, those that are equal included."""
    normalised: tuple[Found, ...]
    """The same when case, marks, accents' spelling and white space are evened out, the former included."""
    by_words: tuple[Found, ...]
    """One training row holds most of the question's runs of words; see `SHARE`."""
    in_order: bool
    """The questions are the first turns of the training rows, one by one."""


def overlap(questions: Sequence[str], rows: Sequence[Sequence[str]]) -> Overlap:
    """Compare questions with training rows, each a list of its turns' texts."""
    turns = [(number, text) for number, texts in enumerate(rows) for text in texts]
    even = [(number, normalise(text)) for number, text in turns]
    evened = [normalise(question) for question in questions]
    first = [texts[0] if texts else "" for texts in rows]
    normalised = tuple(_inside(evened, even))
    return Overlap(
        len(questions),
        tuple(_equal(questions, turns)),
        tuple(_to_the_letter(questions, turns, normalised)),
        normalised,
        tuple(_by_words(evened, even)),
        in_order=bool(questions) and list(questions) == first,
    )


def normalise(text: str) -> str:
    """Lower case, compatibility forms evened out, words and numbers only, with single spaces between them."""
    even = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", even))


def _equal(questions: Sequence[str], turns: Sequence[tuple[int, str]]) -> Iterator[Found]:
    where: dict[str, int] = {}
    for number, text in turns:
        where.setdefault(text, number)
    for index, question in enumerate(questions, start=1):
        if question.strip() and question in where:
            yield Found(index, where[question])


def _inside(questions: Sequence[str], turns: Sequence[tuple[int, str]]) -> Iterator[Found]:
    """As `question in text`, for normalised texts; only turns that hold the question's rarest word are read."""
    inner = {word for question in questions for word in question.split()[1:-1]}
    holding: dict[str, list[int]] = defaultdict(list)
    for place, (_, text) in enumerate(turns):
        for word in inner.intersection(text.split()):
            holding[word].append(place)
    everywhere = range(len(turns))
    places: dict[str, int | None] = {}
    for question in set(questions):
        # The first and the last word may be parts of longer ones.
        candidates = min((holding[word] for word in question.split()[1:-1]), key=len, default=everywhere)
        places[question] = next((place for place in candidates if question and question in turns[place][1]), None)
    for index, question in enumerate(questions, start=1):
        if (place := places[question]) is not None:
            yield Found(index, turns[place][0])


def _to_the_letter(
    questions: Sequence[str], turns: Sequence[tuple[int, str]], normalised: Sequence[Found]
) -> Iterator[Found]:
    """Those of `normalised` that are found as they are written; no other question can be."""
    among = {found.question: found.row for found in normalised}
    first: dict[int, int] = {}
    for place, (number, _) in enumerate(turns):
        first.setdefault(number, place)
    for index, row in among.items():
        question = questions[index - 1]
        place = next((p for p in range(first[row], len(turns)) if question in turns[p][1]), None)
        if question.strip() and place is not None:
            yield Found(index, turns[place][0])


def _by_words(questions: Sequence[str], turns: Sequence[tuple[int, str]]) -> Iterator[Found]:
    wanted: dict[tuple[str, ...], set[int]] = defaultdict(set)
    runs_of = [set(_runs(question.split())) for question in questions]
    for index, runs in enumerate(runs_of):
        for run in runs:
            wanted[run].add(index)
    lengths = {len(run) for run in wanted}
    first: dict[int, int] = {}
    for number, texts in itertools.groupby(turns, key=lambda turn: turn[0]):
        words_of = [text.split() for _, text in texts]
        shared: Counter[int] = Counter()
        for run in {run for words in words_of for length in lengths for run in _windows(words, length)} & wanted.keys():
            shared.update(wanted[run])
        for index, count in shared.items():
            if index not in first and count >= SHARE * len(runs_of[index]):
                first[index] = number
    for index in sorted(first):
        yield Found(index + 1, first[index])


def _windows(words: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(length)), strict=False)


def _runs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    if len(words) >= _SHORTEST:
        yield from _windows(words, min(NGRAM, len(words)))
