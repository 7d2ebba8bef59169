"""Score functions as frozen values: they compare, hash, print, and travel between processes."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from mi.evaluation.data_models import EvaluationResponse, Scores


@dataclass(frozen=True)
class FromJudgments:
    """The verdicts as scores: each trait is the verdict of the judgment that bears its name."""

    traits: tuple[str, ...]

    def __call__(self, response: EvaluationResponse) -> Scores:
        """The verdict of each trait, None where there is none."""
        return {trait: response.judgments.get(trait) for trait in self.traits}


@dataclass(frozen=True)
class MatchesPattern:
    """1 where the regular expression `pattern` is found in the answer, else 0."""

    trait: str
    pattern: str

    def __call__(self, response: EvaluationResponse) -> Scores:
        """1.0 or 0.0 under the trait's name."""
        return {self.trait: float(bool(re.search(self.pattern, response.response.completion or "")))}


@dataclass(frozen=True)
class Together:
    """The scores of several score functions side by side; each is to give traits of its own."""

    parts: tuple[Callable[[EvaluationResponse], Scores], ...]

    def __call__(self, response: EvaluationResponse) -> Scores:
        """All scores in one mapping; a later part wins where two give one trait."""
        return {trait: value for part in self.parts for trait, value in part(response).items()}
