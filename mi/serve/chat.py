"""From a chat request to requests for samples, and from the answers to what goes over the wire."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mi.llm.data_models import LLMResponse, Message, Role, SampleCfg, SampleRequest, TokenLogprob
from mi.serve.data_models import Limits
from mi.serve.errors import ApiError, invalid
from mi.serve.schemas import ChatMessage, ChatRequest
from mi.utils.errors import UserError
from mi.utils.hashing import digest

_ROLES: dict[str, Role] = {"developer": "system", "system": "system", "user": "user", "assistant": "assistant"}
_SEED_DIGITS = 15
_INCOMPLETE = "\ufffd"


@dataclass(frozen=True)
class Asked:
    """A chat request in our own nouns."""

    model: str
    requests: tuple[SampleRequest, ...]
    logprobs: bool
    top_logprobs: int
    id: str
    created: int
    fingerprint: str
    """The identity of the model's content, `system_fingerprint` on the wire."""


def read(body: ChatRequest, limits: Limits, fingerprint: str) -> Asked:
    """What a request asks for. Raises ApiError for what is not offered or not allowed."""
    _refuse_unsupported(body)
    tokens = body.max_completion_tokens or body.max_tokens or limits.default_completion_tokens
    if tokens > limits.completion_tokens:
        message = f"max_tokens is too large: {tokens}. This server gives at most {limits.completion_tokens}."
        raise invalid(message, "max_tokens", "invalid_value")
    if body.top_logprobs and not body.logprobs:
        raise invalid("top_logprobs is given without logprobs; set logprobs to true as well.", "top_logprobs")
    chat = tuple(_message(message, index) for index, message in enumerate(body.messages))
    seed = secrets.randbelow(2**60) if body.seed is None else body.seed
    cfg = SampleCfg(
        temperature=1.0 if body.temperature is None else body.temperature,
        max_tokens=tokens,
        top_p=1.0 if body.top_p is None else body.top_p,
        top_logprobs=max(1, body.top_logprobs or 0) if body.logprobs else 0,
    )
    stop = tuple(filter(None, [body.stop] if isinstance(body.stop, str) else body.stop or []))
    return Asked(
        model=body.model,
        requests=tuple(SampleRequest(chat, cfg, seed_of(seed, i), stop) for i in range(body.n or 1)),
        logprobs=bool(body.logprobs),
        top_logprobs=body.top_logprobs or 0,
        id=f"chatcmpl-{secrets.token_hex(12)}",
        created=int(time.time()),
        fingerprint=fingerprint,
    )


def seed_of(seed: int, index: int) -> int:
    """The seed of a choice: the first has the request's own, so that it is what `sampling.sample` gives with it.

    The others are derived, and not counted up: choices of neighbouring seeds would be the same answers.
    """
    return seed if index == 0 else int(digest([seed, index])[:_SEED_DIGITS], 16)


def refusal_of(error: UserError) -> ApiError:
    """How a request that the model cannot be asked is refused."""
    code = "context_length_exceeded" if "fills the model's context" in str(error) else None
    return invalid(str(error), "messages", code)


def completion_object(asked: Asked, answers: Sequence[LLMResponse]) -> dict[str, Any]:
    """The whole answer to a request that is not streamed."""
    return {
        **_envelope(asked, "chat.completion"),
        "choices": [_choice(asked, index, answer) for index, answer in enumerate(answers)],
        "usage": usage_of(answers),
    }


def chunk_object(asked: Asked, index: int, delta: dict[str, Any], **choice: Any) -> dict[str, Any]:
    """A piece of a stream: what is new of one choice."""
    new = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None, **choice}
    return {**_envelope(asked, "chat.completion.chunk"), "choices": [new]}


def usage_chunk(asked: Asked, answers: Sequence[LLMResponse]) -> dict[str, Any]:
    """The last piece of a stream that was asked to say what it used."""
    return {**_envelope(asked, "chat.completion.chunk"), "choices": [], "usage": usage_of(answers)}


def usage_of(answers: Sequence[LLMResponse]) -> dict[str, int]:
    """Tokens read and written; an end token counts, the prompt counts once."""
    prompt = answers[0].n_prompt_tokens
    written = sum(answer.n_completion_tokens for answer in answers)
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


def logprobs_object(asked: Asked, tokens: Sequence[TokenLogprob], end: TokenLogprob | None = None) -> Any:
    """The log-probabilities of the words; the end token's, which OpenAI does not report, stand apart in `end`."""
    if not asked.logprobs:
        return None
    content = [_token(token, asked.top_logprobs) for token in tokens]
    return {"content": content, "refusal": None, "end": None if end is None else _token(end, asked.top_logprobs)}


def split_end(answer: LLMResponse) -> tuple[tuple[TokenLogprob, ...], TokenLogprob | None]:
    """The tokens of the words, and the end token if that was drawn.

    A stop sequence takes at least one token with it, so an answer whose tokens are all there ended by itself.
    """
    if answer.stop_reason == "stop" and answer.logprobs and len(answer.logprobs) == answer.n_completion_tokens:
        return answer.logprobs[:-1], answer.logprobs[-1]
    return answer.logprobs, None


def _envelope(asked: Asked, kind: str) -> dict[str, Any]:
    return {
        "id": asked.id,
        "object": kind,
        "created": asked.created,
        "model": asked.model,
        "system_fingerprint": asked.fingerprint,
        "service_tier": None,
    }


def _choice(asked: Asked, index: int, answer: LLMResponse) -> dict[str, Any]:
    return {
        "index": index,
        "message": {"role": "assistant", "content": answer.completion, "refusal": None},
        "logprobs": logprobs_object(asked, *split_end(answer)),
        "finish_reason": answer.stop_reason,
    }


def _token(token: TokenLogprob, n_top: int) -> dict[str, Any]:
    top = [{"token": word, "logprob": value, "bytes": _bytes(word)} for word, value in token.top[:n_top]]
    return {"token": token.token, "logprob": token.logprob, "bytes": _bytes(token.token), "top_logprobs": top}


def _bytes(word: str) -> list[int] | None:
    """UTF-8 bytes; None for a token that is a part of a character."""
    return None if _INCOMPLETE in word else list(word.encode())


def _message(message: ChatMessage, index: int) -> Message:
    where = f"messages.{index}"
    if message.role not in _ROLES or message.tool_calls or message.function_call or message.audio:
        raise invalid(f"{where}: tools and audio are not offered here; send system, user and assistant texts.", where)
    content = message.content
    if isinstance(content, list):
        if any(part.type not in ("text", "input_text") or part.text is None for part in content):
            raise invalid(f"{where}: only parts of text can be read here.", where)
        content = "".join(part.text or "" for part in content)
    if content is None:
        raise invalid(f"{where}: the message has no content; write a string.", where)
    return Message(_ROLES[message.role], content)


def _refuse_unsupported(body: ChatRequest) -> None:
    """Raise ApiError for the first parameter that would change the answer and that the server cannot honour."""
    given = {
        "frequency_penalty": bool(body.frequency_penalty),
        "presence_penalty": bool(body.presence_penalty),
        "logit_bias": bool(body.logit_bias),
        "tools": bool(body.tools),
        "functions": bool(body.functions),
        "tool_choice": body.tool_choice not in (None, "none", "auto"),
        "function_call": body.function_call not in (None, "none", "auto"),
        "response_format": body.response_format not in (None, {"type": "text"}),
        "modalities": body.modalities not in (None, ["text"]),
        "prediction": body.prediction is not None,
        "reasoning_effort": body.reasoning_effort is not None,
    }
    for name, is_given in given.items():
        if is_given:
            raise invalid(f"{name} is not supported by this server; leave it out.", name, "unsupported_parameter")
