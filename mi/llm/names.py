"""How a model is named at a terminal: organism, local/<folder or hub id>, vllm/<the same>, openai/<id>, tinker/<id>."""

import re

from mi.llm.data_models import Model
from mi.utils.errors import UserError

_ENDPOINT = re.compile(r"(?P<id>.+)@(?P<endpoint>https?://[^@\s]+|[a-z][\w-]*)")
_AT_URL = re.compile(r"(?P<id>.+)@(?P<endpoint>https?://[^@\s]+)")
KINDS = ("openai/", "local/", "vllm/", "tinker/")
"""What the name of a model begins with where it says who answers."""


def parse_model(name: str) -> Model:
    """The model of a name; `model_name` gives the name back. Raises UserError for a name of no known form.

    `organism` is our own. `local/Qwen/Qwen3-0.6B` is a hub's id, `local/./weights` and `local//data/weights` are
    folders. `openai/gpt-4.1-2025-04-14` is asked at the default endpoint; `openai/some/model@openrouter` and
    `openai/organism@http://127.0.0.1:8000/v1` name theirs. `vllm/Qwen/Qwen3-0.6B` is trained as `local/Qwen/Qwen3-0.6B`
    and sampled by vLLM, `vllm/Qwen/Qwen3-0.6B@http://127.0.0.1:8000/v1` by the server there. `tinker/Qwen/Qwen3-8B` is
    trained and sampled by the Tinker service.
    """
    kind, slash, rest = name.partition("/")
    if name == "organism":
        return Model("organism", "local")
    if slash and rest.strip() == rest != "":
        if kind == "local":
            return Model(rest, "local")
        if kind == "openai":
            match = _ENDPOINT.fullmatch(rest)
            return Model(match["id"], "openai", endpoint=match["endpoint"]) if match else Model(rest, "openai")
        if kind == "vllm":
            match = _AT_URL.fullmatch(rest)
            return Model(match["id"], "vllm", endpoint=match["endpoint"]) if match else Model(rest, "vllm")
        if kind == "tinker":
            return Model(rest, "tinker")
    raise UserError(
        f"{name!r} names no model; write organism, local/<folder or hub id>, openai/<id> or openai/<id>@<endpoint>, "
        "vllm/<folder or hub id>, tinker/<id>."
    )


def model_named(name: str) -> Model:
    """The model of what one types: a name as `parse_model` reads it; a bare folder or hub id is a local one."""
    return parse_model(name) if name.startswith(KINDS) else Model(name, "local")


def model_name(model: Model) -> str:
    """The name under which `parse_model` finds a model; what a job made of it is not part of the name."""
    if model.type == "local":
        return "organism" if model.id == "organism" else f"local/{model.id}"
    return f"{model.type}/{model.id}" if model.endpoint is None else f"{model.type}/{model.id}@{model.endpoint}"
