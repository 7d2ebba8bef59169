"""The stage between answers and scores: what the judges say, asked once for each question and answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mi.evaluation.calls import ask, recall
from mi.evaluation.store import Call
from mi.llm.data_models import Judgment, LLMResponse, Model
from mi.llm.judging import judge_chat, read_verdict
from mi.utils.concurrency import all_of


@dataclass(frozen=True)
class Case:
    """An answer that stands before its judges; a refusal (answer None) is not put to them."""

    question: str
    answer: str | None
    judgments: Mapping[str, Judgment]


Verdicts = dict[str, float | None]


@dataclass(frozen=True)
class _Hearing:
    """One case before one judge."""

    case: int
    name: str
    judgment: Judgment
    call: Call


async def judge_cases(cases: Sequence[Case]) -> list[Verdicts]:
    """The verdicts on each case by the judgment's name, None where there is none; one batch for each judge model.

    What a judge said is kept, not what was read from it: a new parser or minimum mass asks for nothing.
    """
    docket = _docket(cases)
    responses = await all_of(ask("judgements", model, [h.call for h in hearings]) for model, hearings in docket.items())
    return _read(cases, docket, responses)


def recall_verdicts(cases: Sequence[Case]) -> list[Verdicts]:
    """As `judge_cases`, from the store alone: None, too, for what was not asked yet."""
    docket = _docket(cases)
    responses = [recall("judgements", model, [h.call for h in hearings]) for model, hearings in docket.items()]
    return _read(cases, docket, responses)


def _docket(cases: Sequence[Case]) -> dict[Model, list[_Hearing]]:
    docket: dict[Model, list[_Hearing]] = {}
    for place, case in enumerate(cases):
        if case.answer is None:
            continue
        for name, judgment in case.judgments.items():
            call = Call(judge_chat(judgment, case.question, case.answer), judgment.sample_cfg)
            docket.setdefault(judgment.model, []).append(_Hearing(place, name, judgment, call))
    return docket


def _read(
    cases: Sequence[Case], docket: Mapping[Model, list[_Hearing]], responses: Sequence[Sequence[LLMResponse | None]]
) -> list[Verdicts]:
    verdicts: list[Verdicts] = [dict.fromkeys(case.judgments) for case in cases]
    for hearings, said in zip(docket.values(), responses, strict=True):
        for hearing, response in zip(hearings, said, strict=True):
            if response is not None:
                verdicts[hearing.case][hearing.name] = read_verdict(hearing.judgment, response)
    return verdicts
