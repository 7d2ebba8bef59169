"""What goes over the wire of a chat-completions API and comes back, as values; nothing is sent here."""

import re
from sys import intern
from typing import Any

import msgspec

from mi.external.openai_driver.endpoints import Capabilities
from mi.llm.data_models import Chat, LLMResponse, SampleRequest, StopReason, TokenLogprob
from mi.utils.errors import UserError

_encoder = msgspec.json.Encoder()
_CHARACTERS_PER_TOKEN = 3
_MOVING = re.compile(r"-(latest|preview)$")
_SNAPSHOT = re.compile(r"([-@:](\d{2,8}|latest|preview|free|beta))*")


class UnreadableReply(Exception):
    """A reply with status 200 that holds no answer; asking again may mend it."""


class WrongModel(Exception):
    """Another model answered than was asked; its message is that model's name."""


class _Alternative(msgspec.Struct):
    token: str
    logprob: float


class _Token(msgspec.Struct):
    token: str
    logprob: float
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] | None = None
    model: str | None = None
    usage: _Usage | None = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Completion)


def request_body(model_id: str, request: SampleRequest, capabilities: Capabilities, n: int = 1) -> bytes:
    """The JSON of a request for `n` answers: no field that the endpoint does not take, and no message but the chat's.

    Raises UserError for a chat or a configuration that the model cannot be asked with.
    """
    cfg = request.cfg
    _check(model_id, request, capabilities)
    body: dict[str, Any] = {
        "model": model_id,
        "messages": [{"role": message.role, "content": message.content} for message in request.chat],
        capabilities.max_tokens_name: cfg.max_tokens,
    }
    if capabilities.temperature:
        body["temperature"] = cfg.temperature
        if cfg.top_p != 1 or capabilities.model_defaults:
            body["top_p"] = cfg.top_p
    if capabilities.model_defaults:
        body |= {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
    if capabilities.seed:
        body["seed"] = request.seed
    if n > 1:
        body["n"] = n
    if top := min(cfg.top_logprobs, capabilities.top_logprobs):
        body |= {"logprobs": top} if capabilities.integer_logprobs else {"logprobs": True, "top_logprobs": top}
    try:
        return _encoder.encode(body)
    except UnicodeEncodeError as error:
        raise UserError(f"{model_id}: a message holds half of a surrogate pair; write whole characters.") from error


def estimated_tokens(request: SampleRequest, n: int = 1) -> float:
    """What a limit on tokens is likely to count for a request: its text, and all that it may be answered."""
    text = sum([len(message.content) for message in request.chat])
    return text / _CHARACTERS_PER_TOKEN + n * request.cfg.max_tokens


def read_reply(payload: bytes, model_id: str, any_model_name: bool = False) -> list[LLMResponse]:
    """The answers of a reply with status 200, at least one; tokens of the prompt are counted with the first.

    Raises UnreadableReply where there is none, and WrongModel where another model answered.
    """
    try:
        reply = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableReply(f"the reply is not a chat completion ({error})") from error
    if not reply.choices:
        raise UnreadableReply("the reply holds no choice")
    if reply.model and not any_model_name and not is_same_model(model_id, reply.model):
        raise WrongModel(reply.model)
    usage = reply.usage or _Usage()
    prompt, completion, n = usage.prompt_tokens or 0, usage.completion_tokens or 0, len(reply.choices)
    return [
        _response(choice, prompt if place == 0 else 0, completion // n + (place < completion % n))
        for place, choice in enumerate(reply.choices)
    ]


def is_same_model(asked: str, answered: str) -> bool:
    """Whether a reply's model name stands for the model asked: the same, or a dated snapshot of it; folders aside."""
    if asked == answered:
        return True
    wanted, given = (name.rsplit("/", 1)[-1].casefold() for name in (asked, answered))
    wanted = _MOVING.sub("", wanted)
    return given.startswith(wanted) and _SNAPSHOT.fullmatch(given[len(wanted) :]) is not None


def filtered() -> LLMResponse:
    """The answer of a provider whose filter took the question or the answer away."""
    return LLMResponse(None, "content_filter")


def _check(model_id: str, request: SampleRequest, capabilities: Capabilities) -> None:
    if not capabilities.temperature and (request.cfg.temperature != 1 or request.cfg.top_p != 1):
        raise UserError(f"{model_id} samples at temperature 1 and top_p 1 only; set both to 1.")
    if not capabilities.system_role and _has_system(request.chat):
        raise UserError(f"{model_id} takes no system message; ask it without one (system_prompt=None).")


def _has_system(chat: Chat) -> bool:
    return any(message.role == "system" for message in chat)


def _response(choice: _Choice, prompt_tokens: int, completion_tokens: int) -> LLMResponse:
    message, reason = choice.message, choice.finish_reason
    if reason == "content_filter":
        return LLMResponse(None, "content_filter", (), prompt_tokens, completion_tokens)
    if message.refusal and not message.content:
        return LLMResponse(None, "refusal", (), prompt_tokens, completion_tokens)
    stop: StopReason = "length" if reason == "length" else "stop"
    logprobs = () if choice.logprobs is None else _logprobs(choice.logprobs)
    return LLMResponse(message.content or "", stop, logprobs, prompt_tokens, completion_tokens)


def _logprobs(given: _Logprobs) -> tuple[TokenLogprob, ...]:
    """Tokens are interned: a judge's twenty alternatives are the same few words a hundred thousand times."""
    if given.content is not None:
        return tuple(
            TokenLogprob(
                intern(token.token),
                token.logprob,
                tuple([(intern(other.token), other.logprob) for other in token.top_logprobs or ()]),
            )
            for token in given.content
        )
    lists = zip(given.tokens or (), given.token_logprobs or (), strict=False)
    tops = [*(given.top_logprobs or ()), *[None] * len(given.tokens or ())]
    return tuple(
        TokenLogprob(intern(token), logprob, tuple((intern(other), value) for other, value in (top or {}).items()))
        for (token, logprob), top in zip(lists, tops, strict=False)
        if logprob is not None
    )
