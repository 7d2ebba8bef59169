"""What evaluations would ask and cost, and what of it is there already; nothing is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mi.evaluation.budget import Budget, tokens_at_most
from mi.evaluation.data_models import Evaluation
from mi.evaluation.running import Run, Slot, slots_of
from mi.llm.data_models import LLMResponse, Model
from mi.llm.prices import Price, price_of, read_prices
from mi.utils.errors import UserError

_CHARACTERS_A_TOKEN = 4  # of English prose; the usual rule of thumb


@dataclass(frozen=True)
class Estimate:
    """Calls to one model with their tokens and dollars; dollars are None where no price is known."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0
    """Expected: prompts by their length, answers as long as those that are there, or as `max_tokens` where none is."""
    cost_at_most: float | None = 0.0
    """Were every token a byte and every answer as long as `max_tokens`: what `max_cost` reckons with."""

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            None if self.cost is None or other.cost is None else self.cost + other.cost,
            None if self.cost_at_most is None or other.cost_at_most is None else self.cost_at_most + other.cost_at_most,
        )


@dataclass(frozen=True)
class PlannedEvaluation:
    """One model under one evaluation: answers planned and there, and what is still to be asked of it and its judges."""

    model: Model
    evaluation: Evaluation
    planned: int
    stored: int
    answers: Estimate
    judgements: Estimate


def plan_evaluations(
    models: Sequence[Model], evaluations: Sequence[Evaluation], prices: Mapping[str, Price] | None = None
) -> list[PlannedEvaluation]:
    """What `eval` of these would ask, by model and evaluation; a model that does not exist yet has nothing there.

    Each is reckoned by itself: what two share is asked once but counted in both. Raises UserError for bad prices.
    """
    known = read_prices() if prices is None else prices
    slots = slots_of(evaluations)
    plans = []
    for model in dict.fromkeys(models):
        answers = _stored(model, evaluations)
        for place, evaluation in enumerate(evaluations):
            mine = [(slot, answers.get(n)) for n, slot in enumerate(slots) if slot.evaluation == place]
            plans.append(_plan(model, evaluation, mine, known))
    return plans


def _stored(model: Model, evaluations: Sequence[Evaluation]) -> dict[int, tuple[LLMResponse, int]]:
    """By slot: the answer that is there, and how many of its judgments are not."""
    try:
        run = Run([model], evaluations, Budget())
    except UserError:  # not trained yet
        return {}
    run.load()
    return run.stored(0)


def _plan(
    model: Model,
    evaluation: Evaluation,
    slots: Sequence[tuple[Slot, tuple[LLMResponse, int] | None]],
    prices: Mapping[str, Price],
) -> PlannedEvaluation:
    there = [found for _, found in slots if found is not None]
    lengths = [answer.n_completion_tokens for answer, _ in there if answer.n_completion_tokens]
    longest = evaluation.sample_cfg.max_tokens
    length = round(sum(lengths) / len(lengths)) if lengths else longest
    price = price_of(model, prices)
    asking, judging = Estimate(), Estimate()
    for slot, found in slots:
        if found is None:
            characters = sum(len(turn.content) for turn in slot.call.chat)
            asking += _estimate(price, characters, length, tokens_at_most(slot.call))
        if evaluation.judgment_map and (found is None or found[1]):
            answer = length * _CHARACTERS_A_TOKEN if found is None else len(found[0].completion or "")
            judging += _judging(evaluation, len(slot.context.question) + answer, longest, prices)
    return PlannedEvaluation(model, evaluation, len(slots), len(there), asking, judging)


def _judging(evaluation: Evaluation, characters: int, longest: int, prices: Mapping[str, Price]) -> Estimate:
    total = Estimate()
    for judgment in evaluation.judgment_map.values():
        n = len(judgment.template) + characters
        most = (n + longest * _CHARACTERS_A_TOKEN, judgment.sample_cfg.max_tokens)
        total += _estimate(price_of(judgment.model, prices), n, judgment.sample_cfg.max_tokens, most)
    return total


def _estimate(price: Price | None, characters: int, completion_tokens: int, at_most: tuple[int, int]) -> Estimate:
    prompt_tokens = -(-characters // _CHARACTERS_A_TOKEN)
    if price is None:
        return Estimate(1, prompt_tokens, completion_tokens, None, None)
    return Estimate(
        1, prompt_tokens, completion_tokens, price.cost(prompt_tokens, completion_tokens), price.cost(*at_most)
    )
