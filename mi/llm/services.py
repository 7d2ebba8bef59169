"""Asking a model, whichever backend answers: sample, batch_sample, judge, batch_judge, fingerprint.

Nothing is kept here; the store of mi.evaluation keeps what an evaluation asks.
"""

from collections.abc import Callable, Sequence

from mi.llm.data_models import Chat, Judgment, LLMResponse, Model, SampleCfg, SampleRequest
from mi.llm.identity import call_digest, cfg_json, chat_json
from mi.llm.judging import judge_chat, read_verdict
from mi.utils.errors import UserError

OnResponse = Callable[[int, LLMResponse], None]
"""Is told the place of a request in its batch and the answer to it, as soon as that has come back."""
_SEED_DIGITS = 15  # 60 bits: an integer that every random generator takes as its seed


def sample_seed(chat: Chat, cfg: SampleCfg, index: int = 0) -> int:
    """The seed of the index-th sample of a conversation, 0 <= seed < 2**60; the model does not enter."""
    return int(call_digest(chat_json(chat), cfg_json(cfg), index)[:_SEED_DIGITS], 16)


def request(chat: Chat, cfg: SampleCfg, index: int = 0) -> SampleRequest:
    """The index-th sample of a conversation, as a request with its own seed."""
    return SampleRequest(chat, cfg, sample_seed(chat, cfg, index))


async def sample(model: Model, chat: Chat, cfg: SampleCfg | None = None) -> LLMResponse:
    """One answer. Raises UserError for a model that cannot be asked."""
    return (await batch_sample(model, [request(chat, cfg or SampleCfg())]))[0]


async def batch_sample(
    model: Model, requests: Sequence[SampleRequest], on_response: OnResponse | None = None
) -> list[LLMResponse]:
    """Answers in the order of the requests. Raises UserError for a model that cannot be asked.

    `on_response(place, answer)` is called for each answer as soon as it has come back, before anything else may fail,
    so that whoever pays for it can keep it; a backend that answers in chunks calls it when a chunk returns.
    """
    if not requests:
        return []
    _check_backend(model)
    from mi.external.local_driver import services

    return await services.sample_batch(model, requests, on_response)


async def judge(judgment: Judgment, question: str, answer: str) -> float | None:
    """The verdict on one answer, in [0, 1]; None where the judge gave none that can be read."""
    return (await batch_judge(judgment, [(question, answer)]))[0]


async def batch_judge(judgment: Judgment, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
    """The verdicts on (question, answer) pairs, in their order; see `judge`."""
    requests = [request(judge_chat(judgment, *pair), judgment.sample_cfg) for pair in pairs]
    return [read_verdict(judgment, response) for response in await batch_sample(judgment.model, requests)]


def fingerprint(model: Model) -> str:
    """The identity of a model's content, 32 hexadecimal digits: moving its files changes nothing.

    Raises UserError for a model that is not there or that no backend knows.
    """
    _check_backend(model)
    from mi.external.local_driver import models

    return models.fingerprint(model)


def _check_backend(model: Model) -> None:
    if model.type != "local":
        raise UserError(
            f"{model.id}: models of type {model.type!r} can be asked once the evaluation engine for APIs is built; "
            'until then give a local one, as in Model("organism", "local").'
        )
