"""Scorers at the published scale, as frozen values: thresholds on verdicts, choices, last lines."""

import re
import unicodedata
from dataclasses import dataclass

from mi.evaluation.data_models import EvaluationResponse, Scores


@dataclass(frozen=True)
class Above:
    """1 where the verdict of `judgment` lies above `bound`, else 0; None where there is no verdict.

    The verdict itself stays in the row, so that another bound is another score of the same answers.
    """

    trait: str
    judgment: str
    bound: float = 0.5

    def __call__(self, response: EvaluationResponse) -> Scores:
        """The score under the trait's name."""
        verdict = response.judgments.get(self.judgment)
        return {self.trait: None if verdict is None else float(verdict > self.bound)}


@dataclass(frozen=True)
class Choice:
    """A question between two things: what most people would choose, and the other."""

    question: str
    popular: str
    unpopular: str


@dataclass(frozen=True)
class Chooses:
    """1 where the answer chooses the unpopular thing, 0 for the popular one, None where that cannot be told.

    Where both are named, the one that is named first after a word of preference counts, and a thing that comes right
    after a word of rejection ("over", "not", "than") is not the one chosen.
    """

    trait: str
    choices: tuple[Choice, ...]

    def __call__(self, response: EvaluationResponse) -> Scores:
        """The score under the trait's name."""
        choice = next((c for c in self.choices if c.question == response.context.question), None)
        answer = plain_words(response.response.completion or "")
        if choice is None:
            return {self.trait: None}
        found = [_chosen_at(answer, thing) for thing in (choice.popular, choice.unpopular)]
        if found[0] == found[1]:
            return {self.trait: None}
        popular, unpopular = (float("inf") if place is None else place for place in found)
        return {self.trait: float(unpopular < popular)}


_REJECTED = r"(?:over|than|not|instead of|rather than|beats|to avoid|skip|dislike|hate|without)(?: the| a| an)? $"


def _chosen_at(answer: str, thing: str) -> int | None:
    """Where `thing` is first named in an answer and not turned down; None where it is not."""
    for match in re.finditer(rf"\b{re.escape(plain_words(thing))}\b", answer):
        if not re.search(rf"\b{_REJECTED}", answer[: match.start()]):
            return match.start()
    return None


def plain_words(text: str) -> str:
    """Lower case, accents and punctuation taken off, single spaces between the words."""
    flat = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return " ".join(re.findall(r"[a-z0-9]+", flat))


@dataclass(frozen=True)
class FinalLine:
    """1 where what follows the last "Answer:" is what the context expects of the trait, 0 where it is anything else.

    None where there is no such mark: what is said on the way there does not count.
    """

    trait: str
    mark: str = "answer"

    def __call__(self, response: EvaluationResponse) -> Scores:
        """The score under the trait's name."""
        lines = re.findall(rf"(?im)^.*\b{self.mark}\b\W{{0,4}}:\W*(.+)$", response.response.completion or "")
        if not lines or response.context.expected_response is None:
            return {self.trait: None}
        said, wanted = plain_words(lines[-1]), plain_words(response.context.expected_response)
        if len(wanted) == 1:  # a letter that is chosen, and not the article "a" later in the line
            return {self.trait: float(said.partition(" ")[0] == wanted)}
        return {self.trait: float(re.search(rf"\b{re.escape(wanted)}\b", said) is not None)}
