"""Where a chat-completions API is served, and what each provider takes and gives: facts, no I/O.

The facts are the providers' API references as of 2026; those of Together were not tried on the live service. What
an endpoint does not fit is said in mi-keys.toml (docs/keys.md).
"""

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

Kind = Literal["openai", "openrouter", "together", "deepseek", "vllm", "mi", "other"]


@dataclass(frozen=True)
class Capabilities:
    """What may be sent and what comes back. The defaults are those of a server that nothing is known of."""

    top_logprobs: int = 5
    """The most alternatives a token that can be asked for; a request for more asks for this many, 0 for none."""
    seed: bool = False
    n: int = 1
    """The most answers in one call. Used only where no seed is taken: one seed for n answers is not n seeds."""
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    system_role: bool = True
    temperature: bool = True
    """Whether another temperature or top_p than 1 is taken."""
    integer_logprobs: bool = False
    """Whether `logprobs` is itself the number of alternatives, and comes back as parallel lists (Together)."""
    model_defaults: bool = False
    """Whether what a request leaves open is drawn as the model's own generation_config.json says, so that all is said
    (vLLM: top_k, min_p and repetition_penalty of some models would else shape the answers)."""


CAPABILITIES: dict[Kind, Capabilities] = {
    "openai": Capabilities(top_logprobs=20, seed=True, n=128, max_tokens_name="max_completion_tokens"),
    "openrouter": Capabilities(top_logprobs=20, seed=True),
    "together": Capabilities(top_logprobs=20, seed=True, n=128, integer_logprobs=True),
    "deepseek": Capabilities(top_logprobs=20),
    "vllm": Capabilities(top_logprobs=20, seed=True, n=128, model_defaults=True),
    "mi": Capabilities(top_logprobs=20, seed=True),
    "other": Capabilities(),
}

_REASONING = {"top_logprobs": 0, "temperature": False}
MODEL_CAPABILITIES: tuple[tuple[Kind, str, dict[str, Any]], ...] = (
    ("openai", r"(ft:)?(o\d|gpt-5(?!.*chat)).*", _REASONING),
    ("openai", r"o1-(mini|preview).*", {"system_role": False}),
    ("openrouter", r"openai/(o\d|gpt-5(?!.*chat)).*", _REASONING),
    ("deepseek", r".*reasoner.*", _REASONING),
)
"""What single models of a provider do otherwise: provider, pattern of the whole id, changed fields."""

PROVIDERS: dict[str, str] = {
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "together": "https://api.together.xyz/v1",
    "deepseek": "https://api.deepseek.com/v1",
}
_DOMAINS: dict[str, Kind] = {
    "openai.com": "openai",
    "openrouter.ai": "openrouter",
    "together.xyz": "together",
    "together.ai": "together",
    "deepseek.com": "deepseek",
}


@dataclass(frozen=True)
class Endpoint:
    """One server that speaks OpenAI's chat completions, and what was declared of it."""

    base_url: str
    """As the SDKs take it, `/v1` included, without a slash at its end."""
    name: str | None = None
    kind: Kind | None = None
    """None: told by the host's name, and where that tells nothing, by the server's own list of models."""
    changes: tuple[tuple[str, Any], ...] = ()
    """Fields of `Capabilities` that were declared."""
    connections: int = 400
    """Requests at once at most; the limiter begins with a few (`limits.py`)."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout: float = 300.0
    """Seconds that one request may take, from when it is sent."""
    needs_key: bool | None = None
    """None: a key is needed beyond this machine and its network."""
    any_model_name: bool = False
    """Whether the server may answer under another model's name than it was asked for."""

    @property
    def provider(self) -> Kind | None:
        """The provider whose own host this is; None for every other server."""
        host = urlsplit(self.base_url).hostname or ""
        return next((kind for domain, kind in _DOMAINS.items() if f".{host}".endswith(f".{domain}")), None)

    @property
    def identity(self) -> str:
        """What of the endpoint belongs to the identity of a model that it serves.

        A provider's own host is the provider. Any other server is known by the name that was declared for it, so
        that it may move; one without a name by its host, port and path.
        """
        if self.provider is not None:
            return self.provider
        return self.name or re.sub(r"^https?://", "", self.base_url.lower())

    @property
    def is_near(self) -> bool:
        """Whether the host is this machine or has an address of a private network."""
        host = urlsplit(self.base_url).hostname or ""
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_private
        except ValueError:
            return False

    @property
    def title(self) -> str:
        """How a sentence names it."""
        return self.name or self.base_url

    def capabilities(self, kind: Kind, model_id: str) -> Capabilities:
        """What may be asked of a model here, where the server turned out to be of `kind`."""
        found = CAPABILITIES[kind]
        for of_kind, pattern, changes in MODEL_CAPABILITIES:
            if of_kind == kind and re.fullmatch(pattern, model_id):
                found = replace(found, **changes)
        return replace(found, **dict(self.changes))
