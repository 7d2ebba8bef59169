"""The nouns of evaluation, frozen: context, evaluation, answered context, scored row."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mi.llm.data_models import Chat, Judgment, LLMResponse, SampleCfg, Verdict, chat
from mi.utils.errors import UserError

__all__ = [
    "Evaluation",
    "EvaluationContext",
    "EvaluationResponse",
    "EvaluationResultRow",
    "Judgment",
    "ScoreFn",
    "Verdict",
]


@dataclass(frozen=True)
class EvaluationContext:
    """One question as it is put: no system prompt (None) and an empty one ("") are two different contexts."""

    question: str
    system_prompt: str | None = None
    expected_response: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.question, str):
            raise UserError(f"a context's question is {type(self.question).__name__}; give a string.")
        if self.system_prompt is not None and not isinstance(self.system_prompt, str):
            raise UserError(f"a context's system prompt is {type(self.system_prompt).__name__}; give a string or None.")

    def messages(self) -> Chat:
        """The conversation that is sent."""
        return chat(self.question, self.system_prompt)


@dataclass(frozen=True, slots=True)
class EvaluationResponse:
    """One answer to one context with what the judges said: name -> value on the judgment's own scale, or None."""

    context: EvaluationContext
    response: LLMResponse
    judgments: Mapping[str, float | None] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """The same with all that is known of each: why it is None, what the judge wrote, the category's name."""


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
        object.__setattr__(self, "contexts", tuple(self.contexts))
        object.__setattr__(self, "judgment_map", dict(self.judgment_map))
        object.__setattr__(self, "traits", (self.traits,) if isinstance(self.traits, str) else tuple(self.traits))
        if twice := [name for name, count in Counter(self.verdict_names()).items() if count > 1]:
            raise UserError(f"{self.id}: two judgments give a verdict called {twice[0]}; rename one.")

    @property
    def n_planned(self) -> int:
        """How many answers it plans of each model."""
        return len(self.contexts) * self.n_samples_per_context

    def verdict_names(self) -> tuple[str, ...]:
        """The names of all verdicts that its judgments give."""
        return tuple(n for name, judgment in self.judgment_map.items() for n in judgment.verdict_names(name))

    def behind(self, system_prompt: str | None, suffix: str) -> "Evaluation":
        """A copy whose contexts all stand behind `system_prompt`; its id ends in `suffix`."""
        contexts = tuple(replace(context, system_prompt=system_prompt) for context in self.contexts)
        return replace(self, id=f"{self.id}_{suffix}", contexts=contexts)

    def with_questions(self, rewrite: Callable[[str], str], suffix: str) -> "Evaluation":
        """A copy whose questions went through `rewrite`; its id ends in `suffix`."""
        contexts = tuple(replace(context, question=rewrite(context.question)) for context in self.contexts)
        return replace(self, id=f"{self.id}_{suffix}", contexts=contexts)


@dataclass(frozen=True, slots=True)
class EvaluationResultRow:
    """One scored answer: the n-th sample of a context."""

    context: EvaluationContext
    sample_index: int
    response: LLMResponse
    judgments: Mapping[str, float | None]
    scores: Scores
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)

    @property
    def reasons(self) -> dict[str, str]:
        """Why each verdict that is None is."""
        return {name: verdict.reason for name, verdict in self.verdicts.items() if verdict.reason is not None}
