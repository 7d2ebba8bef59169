"""Running evaluations in three stages that are replayed apart: sampling, judging, scoring."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mi.evaluation.calls import ask, recall
from mi.evaluation.data_models import (
    Evaluation,
    EvaluationContext,
    EvaluationResponse,
    EvaluationResultRow,
    Scores,
)
from mi.evaluation.judges import Case, Verdicts, judge_cases, recall_verdicts
from mi.evaluation.store import Call
from mi.llm.data_models import Chat, LLMResponse, Model
from mi.utils.concurrency import all_of
from mi.utils.errors import UserError

Rows = tuple[EvaluationResultRow, ...]


@dataclass(frozen=True)
class _Slot:
    """One answer that is planned: the n-th sample of a context of an evaluation."""

    evaluation: Evaluation
    context: EvaluationContext
    sample_index: int
    call: Call


async def run_evaluations(model: Model, evaluations: Sequence[Evaluation]) -> list[Rows]:
    """The rows of each evaluation, in order. Only what the store does not hold is asked, in one batch over all."""
    return (await run_all([model], evaluations))[0]


async def run_all(models: Sequence[Model], evaluations: Sequence[Evaluation]) -> list[list[Rows]]:
    """`run_evaluations` for several models at once: what two of them answered alike is judged once.

    Raises UserError for two evaluations of one id, and for a score function that gives what it should not.
    """
    slots = _slots(evaluations)
    answers = await all_of(ask("answers", model, [slot.call for slot in slots]) for model in models)
    pairs = [(slot, answer) for answered in answers for slot, answer in zip(slots, answered, strict=True)]
    verdicts = await judge_cases([_case(*pair) for pair in pairs])
    rows = [_row(*pair, said) for pair, said in zip(pairs, verdicts, strict=True)]
    starts = [number * len(slots) for number in range(len(models))]
    return [_by_evaluation(evaluations, slots, rows[start : start + len(slots)]) for start in starts]


def recall_evaluations(model: Model, evaluations: Sequence[Evaluation]) -> list[Rows]:
    """The rows of each evaluation that the store holds, in order; nothing is asked.

    A row that was never judged has None for its verdicts; a call that was never answered has no row.
    """
    planned = _slots(evaluations)
    answers = recall("answers", model, [slot.call for slot in planned])
    pairs = [(slot, answer) for slot, answer in zip(planned, answers, strict=True) if answer is not None]
    verdicts = recall_verdicts([_case(*pair) for pair in pairs])
    rows = [_row(*pair, said) for pair, said in zip(pairs, verdicts, strict=True)]
    return _by_evaluation(evaluations, [slot for slot, _ in pairs], rows)


def score(evaluation: Evaluation, response: EvaluationResponse) -> dict[str, float | None]:
    """The scores of one answer, one for each trait of the evaluation; all None for a refusal.

    Raises UserError where the score function gives a trait that the evaluation does not name, or no finite number.
    """
    traits = evaluation.traits
    if response.response.completion is None:
        return dict.fromkeys(traits)
    given = evaluation.score_fn(response)
    scores: Scores = {} if given is None else given if isinstance(given, Mapping) else _alone(evaluation, given)
    if unknown := sorted(scores.keys() - set(traits)):
        raise UserError(f"{evaluation.id}: its score_fn gives {', '.join(unknown)}; name them in its traits.")
    if any(value is not None and not math.isfinite(value) for value in scores.values()):
        raise UserError(f"{evaluation.id}: its score_fn gives {dict(scores)}; give finite numbers, or None.")
    return {trait: None if (value := scores.get(trait)) is None else float(value) for trait in traits}


def _alone(evaluation: Evaluation, value: float) -> Scores:
    if len(evaluation.traits) != 1:
        raise UserError(f"{evaluation.id}: its score_fn gives one number for {len(evaluation.traits)} traits.")
    return {evaluation.traits[0]: value}


def _slots(evaluations: Sequence[Evaluation]) -> list[_Slot]:
    repeated = [name for name, count in Counter(evaluation.id for evaluation in evaluations).items() if count > 1]
    if repeated:
        raise UserError(f"{', '.join(repeated)}: two evaluations share this id; give each its own.")
    return [slot for evaluation in evaluations for slot in _slots_of(evaluation)]


def _slots_of(evaluation: Evaluation) -> list[_Slot]:
    """Contexts that send the same messages share the samples of these out, so that each answer is a draw of its own."""
    chats = [context.messages() for context in evaluation.contexts]
    copies, seen = Counter(chats), Counter[Chat]()
    slots: list[_Slot] = []
    for context, chat in zip(evaluation.contexts, chats, strict=True):
        for sample in range(evaluation.n_samples_per_context):
            call = Call(chat, evaluation.sample_cfg, sample * copies[chat] + seen[chat])
            slots.append(_Slot(evaluation, context, sample, call))
        seen[chat] += 1
    return slots


def _case(slot: _Slot, answer: LLMResponse) -> Case:
    return Case(slot.context.question, answer.completion, slot.evaluation.judgment_map)


def _row(slot: _Slot, answer: LLMResponse, verdicts: Verdicts) -> EvaluationResultRow:
    scores = score(slot.evaluation, EvaluationResponse(slot.context, answer, verdicts))
    return EvaluationResultRow(slot.context, slot.sample_index, answer, verdicts, scores)


def _by_evaluation(
    evaluations: Sequence[Evaluation], slots: Sequence[_Slot], rows: Sequence[EvaluationResultRow]
) -> list[Rows]:
    rows_by_id: dict[str, list[EvaluationResultRow]] = {evaluation.id: [] for evaluation in evaluations}
    for slot, row in zip(slots, rows, strict=True):
        rows_by_id[slot.evaluation.id].append(row)
    return [tuple(rows) for rows in rows_by_id.values()]
