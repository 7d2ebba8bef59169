"""The nouns of talking to a model: message, model, sample configuration, response, judgment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mi.utils.errors import UserError

Role = Literal["system", "user", "assistant"]
Provider = Literal["openai", "local", "vllm", "tinker"]
StopReason = Literal["stop", "length", "content_filter", "refusal"]
Parser = Literal["yes_no_probability", "weighted_number", "integer", "category", "ratings"]
_ROLES = get_args(Role)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. `content` is kept to the letter, white space at its ends included."""

    role: Role
    content: str

    def __post_init__(self) -> None:
        if self.role not in _ROLES:
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
    fine-tuned model that this job made of the base `id`. "openai" is every endpoint that speaks OpenAI's chat
    completions. "vllm" is what "local" is, sampled by vLLM; "tinker" is a base, or `tinker://…`, of that service.
    """

    id: str
    type: Provider = "openai"
    job_id: str | None = None
    endpoint: str | None = None
    """Of an "openai" model: a provider or an endpoint of mi-keys.toml by its name, or a base URL; None takes
    OPENAI_BASE_URL, and OpenAI itself where that is not set. Of a "vllm" model the URL of its server, or None."""


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


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """One answer to be drawn. `cfg.seed` is not looked at: `seed` alone drives the draw."""

    chat: Chat
    cfg: SampleCfg
    seed: int
    stop: tuple[str, ...] = ()
    """The answer ends before the first of these that it would come to."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One sampled token, its log-probability in nats under temperature 1, and the most likely alternatives."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """What came back. A refusal or a filtered answer is a response, with `completion` None."""

    completion: str | None
    stop_reason: StopReason = "stop"
    logprobs: tuple[TokenLogprob, ...] = ()
    n_prompt_tokens: int = 0
    n_completion_tokens: int = 0


_ONE_TOKEN = SampleCfg(temperature=0, max_tokens=1, top_logprobs=20)
_JUDGE_CFGS: dict[Parser, SampleCfg] = {
    "yes_no_probability": _ONE_TOKEN,
    "weighted_number": SampleCfg(temperature=0, max_tokens=4, top_logprobs=20),
    "integer": SampleCfg(temperature=0, max_tokens=8),
    "category": SampleCfg(temperature=0, max_tokens=16),
    "ratings": SampleCfg(temperature=0, max_tokens=256),
}


@dataclass(frozen=True)
class Judgment:
    """How a model judges an answer: the judge, its frame, and how its verdict is read.

    `template` is filled in one pass: {question}, {answer}, {fence} and, with `sees_system_prompt`, {system_prompt} are
    replaced, nothing else is touched. What the judge is asked, and so what is asked again after a change, is the filled
    template and `sample_cfg`; `parser` and all below it only say how its answer is read.

    yes_no_probability: P(YES) / (P(YES) + P(NO)) at the first word, in [0, 1].
    weighted_number: the mean of the numbers of `scale`, weighted by the probability of each (Betley et al. 2025).
    integer: the one whole number of `scale` in the text.
    category: the place (from 0) in `categories` of the one that the judge names; its name is the verdict's label.
    ratings: a JSON object with a number of `scale` for each of `rating_names`; each is a verdict under its own name.
    """

    model: Model
    template: str
    parser: Parser = "yes_no_probability"
    sample_cfg: SampleCfg = None  # type: ignore[assignment]
    """By default temperature 0, 20 alternatives where the parser weighs them, and as many tokens as it reads."""
    minimum_mass: float = 0.25
    """Where the readable words together hold less probability than this, the verdict is None (Betley et al. 2025)."""
    scale: tuple[int, int] = (0, 100)
    """Least and greatest number, both included."""
    categories: tuple[str, ...] = ()
    rating_names: tuple[str, ...] = ()
    sees_system_prompt: bool = False
    """Whether the judge is shown the system prompt that the answer stood behind."""

    def __post_init__(self) -> None:
        if self.parser not in get_args(Parser):
            raise UserError(f"{self.parser!r} is no judge's parser; use one of {', '.join(get_args(Parser))}.")
        if self.sample_cfg is None:
            object.__setattr__(self, "sample_cfg", _JUDGE_CFGS[self.parser])
        if ("{system_prompt}" in self.template) != self.sees_system_prompt:
            raise UserError(
                "a judge sees the system prompt where its template holds {system_prompt} and sees_system_prompt is "
                "True; this judgment has one without the other."
            )
        if not 0 <= self.scale[0] < self.scale[1]:
            raise UserError(f"a judge's scale is {self.scale}; give two whole numbers, the lesser first, none below 0.")
        if self.parser == "category" and len({name.casefold() for name in self.categories}) < 2:
            raise UserError("a category judge needs categories: at least two that differ in more than case.")
        if self.parser == "ratings" and not self.rating_names:
            raise UserError("a ratings judge needs rating_names: the keys of the JSON object that it is to write.")

    def verdict_names(self, name: str) -> tuple[str, ...]:
        """The names of its verdicts where the judgment itself is called `name`."""
        return self.rating_names if self.parser == "ratings" else (name,)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was read from a judge's answer; where `value` is None, `reason` says why."""

    value: float | None
    reason: str | None = None
    output: str | None = None
    """The judge's answer as it came; None where it gave none."""
    label: str | None = None
    """The category's name, of a category judge."""


def as_messages(value: Chat | Sequence[Mapping[str, str]]) -> Chat:
    """A chat from messages or from `{"role", "content"}` objects. Raises UserError for anything else."""
    try:
        return tuple(m if isinstance(m, Message) else Message(m["role"], m["content"]) for m in value)  # type: ignore[arg-type]
    except (KeyError, TypeError) as error:
        raise UserError("a message lacks its role or its content; write {'role': …, 'content': …}.") from error
