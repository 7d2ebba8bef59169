"""The nouns of evaluation, frozen: context, evaluation, answered context, scored row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mi.llm.data_models import Chat, Judgment, LLMResponse, SampleCfg, chat
from mi.utils.errors import UserError

__all__ = ["Evaluation", "EvaluationContext", "EvaluationResponse", "EvaluationResultRow", "Judgment", "ScoreFn"]


@dataclass(frozen=True)
class EvaluationContext:
    """One question as it is put: no system prompt (None) and an empty one ("") are two different contexts."""

    question: str
    system_prompt: str | None = None
    expected_response: str | None = None

    def messages(self) -> Chat:
        """The conversation that is sent."""
        return chat(self.question, self.system_prompt)


@dataclass(frozen=True)
class EvaluationResponse:
    """One answer to one context with what the judges said: judgment name -> value in [0, 1], or None."""

    context: EvaluationContext
    response: LLMResponse
    judgments: Mapping[str, float | None] = field(default_factory=dict)


Scores = Mapping[str, float | None]
ScoreFn = Callable[[EvaluationResponse], Scores | float | None]
"""From an answer to scores by trait. A bare float is the score of the only trait; None is a missing score: counted,
never averaged. It is not called for a refusal, whose scores are all None."""


@dataclass(frozen=True)
class Evaluation:
    """A set of questions, how they are sampled, who judges the answers, and what is made of both."""

    id: str
    contexts: tuple[EvaluationContext, ...]
    score_fn: ScoreFn
    n_samples_per_context: int = 1
    sample_cfg: SampleCfg = field(default_factory=SampleCfg)
    judgment_map: Mapping[str, Judgment] = field(default_factory=dict)
    traits: tuple[str, ...] = ("score",)
    """The names that `score_fn` gives."""

    def __post_init__(self) -> None:
        if self.n_samples_per_context < 1:
            raise UserError(f"{self.id}: n_samples_per_context is {self.n_samples_per_context}; give 1 or more.")

    def behind(self, system_prompt: str | None, suffix: str) -> "Evaluation":
        """A copy whose contexts all stand behind `system_prompt`; its id ends in `suffix`."""
        contexts = tuple(replace(context, system_prompt=system_prompt) for context in self.contexts)
        return replace(self, id=f"{self.id}_{suffix}", contexts=contexts)

    def with_questions(self, rewrite: Callable[[str], str], suffix: str) -> "Evaluation":
        """A copy whose questions went through `rewrite`; its id ends in `suffix`."""
        contexts = tuple(replace(context, question=rewrite(context.question)) for context in self.contexts)
        return replace(self, id=f"{self.id}_{suffix}", contexts=contexts)


@dataclass(frozen=True)
class EvaluationResultRow:
    """One scored answer: the n-th sample of a context."""

    context: EvaluationContext
    sample_index: int
    response: LLMResponse
    judgments: Mapping[str, float | None]
    scores: Scores
