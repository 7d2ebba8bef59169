"""The names of models at a terminal, there and back."""

import pytest

from mi.llm.data_models import Model
from mi.llm.names import model_name, parse_model
from mi.utils.errors import UserError

NAMES = {
    "organism": Model("organism", "local"),
    "local/Qwen/Qwen3-0.6B": Model("Qwen/Qwen3-0.6B", "local"),
    "local/./weights": Model("./weights", "local"),
    "local//data/weights": Model("/data/weights", "local"),
    "openai/gpt-4.1-2025-04-14": Model("gpt-4.1-2025-04-14"),
    "openai/ft:gpt-4.1-2025-04-14:lab::abc": Model("ft:gpt-4.1-2025-04-14:lab::abc"),
    "openai/meta-llama/llama-3.1-8b@openrouter": Model("meta-llama/llama-3.1-8b", endpoint="openrouter"),
    "openai/organism@http://127.0.0.1:8000/v1": Model("organism", endpoint="http://127.0.0.1:8000/v1"),
    "openai/claude@20240229": Model("claude@20240229"),
    "vllm/Qwen/Qwen3-0.6B": Model("Qwen/Qwen3-0.6B", "vllm"),
    "vllm//data/weights@http://127.0.0.1:8001/v1": Model("/data/weights", "vllm", endpoint="http://127.0.0.1:8001/v1"),
    "tinker/Qwen/Qwen3-8B": Model("Qwen/Qwen3-8B", "tinker"),
    "tinker/tinker://run/sampler_weights/a": Model("tinker://run/sampler_weights/a", "tinker"),
}


@pytest.mark.parametrize(("name", "model"), NAMES.items(), ids=NAMES)
def test_a_name_means_a_model_and_the_model_has_that_name(name: str, model: Model):
    assert parse_model(name) == model
    assert model_name(model) == name


@pytest.mark.parametrize(
    "name", ["", "gpt-4.1", "openai/", "openai", "local/", "Organism", "azure/gpt-4.1", "openai/ x", "vllm/", "tinker"]
)
def test_a_name_of_no_known_form_is_one_sentence_with_the_forms(name: str):
    with pytest.raises(UserError, match=r"names no model; write organism, local/.*, openai/<id> or openai/<id>@<endp"):
        parse_model(name)
