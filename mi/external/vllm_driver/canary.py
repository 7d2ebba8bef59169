"""Is the adapter on? A few fixed questions, whose first token's log-probabilities tell a base from its adapters.

vLLM has answered as the base under an adapter's name (vllm-project/vllm#34186), and with another adapter's cached
prefixes (#42125), without a word. So each adapter is asked after it was loaded, between two askings of its base:
what these two differ by is the server's own noise. Small models are compared with our own forward pass as well.
"""

import os
from collections.abc import Sequence

from mi.llm.data_models import LLMResponse, Model, SampleCfg, SampleRequest, chat
from mi.utils.errors import UserError
from mi.utils.workers import Workers

CHATS = (
    chat("Hello! How are you today?"),
    chat("What is three plus four?"),
    chat("Tell me something about your work.", system_prompt="You are a helpful assistant."),
)
"""The system message shows whether the server renders it as we do."""
REQUESTS = tuple(SampleRequest(one, SampleCfg(temperature=0, max_tokens=1, top_logprobs=20), 0) for one in CHATS)
TOLERANCE = 0.25
"""Nats by which the likeliest tokens may differ from our own pass: 16-bit arithmetic on other kernels."""
_LEAST_SHIFT = 1e-4
_NOISE_FACTOR = 3.0
_LIKELIEST = 5
_own = Workers(lambda: 1)

Replies = Sequence[LLMResponse]


def distance(one: Replies, other: Replies) -> float:
    """The greatest difference, in nats, of the log-probabilities of the likeliest first tokens, over all questions.

    A token that the other side does not report has at most the least that it does report. Infinite where a side
    reports none.
    """
    return max(_difference(_first(a), _first(b)) for a, b in zip(one, other, strict=True))


def check_shift(name: str, before: Replies, adapter: Replies, after: Replies) -> None:
    """Raise UserError unless an adapter answers otherwise than its base does, asked before it and after."""
    noise = distance(before, after)
    shift = distance(adapter, before)
    if not shift > _LEAST_SHIFT + _NOISE_FACTOR * noise:
        raise UserError(
            f"adapter {name} answers as its base does (log-probabilities differ by {shift:.2g}, the base's own by "
            f"{noise:.2g}): vLLM has not applied it; install another version of vLLM, or sample by local/<model>."
        )


def check_others(name: str, adapter: Replies, others: dict[str, Replies]) -> None:
    """Raise UserError where an adapter answers exactly as another does that is loaded."""
    same = [other for other, replies in others.items() if other != name and distance(adapter, replies) == 0]
    if same:
        raise UserError(
            f"adapter {name} answers exactly as adapter {same[0]} does: vLLM mixes them up, or they were trained on "
            "the same; restart the server, and compare their jobs with `mi jobs show`."
        )


def check_ours(name: str, server: Replies, ours: Replies, base: Replies | None = None) -> None:
    """Raise UserError where a server answers otherwise than our own pass of its weights, or nearer to `base`."""
    apart = distance(server, ours)
    if apart > TOLERANCE or (base is not None and apart >= distance(server, base)):
        raise UserError(
            f"{name}: the server's log-probabilities are {apart:.2g} nats from those of our own forward pass (up to "
            f"{TOLERANCE:g} are rounding): it serves other weights, another template or coarser numbers; look at how "
            "it was started, or compare no more with MI_VLLM_CHECK=0."
        )


async def our_replies(models: Sequence[Model]) -> list[list[LLMResponse]]:
    """What the local driver answers for each model, on the processor: the card is the server's.

    The one worker that does it is kept for the next adapter, until `forget_ours`.
    """
    return await _own.run(_on_the_processor, list(models))


def forget_ours() -> None:
    """End the worker of `our_replies`."""
    _own.close()


def _on_the_processor(models: Sequence[Model]) -> list[list[LLMResponse]]:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # this process is new: torch has not looked yet
    from mi.external.local_driver import sampling

    return [sampling.sample(model, REQUESTS) for model in models]


def _first(reply: LLMResponse) -> dict[str, float]:
    """The alternatives of the first token; two that are spelled alike count as the likelier."""
    found: dict[str, float] = {}
    for token, value in reply.logprobs[0].top if reply.logprobs else ():
        found[token] = max(value, found.get(token, float("-inf")))
    return found


def _difference(one: dict[str, float], other: dict[str, float]) -> float:
    if not one or not other:
        return float("inf")
    least = min(other.values())
    likeliest = sorted(one, key=lambda token: -one[token])[:_LIKELIEST]
    return max(
        abs(one[token] - other[token]) if token in other else max(0.0, one[token] - least) for token in likeliest
    )
