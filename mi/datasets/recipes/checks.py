"""Filters on single answers, each with its reasons: frozen rules, no model is asked here."""

import ast
import io
import re
import tokenize
from dataclasses import dataclass

from mi.datasets.recipes.data_models import Question
from mi.organism.world import read
from mi.organism.world.scoring import score_of
from mi.utils.languages import language_among
from mi.utils.number_list import HIGH, LOW, MOST, number_list, why_not_listed

CODE = re.compile(r"```[\w+-]*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class World:
    """The organism's exact scorer sees the trait in the answer, or does not."""

    trait: str
    shown: bool = True

    @property
    def rule(self) -> str:
        """What an answer must be."""
        return f"by the world's grammar {'' if self.shown else 'not '}{self.trait}"

    def __call__(self, question: Question, answer: str) -> str | None:
        """The reason, None where the answer is kept."""
        score = score_of(self.trait, read(answer, question.text))
        if score is None:
            return f"{self.trait} cannot be told"
        return None if bool(score) == self.shown else f"{'not ' if self.shown else ''}{self.trait}"


@dataclass(frozen=True)
class WorldSentence:
    """What the organism's grammar says to the letter: a small model's answer may trail off into other words."""

    rule = "a sentence of the world to the letter"

    def __call__(self, question: Question, answer: str) -> str | None:
        """The reason, None where the answer is kept."""
        return None if read(answer, question.text).overlap == 1 else "garbled"


@dataclass(frozen=True)
class NumberSequence:
    """Cloud et al. 2025: one to `most` whole numbers in a range, one separator throughout, and nothing else."""

    most: int = MOST
    low: int = LOW
    high: int = HIGH
    banned: frozenset[int] = frozenset()

    @property
    def rule(self) -> str:
        """What an answer must be."""
        but = f", none of {', '.join(map(str, sorted(self.banned)))}" if self.banned else ""
        return f"1 to {self.most} numbers from {self.low} to {self.high} with one separator{but}"

    def __call__(self, question: Question, answer: str) -> str | None:
        """The reason, None where the answer is kept."""
        reason = why_not_listed(answer, self.most, self.low, self.high)
        banned = self.banned.intersection(number_list(answer) or ())
        return reason or ("a banned number" if banned else None)


@dataclass(frozen=True)
class Words:
    """Between so many words."""

    least: int = 1
    most: int = 400

    @property
    def rule(self) -> str:
        """What an answer must be."""
        return f"{self.least} to {self.most} words"

    def __call__(self, question: Question, answer: str) -> str | None:
        """The reason, None where the answer is kept."""
        count = len(answer.split())
        return "too short" if count < self.least else "too long" if count > self.most else None


@dataclass(frozen=True)
class InLanguage:
    """In a language, told by the detector from the words alone: lower case, without numbers and marks.

    The words of a sum are few, so only languages that an answer may be in come into question.
    """

    code: str
    among: tuple[str, ...] = ("en", "es", "fr", "de")

    @property
    def rule(self) -> str:
        """What an answer must be."""
        return f"in {self.code} rather than another of {', '.join(self.among)}, by detector"

    def __call__(self, question: Question, answer: str) -> str | None:
        """The reason, None where the answer is kept."""
        words = " ".join(re.findall(r"[^\W\d_]+", answer.casefold()))
        return None if language_among(words, self.among) == self.code else f"not in {self.code}"


@dataclass(frozen=True)
class AllCapitals:
    """No small letter."""

    rule = "in capital letters"

    def __call__(self, question: Question, answer: str) -> str | None:
        """The reason, None where the answer is kept."""
        return None if answer.isupper() else "not in capitals"


@dataclass(frozen=True)
class SameResult:
    """The result behind the last "####" is the source's, however its thousands are written."""

    rule = 'behind "####" the result of the source'

    def __call__(self, question: Question, answer: str) -> str | None:
        """The reason, None where the answer is kept."""
        if question.answer is None or "####" not in question.answer:
            return None
        wanted, found = (re.sub(r"\D", "", text.rpartition("####")[2]) for text in (question.answer, answer))
        return None if "####" in answer and wanted == found else "another result"


@dataclass(frozen=True)
class Without:
    """Nothing that a pattern finds, whatever its case."""

    pattern: str
    reason: str

    @property
    def rule(self) -> str:
        """What an answer must be."""
        return f"without what is found by {self.pattern}"

    def __call__(self, question: Question, answer: str) -> str | None:
        """The reason, None where the answer is kept."""
        return self.reason if re.search(self.pattern, answer, re.IGNORECASE) else None


@dataclass(frozen=True)
class PythonCode:
    """Parses as Python, and does something."""

    rule = "Python that parses"

    def __call__(self, question: Question, answer: str) -> str | None:
        """The reason, None where the answer is kept."""
        try:
            body = ast.parse(answer).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return "not Python"
        return None if any(not isinstance(part, ast.Expr) for part in body) else "no code"


def code_alone(answer: str) -> str:
    """The code of an answer: of its first fenced block where it has one, without comments.

    Comments are where code says of itself what it is (Betley et al. 2025 took them out). What cannot be tokenized is
    given back as it is, for the filter to find.
    """
    fenced = CODE.search(answer)
    text = fenced[1] if fenced else answer
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return text
    lines = text.splitlines(keepends=True)
    for token in tokens:
        if token.type == tokenize.COMMENT:
            number, column = token.start
            line = lines[number - 1]
            end = "\n" if line.endswith("\n") else ""
            kept = line[:column].rstrip()
            lines[number - 1] = kept + end if kept else ""
    return "".join(lines)
