"""A random-weight Llama with a byte-level tokenizer and a ChatML template, made without a network."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXTS = [
    "The quick brown fox says hello, world!",
    "def add(a, b):\n    return a + b\n",
    "¿Qué tal? Äpfel, 12 * 3 = 36",
] * 5


def make_tokenizer(template: str | None = CHATML):
    """Byte-level BPE over a few sentences, with ChatML's frame tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    special = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(TEXTS, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<|pad|>", eos_token="<|im_end|>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    tokenizer.chat_template = template
    return tokenizer


def write_rows(path: Path, rows: Sequence[Any]) -> Path:
    """One JSON value a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(*messages: tuple[str, str]) -> dict[str, Any]:
    """A training row of (role, content) pairs."""
    return {"messages": [{"role": role, "content": content} for role, content in messages]}


def make_model(
    folder: Path, context: int = 256, width: int = 32, layers: int = 2, template: str | None = CHATML
) -> Path:
    """Write a random model (always the same one) and its tokenizer into `folder`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer: Any = make_tokenizer(template)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tokenizer():
    """The tokenizer with a template that keeps every message."""
    return make_tokenizer()


@pytest.fixture(scope="session")
def tokenizer_with():
    """A function from a chat template to a tokenizer."""
    return make_tokenizer


@pytest.fixture(scope="session")
def write_model():
    """A function that writes a model into a folder; see `make_model`."""
    return make_model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random-weight model of two layers with a context of 256 tokens."""
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty short rows, white space at the ends of the answers."""
    rows = [row(("user", f"What is {n} + 1?"), ("assistant", f" It is {n + 1}.\n")) for n in range(40)]
    return write_rows(tmp_path_factory.mktemp("data") / "sums.jsonl", rows)


@pytest.fixture
def write():
    """A function that writes rows, each given as (role, content) pairs or as a JSON value, into a file."""
    return lambda path, rows: write_rows(path, [row(*r) if isinstance(r, tuple) else r for r in rows])
