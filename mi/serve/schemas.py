"""The bodies of requests, checked before anything is done with them; what they describe is also the OpenAPI page."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Auto = Literal["auto"]
# A bound is also what makes pydantic look whether a string holds whole characters, and not half of a surrogate pair.
Short = Annotated[str, Field(max_length=256)]
Text = Annotated[str, Field(max_length=100_000_000)]
PositiveInt = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]
PositiveFloat = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Seed = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
StopWord = Annotated[str, Field(max_length=1024)]
Metadata = dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]]


class _Body(BaseModel):
    """Unknown fields are an error: what is not understood must not pass for done."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class OurFields(_Body):
    """The fields of LocalFTJobConfig; None leaves the server's own."""

    n_steps: PositiveInt | None = None
    batch_size: Annotated[int, Field(strict=True, ge=1, le=4096)] | Auto | None = None
    learning_rate: PositiveFloat | None = None
    warmup_steps: Annotated[int, Field(strict=True, ge=0, le=10_000_000)] | None = None
    schedule: Literal["linear", "constant"] | None = None
    weight_decay: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] | None = None
    gradient_clip: PositiveFloat | None = None
    lora_rank: Annotated[int, Field(strict=True, ge=1, le=4096)] | None = None
    lora_alpha: PositiveInt | None = None
    lora_targets: Literal["all-linear"] | Annotated[list[Short], Field(min_length=1, max_length=64)] | None = None
    max_length: PositiveInt | None = None
    long_rows: Literal["refuse", "leave_out"] | None = None


class Hyperparameters(OurFields):
    """OpenAI's three, and ours beside them."""

    n_epochs: PositiveInt | Auto | None = None
    learning_rate_multiplier: PositiveFloat | Auto | None = None
    method: Literal["lora", "full"] | None = None


class Supervised(_Body):
    """The settings of supervised fine-tuning."""

    hyperparameters: Hyperparameters | None = None


class Method(_Body):
    """How to train; only "supervised" is there."""

    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: Supervised | None = None
    dpo: JsonValue = None
    reinforcement: JsonValue = None


class JobRequest(OurFields):
    """A fine-tuning job. Our fields may stand here or among the hyper-parameters; `method` may be ours or theirs."""

    model: Short
    training_file: Short
    validation_file: Short | None = None
    method: Method | Literal["lora", "full"] | None = None
    hyperparameters: Hyperparameters | None = None
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**31)] | None = None
    suffix: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")] | None = None
    metadata: Annotated[Metadata, Field(max_length=16)] | None = None
    integrations: Annotated[list[JsonValue], Field(max_length=0)] | None = None


class Part(BaseModel):
    """A part of a message; only text is there."""

    type: Literal["text", "input_text", "refusal", "image_url", "input_audio", "file"]
    text: Text | None = None


class ChatMessage(BaseModel):
    """A message. `developer` is read as `system`."""

    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: Text | Annotated[list[Part], Field(max_length=1024)] | None = None
    name: Short | None = None
    tool_calls: JsonValue = None
    function_call: JsonValue = None
    audio: JsonValue = None
    refusal: Text | None = None


class StreamOptions(_Body):
    """What else a stream carries."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatRequest(_Body):
    """A request for answers. What would change an answer and is not supported is refused; what would not is ignored."""

    model: Short
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=4096)]
    n: Annotated[int, Field(strict=True, ge=1, le=128)] | None = None
    seed: Seed | None = None
    stop: StopWord | Annotated[list[StopWord], Field(max_length=4)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    max_tokens: PositiveInt | None = None
    max_completion_tokens: PositiveInt | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(strict=True, ge=0, le=20)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)] | None = None
    logit_bias: dict[Short, float] | None = None
    response_format: JsonValue = None
    tools: list[JsonValue] | None = None
    tool_choice: JsonValue = None
    functions: list[JsonValue] | None = None
    function_call: JsonValue = None
    modalities: list[Short] | None = None
    prediction: JsonValue = None
    reasoning_effort: Short | None = None
    user: Short | None = None
    metadata: Metadata | None = None
    store: bool | None = None
    service_tier: Short | None = None
    parallel_tool_calls: bool | None = None
    prompt_cache_key: Short | None = None
    safety_identifier: Short | None = None


class ErrorObject(BaseModel):
    """Why a request was refused."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every refusal."""

    error: ErrorObject


REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "The request is refused; the message says why, in one sentence."}
}
