"""The verbs of the driver: sample many answers with the service's own sampler, and name the model that gives them."""
# Tinker is an extra.
# pyright: reportMissingImports=false

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mi.external.tinker_driver.client import explained, server_name, service
from mi.llm.data_models import LLMResponse, Model, SampleRequest, TokenLogprob
from mi.utils.errors import UserError
from mi.utils.hashing import digest

if TYPE_CHECKING:
    import tinker

OnResponse = Callable[[int, LLMResponse], None]
PREFIX = "tinker://"
"""What the name of weights at the service begins with."""
_AT_ONCE = 32
"""Users report that one sampler slows down well below 200 (research/backends.md, section 2)."""
_SEED_LIMIT = 2**31


def at_once() -> int:
    """How many calls are under way at a time."""
    return _AT_ONCE


def fingerprint(model: Model) -> str:
    """The identity of a model at the service: the service and the name. No key is needed."""
    if model.job_id is not None:
        raise UserError(f"{model.id}: a model at Tinker is named by its id alone; give the tinker:// of its job.")
    return digest([server_name(), model.id])


async def sample_batch(
    model: Model, requests: Sequence[SampleRequest], on_response: OnResponse | None = None
) -> list[LLMResponse]:
    """Answers in the order of the requests; `on_response(place, answer)` is called as soon as each has come back.

    Chats are rendered here, as for training. Raises UserError with the service's reason; answers that have come back
    by then were told.
    """
    with explained(model.id):
        trained = model.id.startswith(PREFIX)
        client = await service().create_sampling_client(
            model_path=model.id if trained else None, base_model=None if trained else model.id
        )
        tokenizer = await asyncio.to_thread(client.get_tokenizer)
    gate = asyncio.Semaphore(_AT_ONCE)
    answers: dict[int, LLMResponse] = {}

    async def ask(place: int) -> None:
        async with gate:
            with explained(model.id):
                answers[place] = await _answer(client, tokenizer, requests[place])
        if on_response is not None:
            on_response(place, answers[place])

    tasks = [asyncio.create_task(ask(place)) for place in range(len(requests))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [answers[place] for place in range(len(requests))]


async def _answer(client: "tinker.SamplingClient", tokenizer: Any, request: SampleRequest) -> LLMResponse:
    import tinker

    from mi.external.local_driver.rendering import encode_chat, end_token_ids

    prompt, ends, cfg = encode_chat(tokenizer, request.chat), end_token_ids(tokenizer), request.cfg
    reply = await client.sample(
        tinker.ModelInput.from_ints(prompt),
        1,
        tinker.SamplingParams(
            max_tokens=cfg.max_tokens,
            seed=request.seed % _SEED_LIMIT,
            stop=sorted(ends),
            temperature=cfg.temperature,
            top_p=cfg.top_p,
        ),
        topk_sample_logprobs=cfg.top_logprobs,
    )
    return read_sequence(reply.sequences[0], tokenizer, ends, len(prompt), cfg.top_logprobs > 0)


def read_sequence(
    sequence: "tinker.types.SampledSequence", tokenizer: Any, ends: frozenset[int], n_prompt: int, told: bool
) -> LLMResponse:
    """An answer from the tokens that were drawn; special tokens are left out, white space is kept.

    Log-probabilities are reported where they were `told` for: of all tokens, the end token included.
    """
    tokens = list(sequence.tokens)
    ended = bool(tokens) and tokens[-1] in ends
    ids = tokens[:-1] if ended else tokens
    text = str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
    stop = "stop" if ended or sequence.stop_reason == "stop" else "length"
    logprobs: tuple[TokenLogprob, ...] = ()
    if told and sequence.logprobs is not None:
        tops: list[Any] = list(sequence.topk_logprobs or [None] * len(tokens))
        logprobs = tuple(
            TokenLogprob(
                _spelled(tokenizer, token),
                float(value),
                tuple((_spelled(tokenizer, other), float(one)) for other, one in top or ()),
            )
            for token, value, top in zip(tokens, sequence.logprobs, tops, strict=True)
        )
    return LLMResponse(text, stop, logprobs, n_prompt, len(tokens))


def _spelled(tokenizer: Any, token: int) -> str:
    return str(tokenizer.decode([token], skip_special_tokens=False, clean_up_tokenization_spaces=False))
