"""An evaluation of ours as a task of Inspect: the same messages, the same judges, the same scores."""
# Inspect is an extra.
# pyright: reportMissingImports=false

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResponse, EvaluationResultRow
from mi.evaluation.judges import REFUSED
from mi.evaluation.scoring import score
from mi.evaluation.store import Call
from mi.inspect.asking import Askers
from mi.inspect.conversion import config_of, messages_of, response_of
from mi.inspect.needed import require_inspect
from mi.llm.data_models import Judgment, LLMResponse, Verdict
from mi.llm.judging import judge_chat, read_verdicts
from mi.utils.concurrency import all_of

if TYPE_CHECKING:
    from inspect_ai import Task
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import Metric, Scorer
    from inspect_ai.scorer import Score as InspectScore

SCORER = "mi"


def task_of(evaluation: Evaluation) -> Task:
    """Contexts as samples, samples per context as epochs, traits as scores. Raises UserError without Inspect."""
    require_inspect()
    from inspect_ai import Epochs, Task
    from inspect_ai.dataset import MemoryDataset
    from inspect_ai.solver import generate

    samples = [sample_of(place, context) for place, context in enumerate(evaluation.contexts)]
    return Task(
        name=evaluation.id,
        dataset=MemoryDataset(samples, name=evaluation.id),
        solver=generate(),
        scorer=scorer_of(evaluation),
        epochs=Epochs(evaluation.n_samples_per_context),
        config=config_of(evaluation.sample_cfg),
    )


def sample_of(place: int, context: EvaluationContext) -> Sample:
    """A context as a sample; its id is the context's place, from 1."""
    from inspect_ai.dataset import Sample

    return Sample(
        input=messages_of(context.messages()),
        target=context.expected_response or "",
        id=place + 1,
        metadata={"question": context.question, "system_prompt": context.system_prompt},
    )


def scorer_of(evaluation: Evaluation) -> Scorer:
    """Our judges and our score function as a scorer; each trait's mean is that of all answers with a score."""
    from inspect_ai.scorer import Target, scorer
    from inspect_ai.solver import TaskState

    judges = Askers("judgements")

    @scorer(metrics={trait: [answers_mean()] for trait in evaluation.traits}, name=SCORER)
    def scored() -> Scorer:
        async def score_state(state: TaskState, target: Target) -> InspectScore:
            context = evaluation.contexts[int(state.sample_id) - 1]
            response = response_of(state.output)
            verdicts = await _judged(judges, evaluation, context, response)
            judgments = {name: verdict.value for name, verdict in verdicts.items()}
            scores = score(evaluation, EvaluationResponse(context, response, judgments, verdicts))
            return score_of(EvaluationResultRow(context, state.epoch - 1, response, judgments, scores, verdicts))

        return score_state

    return scored()


def score_of(row: EvaluationResultRow) -> InspectScore:
    """A row's scores as Inspect's, with all that the judges said in its metadata; a missing score is NaN, uncounted."""
    from inspect_ai.scorer import Score

    value: dict[str, Any] = {trait: math.nan if given is None else given for trait, given in row.scores.items()}
    metadata = {
        "judgments": dict(row.judgments),
        "reasons": row.reasons,
        "labels": {name: verdict.label for name, verdict in row.verdicts.items() if verdict.label is not None},
        "judge_outputs": {name: verdict.output for name, verdict in row.verdicts.items()},
        "refused": row.response.completion is None,
    }
    explanation = "\n".join(f"{name}: {_told(verdict)}" for name, verdict in row.verdicts.items())
    return Score(value=value, answer=row.response.completion, explanation=explanation or None, metadata=metadata)


def answers_mean() -> Metric:
    """The mean over all answers that have a score: every epoch of every sample counts once, as in our tables."""
    from inspect_ai.scorer import SampleScore, metric

    def over_answers(scores: list[SampleScore]) -> float:
        return sum(score.score.as_float() for score in scores) / len(scores) if scores else math.nan

    # Inspect reads the annotation itself, and takes a string for one of its older interface.
    over_answers.__annotations__["scores"] = list[SampleScore]

    @metric(name="mean", scores="unreduced")
    def mean() -> Metric:
        return over_answers

    return mean()


async def _judged(
    judges: Askers, evaluation: Evaluation, context: EvaluationContext, response: LLMResponse
) -> Mapping[str, Verdict]:
    answer = response.completion
    if answer is None:
        return dict.fromkeys(evaluation.verdict_names(), REFUSED)

    async def one(name: str, judgment: Judgment) -> dict[str, Verdict]:
        asked = judge_chat(judgment, context.question, answer, context.system_prompt)
        return read_verdicts(judgment, await judges.ask(judgment.model, Call(asked, judgment.sample_cfg)), name)

    found = await all_of(one(name, judgment) for name, judgment in evaluation.judgment_map.items())
    return {name: verdict for verdicts in found for name, verdict in verdicts.items()}


def _told(verdict: Verdict) -> str:
    said = "" if verdict.output is None else f" ({verdict.output!r})"
    return f"{verdict.reason if verdict.value is None else f'{verdict.value:g}'}{said}"
