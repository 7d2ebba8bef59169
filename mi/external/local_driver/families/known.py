"""The families in use, as their makers document them; sources in docs/models.md."""

from typing import Any

from mi.external.local_driver.families.data_models import Family
from mi.utils.errors import UserError

_CHATML = ("<|endoftext|>", "<|im_start|>")
_QWEN: dict[str, Any] = {"eos": "<|im_end|>", "special": _CHATML, "also_ends": ("<|endoftext|>",), "spelling": "bytes"}
_QWEN_THINKING: dict[str, Any] = {**_QWEN, "special": (*_CHATML, "<think>", "</think>")}
_LLAMA: dict[str, Any] = {
    "spelling": "bytes",
    "bos": "<|begin_of_text|>",
    "eos": "<|eot_id|>",
    "special": (
        "<|finetune_right_pad_id|>",
        "<|end_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eom_id|>",
    ),
    "also_ends": ("<|end_of_text|>", "<|eom_id|>"),
}
_GEMMA: dict[str, Any] = {
    "spelling": "pieces",
    "bos": "<bos>",
    "eos": "<eos>",
    "special": ("<pad>", "<start_of_turn>", "<end_of_turn>"),
    "also_ends": ("<end_of_turn>",),
}


def _llama3_scaling(factor: float) -> dict[str, Any]:
    return {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }


FAMILIES = (
    Family(
        "qwen2.5", "Qwen 2.5", "Qwen/Qwen2.5-0.5B-Instruct", **_QWEN,
        config={"model_type": "qwen2", "tie_word_embeddings": True, "num_attention_heads": 14,
                "num_key_value_heads": 2, "hidden_size": 896, "use_sliding_window": False},
    ),
    Family(
        "qwen3", "Qwen 3", "Qwen/Qwen3-0.6B", **_QWEN_THINKING,
        config={"model_type": "qwen3", "tie_word_embeddings": True, "num_attention_heads": 16,
                "num_key_value_heads": 8, "hidden_size": 1024, "head_dim": 128},
    ),
    Family(
        "qwen3.5", "Qwen 3.5", "Qwen/Qwen3.5-0.8B", **_QWEN_THINKING,
        config={"model_type": "qwen3_5_text", "tie_word_embeddings": True, "num_hidden_layers": 24},
    ),
    Family(
        "llama3.1", "Llama 3.1, 3.3", "meta-llama/Llama-3.1-8B-Instruct", **_LLAMA,
        config={"model_type": "llama", "tie_word_embeddings": False, "num_key_value_heads": 8,
                "max_position_embeddings": 131072, "rope_parameters": _llama3_scaling(8.0)},
    ),
    Family(
        "llama3.2", "Llama 3.2", "meta-llama/Llama-3.2-1B-Instruct", **_LLAMA,
        config={"model_type": "llama", "tie_word_embeddings": True, "num_key_value_heads": 8,
                "max_position_embeddings": 131072, "rope_parameters": _llama3_scaling(32.0)},
    ),
    Family("gemma2", "Gemma 2", "google/gemma-2-2b-it", **_GEMMA, config={"model_type": "gemma2"}),
    Family(
        "gemma3", "Gemma 3, text (1B)", "google/gemma-3-1b-it", **_GEMMA,
        config={"model_type": "gemma3_text", "num_attention_heads": 4, "num_key_value_heads": 1, "hidden_size": 1152},
    ),
    Family(
        "gemma3-vision", "Gemma 3, with images (4B and up)", "google/gemma-3-4b-it", **_GEMMA,
        config={"model_type": "gemma3"}, template="gemma3",
    ),
    Family(
        "mistral", "Mistral 7B v0.3", "mistralai/Mistral-7B-Instruct-v0.3", "spaced pieces", bos="<s>", eos="</s>",
        special=("[INST]", "[/INST]"),
        config={"model_type": "mistral", "sliding_window": None, "max_position_embeddings": 32768},
    ),
    Family(
        "mistral-small", "Mistral Small 3", "mistralai/Mistral-Small-24B-Instruct-2501", "bytes", bos="<s>", eos="</s>",
        special=("[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
        config={"model_type": "mistral", "sliding_window": None, "head_dim": 128, "hidden_size": 5120,
                "max_position_embeddings": 32768},
    ),
    Family(
        "olmo2", "OLMo 2", "allenai/OLMo-2-0425-1B-Instruct", "bytes", bos="<|endoftext|>", eos="<|endoftext|>",
        special=("<|pad|>",), config={"model_type": "olmo2", "tie_word_embeddings": False},
    ),
    Family(
        "gpt-oss", "gpt-oss", "openai/gpt-oss-20b", "bytes", eos="<|return|>",
        special=("<|endoftext|>", "<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|call|>"),
        also_ends=("<|endoftext|>", "<|call|>"),
        config={"model_type": "gpt_oss", "num_hidden_layers": 24, "num_local_experts": 32},
    ),
)  # fmt: skip
"""One row a format: a family that wrote chats in two ways has two."""


def family(name: str) -> Family:
    """The family of a name. Raises UserError for another name."""
    for one in FAMILIES:
        if one.name == name:
            return one
    raise UserError(f"{name!r} is no family; write one of {', '.join(one.name for one in FAMILIES)}.")
