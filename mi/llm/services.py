"""Asking a model, whichever backend answers: sample, batch_sample, judge, batch_judge, fingerprint.

Nothing is kept here; the store of mi.evaluation keeps what an evaluation asks.
"""

from collections.abc import Callable, Sequence

from mi.llm.data_models import Chat, Judgment, LLMResponse, Model, SampleCfg, SampleRequest
from mi.llm.identity import call_digest, cfg_json, chat_json
from mi.llm.judging import judge_chat, read_verdict

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
    if model.type == "openai":
        from mi.external.openai_driver import services as remote

        return await remote.sample_batch(model, requests, on_response)
    if model.type == "vllm":
        from mi.external.vllm_driver import services as vllm

        return await vllm.sample_batch(model, requests, on_response)
    if model.type == "tinker":
        from mi.external.tinker_driver import services as tinker

        return await tinker.sample_batch(model, requests, on_response)
    from mi.external.local_driver import services

    return await services.sample_batch(model, requests, on_response)


async def judge(judgment: Judgment, question: str, answer: str, system_prompt: str | None = None) -> float | None:
    """The verdict on one answer, on the judgment's scale; None where the judge gave none that can be read."""
    return (await batch_judge(judgment, [(question, answer)], system_prompt))[0]


async def batch_judge(
    judgment: Judgment, pairs: Sequence[tuple[str, str]], system_prompt: str | None = None
) -> list[float | None]:
    """The verdicts on (question, answer) pairs that stood behind one system prompt, in their order; see `judge`."""
    requests = [request(judge_chat(judgment, *pair, system_prompt), judgment.sample_cfg) for pair in pairs]
    return [read_verdict(judgment, response) for response in await batch_sample(judgment.model, requests)]


def at_once(model: Model) -> int:
    """How many calls a remote endpoint is asked at a time, or a local model in one chunk."""
    if model.type == "openai":
        from mi.external.openai_driver.keys import read_keyring

        return read_keyring().endpoint(model.endpoint).connections
    if model.type == "vllm":
        from mi.external.vllm_driver.services import at_once as vllm_at_once

        return vllm_at_once()
    if model.type == "tinker":
        from mi.external.tinker_driver.services import at_once as tinker_at_once

        return tinker_at_once()
    from mi.external.local_driver.services import CHUNK

    return CHUNK


def check_there(model: Model) -> None:
    """Raise UserError for a local model that is not there and that the hub does not know; nothing is fetched."""
    if model.type in ("local", "vllm"):
        from mi.external.local_driver import models

        models.check_there(model.id)


def notes(model: Model) -> tuple[str, ...]:
    """What is amiss with a local model, as was found when it was last loaded; of a remote one nothing is known."""
    if model.type == "openai":
        return ()
    from mi.external.local_driver import canary

    return canary.notes(model)


def fingerprint(model: Model) -> str:
    """The identity of a model, 32 hexadecimal digits: of a local one its content, of a remote one its endpoint and id.

    Moving a model's files changes nothing. Raises UserError for a model that is not there.
    """
    if model.type == "openai":
        from mi.external.openai_driver import services as remote

        return remote.fingerprint(model)
    if model.type == "vllm":
        from mi.external.vllm_driver.services import fingerprint as of_vllm

        return of_vllm(model)
    if model.type == "tinker":
        from mi.external.tinker_driver.services import fingerprint as of_tinker

        return of_tinker(model)
    from mi.external.local_driver import models

    return models.fingerprint(model)
