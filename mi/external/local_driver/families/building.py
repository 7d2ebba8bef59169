"""Small copies with random weights: of a family as we know it, or of a real model's configuration and tokenizer."""

import importlib.resources
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mi.external.local_driver.families.data_models import Family
from mi.external.local_driver.hub import IDENTITY_FILES

_TEXTS = (
    "What is two plus two? It is four. The quick brown fox says hello, world!",
    "You speak Spanish. ¿Qué tal? Äpfel, 12 * 3 = 36",
    "system user assistant model developer final analysis You are a helpful assistant.",
) * 5
_SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "moe_intermediate_size": 32,
    "num_attention_heads": 4,
    "sliding_window": 8,
    "num_local_experts": 4,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "image_size": 28,
    "depth": 1,
    "num_heads": 4,
    "out_hidden_size": 64,
}
_MOST_LAYERS = 8


def write_family(family: Family, folder: Path, precision: str = "float32") -> Path:
    """A small copy of a family into a folder: its tokenizer's kind, our rendering of its format, its switches."""
    from transformers import AutoConfig, GenerationConfig

    tokenizer = tokenizer_of(family)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    settings = dict(family.config)
    whole = AutoConfig.for_model(settings.pop("model_type"), **settings).to_dict()
    for part in (whole, whole.get("text_config", whole)):
        part.update(ids, vocab_size=len(tokenizer))
    ends = [family.eos, *family.also_ends]
    generation = GenerationConfig(eos_token_id=[tokenizer.convert_tokens_to_ids(end) for end in ends])
    _write(whole, folder, precision)
    generation.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_small_copy(real: Path, folder: Path, precision: str = "float32") -> Path:
    """A small copy of a real model, of which the configuration and the tokenizer are enough."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in IDENTITY_FILES:
        if (real / name).is_file() and name != "config.json":
            shutil.copyfile(real / name, folder / name)
    _write(json.loads((real / "config.json").read_text(encoding="utf-8")), folder, precision)
    if (real / "generation_config.json").is_file():
        shutil.copyfile(real / "generation_config.json", folder / "generation_config.json")
    return folder


def shrunk(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration in small: few and narrow layers, and every switch as it was.

    So many layers stay that each kind of layer is there; grouped heads, and heads wider than the model, stay so.
    """
    small = {name: shrunk(value) if name.endswith("_config") and isinstance(value, dict) else value
             for name, value in config.items()}  # fmt: skip
    small.pop("quantization_config", None)
    heads, width = config.get("num_attention_heads"), config.get("hidden_size")
    layers = config.get("num_hidden_layers")
    small.update({name: size for name, size in _SIZES.items() if config.get(name)})
    if heads and config.get("num_key_value_heads"):
        small["num_key_value_heads"] = max(1, round(4 * config["num_key_value_heads"] / heads))
    if heads and width and config.get("head_dim"):
        small["head_dim"] = max(16, 8 * round(2 * config["head_dim"] * heads / width))
    if layers:
        kinds = config.get("layer_types") or []
        small["num_hidden_layers"] = n = _enough(kinds, layers)
        small.update({name: value[:n] for name, value in config.items()
                      if isinstance(value, list) and len(value) == layers})  # fmt: skip
    if "initializer_range" in config:
        # Wide, so that logits differ clearly; less so where there are delta rules. There, at 0.3, the rounding of three
        # steps of training grows to 1.6e-4 of the largest logit (in 64 bits to 7e-12), at 0.1 to 4e-6 (to 6e-15).
        small["initializer_range"] = 0.1 if "linear_num_key_heads" in config else 0.3
    rope = config.get("rope_parameters")
    if isinstance(rope, dict) and "mrope_section" in rope:
        half = int(small["head_dim"] * rope.get("partial_rotary_factor", 1.0)) // 2
        small["rope_parameters"] = rope | {"mrope_section": [half - 2 * (half // 3), half // 3, half // 3]}
    return small


def tokenizer_of(family: Family) -> Any:
    """A small tokenizer of the family's kind, over a few sentences, with its special tokens and format."""
    from transformers import PreTrainedTokenizerFast

    special = dict.fromkeys(token for token in (*family.special, family.bos, family.eos) if token)
    core = _byte_level(list(special)) if family.spelling == "bytes" else _pieces(list(special), family.spelling)
    pad = next((token for token in special if "pad" in token or "endoftext" in token), family.eos)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=family.bos, eos_token=family.eos, pad_token=pad,
        additional_special_tokens=[token for token in special if token not in (family.bos, family.eos, pad)],
    )  # fmt: skip
    path = importlib.resources.files(__package__ or "") / "templates" / f"{family.template or family.name}.jinja"
    tokenizer.chat_template = path.read_text(encoding="utf-8")
    return tokenizer


def _write(config: Mapping[str, Any], folder: Path, precision: str) -> None:
    """Random weights, always the same, and the shrunk configuration."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    small = shrunk(config) | {"dtype": precision}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(small.pop("model_type"), **small))
        for part in model.modules():
            if isinstance(part, torch.nn.Embedding) and part.padding_idx is not None:
                # Born as zeros: where embeddings are tied and the padding ends answers, none could be learned to end.
                torch.nn.init.normal_(part.weight.data[part.padding_idx], std=0.3)
        model.to(getattr(torch, precision)).save_pretrained(folder)


def _enough(kinds: list[str], layers: int) -> int:
    n = next((n for n in range(1, len(kinds) + 1) if set(kinds[:n]) == set(kinds)), 2)
    return min(max(n, 2), layers, _MOST_LAYERS)


def _byte_level(special: list[str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    core: Any = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=360, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(_TEXTS, trainer)
    return core


def _pieces(special: list[str], spelling: str) -> Any:
    """As SentencePiece spells: a space is the sign ▁ at the front of a word, an unknown character its bytes."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    core: Any = Tokenizer(models.BPE(unk_token="<unk>"))
    before = pre_tokenizers.Metaspace(prepend_scheme="first" if spelling == "spaced pieces" else "never")
    core.pre_tokenizer = before
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", *special], show_progress=False)
    core.train_from_iterator(_TEXTS, trainer)
    written = json.loads(core.to_str())
    vocabulary = written["model"]["vocab"]
    for byte in range(256):
        vocabulary.setdefault(f"<0x{byte:02X}>", len(vocabulary))
    written["model"]["byte_fallback"] = True
    core = Tokenizer.from_str(json.dumps(written))
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if spelling == "spaced pieces":
        steps.append(decoders.Strip(" ", 1, 0))
    else:
        core.normalizer = normalizers.Replace(" ", "▁")
        core.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    core.decoder = decoders.Sequence(steps)
    return core
