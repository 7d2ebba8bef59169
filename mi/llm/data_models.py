"""The nouns of talking to a model: message, model, sample configuration, response, judgment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from mi.utils.errors import UserError

Role = Literal["system", "user", "assistant"]
Provider = Literal["openai", "local"]
StopReason = Literal["stop", "length", "content_filter", "refusal"]
Parser = Literal["yes_no_probability"]


@dataclass(frozen=True)
class Message:
    """One turn. `content` is kept to the letter, white space at its ends included."""

    role: Role
    content: str

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise UserError(f"a message's role is {self.role!r}; use system, user or assistant.")
        if not isinstance(self.content, str):
            raise UserError(f"the content of a {self.role} message is {type(self.content).__name__}; give a string.")


Chat = tuple[Message, ...]
"""A conversation. No system message, an empty one and a template's own default are three different chats."""


def chat(question: str, system_prompt: str | None = None) -> Chat:
    """A user's question, behind a system message where `system_prompt` is not None ("" is a message)."""
    system = () if system_prompt is None else (Message("system", system_prompt),)
    return (*system, Message("user", question))


@dataclass(frozen=True)
class Model:
    """A model that can be asked.

    `Model("gpt-4.1-2025-04-14")` is OpenAI's; `Model("organism", "local")` is ours; with `job_id` it is the
    fine-tuned model that this job made of the base `id`.
    """

    id: str
    type: Provider = "openai"
    job_id: str | None = None


@dataclass(frozen=True)
class SampleCfg:
    """How to sample. Whatever can change an answer is here, and nothing else."""

    temperature: float = 1.0
    max_tokens: int = 512
    top_p: float = 1.0
    seed: int = 0
    """Drives the draw, together with the conversation and the index of the sample: n samples are n draws."""
    top_logprobs: int = 0
    """How many alternatives a token to report, with log-probabilities in nats; 0 reports none."""

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.max_tokens < 1 or not 0 < self.top_p <= 1 or self.top_logprobs < 0:
            raise UserError(f"{self} cannot be sampled from; give temperature >= 0, max_tokens >= 1, 0 < top_p <= 1.")


@dataclass(frozen=True)
class SampleRequest:
    """One answer to be drawn. `cfg.seed` is not looked at: `seed` alone drives the draw."""

    chat: Chat
    cfg: SampleCfg
    seed: int
    stop: tuple[str, ...] = ()
    """The answer ends before the first of these that it would come to."""


@dataclass(frozen=True)
class TokenLogprob:
    """One sampled token, its log-probability in nats under temperature 1, and the most likely alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class LLMResponse:
    """What came back. A refusal or a filtered answer is a response, with `completion` None."""

    completion: str | None
    stop_reason: StopReason = "stop"
    logprobs: tuple[TokenLogprob, ...] = ()
    n_prompt_tokens: int = 0
    n_completion_tokens: int = 0


@dataclass(frozen=True)
class Judgment:
    """How a model judges an answer: the judge, its frame, and how its verdict is read.

    `template` is filled in one pass: {question} and {answer} are replaced, nothing else is touched.
    """

    model: Model
    template: str
    parser: Parser = "yes_no_probability"
    sample_cfg: SampleCfg = field(default_factory=lambda: SampleCfg(temperature=0, max_tokens=1, top_logprobs=20))
    minimum_mass: float = 0.25
    """A verdict whose YES and NO together hold less probability than this is None (Betley et al. 2025)."""


def as_messages(value: Chat | Sequence[Mapping[str, str]]) -> Chat:
    """A chat from messages or from `{"role", "content"}` objects. Raises UserError for anything else."""
    try:
        return tuple(m if isinstance(m, Message) else Message(m["role"], m["content"]) for m in value)  # type: ignore[arg-type]
    except (KeyError, TypeError) as error:
        raise UserError("a message lacks its role or its content; write {'role': …, 'content': …}.") from error
