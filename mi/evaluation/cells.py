"""How far a model is with an evaluation: counters that the engine moves and a display reads."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from mi.evaluation.budget import Budget
from mi.evaluation.data_models import Evaluation
from mi.llm.data_models import LLMResponse, Model


@dataclass(eq=False, slots=True)
class Cell:
    """One model under one evaluation. Answers and verdicts of the store count as done but cost nothing."""

    model: Model
    evaluation: Evaluation
    budget: Budget
    answered: int = 0
    stored: int = 0
    in_flight: int = 0
    refused: int = 0
    to_judge: int = 0
    judged: int = 0
    judged_before: int = 0
    tokens: int = 0
    cost: float = 0.0
    has_unpriced: bool = False
    """Whether something was paid for whose price is not known."""
    started: float = field(default_factory=time.monotonic)

    @property
    def planned(self) -> int:
        """Answers."""
        return self.evaluation.n_planned

    def answer(self, response: LLMResponse, fresh: bool, paid: bool) -> None:
        """Count an answer: whether it was asked for now, and is not another's that was paid for already."""
        self.answered += 1
        self.refused += response.completion is None
        self.to_judge += 0 if response.completion is None else len(self.evaluation.judgment_map)
        self.stored += not fresh
        self.in_flight -= fresh
        if paid:
            self._pay(response, self.model)

    def judge(self, response: LLMResponse, model: Model, fresh: bool) -> None:
        """Count a judge's verdict."""
        self.judged += 1
        self.judged_before += not fresh
        if fresh:
            self._pay(response, model)

    def _pay(self, response: LLMResponse, model: Model) -> None:
        self.tokens += response.n_prompt_tokens + response.n_completion_tokens
        self.cost += self.budget.cost(model, response)
        self.has_unpriced = self.has_unpriced or self.budget.price(model) is None

    def seconds_left(self, seconds: float) -> float | None:
        """How long the calls that are left will take, after this many seconds; None where nothing has come yet."""
        done = self.answered - self.stored + self.judged - self.judged_before
        ahead = (self.planned - self.answered) * (1 + len(self.evaluation.judgment_map)) + self.to_judge - self.judged
        return ahead * seconds / done if done else None


class Watch(Protocol):
    """Who shows how far a run is."""

    def watching(self, cells: Sequence[Cell]) -> AbstractContextManager[object]:
        """Show the cells for as long as the block lasts."""
        ...


class Unwatched:
    """Shows nothing."""

    def watching(self, cells: Sequence[Cell]) -> AbstractContextManager[object]:
        """Nothing."""
        return nullcontext()
