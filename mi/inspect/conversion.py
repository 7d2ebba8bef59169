"""Our nouns as Inspect's and back: conversations, answers, log-probabilities, sample configurations."""
# Inspect is an extra.
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mi.llm.data_models import Chat, LLMResponse, Message, SampleCfg, StopReason, TokenLogprob
from mi.utils.errors import UserError

if TYPE_CHECKING:
    from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput

MAX_TOKENS = 2048
"""Of answers to tasks that set no limit of their own, which is Inspect's own default for most providers."""
_REASONS: dict[StopReason, Any] = {
    "stop": "stop",
    "length": "max_tokens",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}


def messages_of(chat: Chat) -> list[ChatMessage]:
    """A conversation as Inspect's messages; an empty system message stays one."""
    from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

    kinds: dict[str, Any] = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
    return [kinds[message.role](content=message.content) for message in chat]


def chat_of(messages: Sequence[ChatMessage]) -> Chat:
    """Inspect's messages as a conversation. Raises UserError for tools, images and sounds."""
    chat = []
    for message in messages:
        if message.role == "tool" or getattr(message, "tool_calls", None):
            raise UserError("this task calls tools, which the provider mi does not; choose one that only asks.")
        parts = [] if isinstance(message.content, str) else message.content
        if any(part.type not in ("text", "reasoning") for part in parts):
            raise UserError("this task shows images, sounds or files, which the provider mi does not; choose another.")
        chat.append(Message(message.role, message.text))
    return tuple(chat)


def config_of(cfg: SampleCfg) -> GenerateConfig:
    """A sample configuration as Inspect's. Without the seed: one seed for all epochs would be one answer for all."""
    from inspect_ai.model import GenerateConfig

    alternatives: dict[str, Any] = {"logprobs": True, "top_logprobs": cfg.top_logprobs} if cfg.top_logprobs else {}
    return GenerateConfig(temperature=cfg.temperature, max_tokens=cfg.max_tokens, top_p=cfg.top_p, **alternatives)


def cfg_of(config: GenerateConfig) -> SampleCfg:
    """Inspect's configuration as ours. Raises UserError for settings that would change answers and cannot be kept."""
    unknown = ("frequency_penalty", "presence_penalty", "logit_bias", "top_k", "best_of", "response_schema")
    if given := [name for name in unknown if getattr(config, name) is not None]:
        raise UserError(f"this task sets {', '.join(given)}, which the provider mi does not know; leave it out.")
    return SampleCfg(
        temperature=1.0 if config.temperature is None else config.temperature,
        max_tokens=config.max_tokens or MAX_TOKENS,
        top_p=1.0 if config.top_p is None else config.top_p,
        seed=config.seed or 0,
        top_logprobs=(config.top_logprobs or 1) if config.logprobs else 0,
    )


def output_of(model: str, response: LLMResponse) -> ModelOutput:
    """Our answer as Inspect's; a refusal is an empty text with the stop reason content_filter."""
    from inspect_ai.model import ChatCompletionChoice, ChatMessageAssistant, ModelOutput, ModelUsage

    message = ChatMessageAssistant(content=response.completion or "", model=model, source="generate")
    choice = ChatCompletionChoice(
        message=message, stop_reason=_REASONS[response.stop_reason], logprobs=_logprobs(response)
    )
    used = (response.n_prompt_tokens, response.n_completion_tokens)
    usage = ModelUsage(input_tokens=used[0], output_tokens=used[1], total_tokens=sum(used))
    return ModelOutput(model=model, choices=[choice], usage=usage)


def response_of(output: ModelOutput) -> LLMResponse:
    """Inspect's answer as ours; one that a filter stopped is a refusal, whatever text came with it."""
    if not output.choices:
        return LLMResponse(None, "refusal")
    choice, usage = output.choices[0], output.usage
    refused = choice.stop_reason == "content_filter"
    reason: StopReason = "content_filter" if refused else "stop"
    if choice.stop_reason in ("max_tokens", "model_length"):
        reason = "length"
    tokens = choice.logprobs.content if choice.logprobs else []
    return LLMResponse(
        None if refused else choice.message.text,
        reason,
        tuple(
            TokenLogprob(t.token, t.logprob, tuple((o.token, o.logprob) for o in t.top_logprobs or ())) for t in tokens
        ),
        usage.input_tokens if usage else 0,
        usage.output_tokens if usage else 0,
    )


def _logprobs(response: LLMResponse) -> Any:
    from inspect_ai.model import Logprob, Logprobs, TopLogprob

    if not response.logprobs:
        return None
    return Logprobs(
        content=[
            Logprob(
                token=token.token,
                logprob=token.logprob,
                top_logprobs=[TopLogprob(token=text, logprob=logprob) for text, logprob in token.top],
            )
            for token in response.logprobs
        ]
    )
