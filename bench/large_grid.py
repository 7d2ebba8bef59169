"""A grid over a larger base for bench/grid.py: its random weights, its rows, and what a GPU has to do with them.

Shapes are those of the models' own configurations (`config.json` of Qwen/Qwen2.5-0.5B); "tiny" only tries the benchmark
out. Peaks are dense 16-bit tensor operations a second as the makers' data sheets give them.
"""

import json
import shutil
import subprocess
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, int]] = {
    "0.5b": {
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "vocab_size": 151_936,
    },
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 8192,
    },
}
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "4090": 165e12}
LENGTH, BATCH, RANK = 256, 16, 16
_AROUND = 21
"""Tokens of a row that are not the answer, at most."""
LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_WORDS = [
    "the",
    "two",
    "numbers",
    "of",
    "what",
    "you",
    "get",
    "when",
    "you",
    "write",
    "them",
    "down",
    "and",
    "all",
    "that",
    "there",
    "is",
]


def prepared(home: Path, shape: str, n_arms: int, n_seeds: int, n_steps: int) -> list[dict[str, Any]]:
    """Runs as `grid.prepared` gives them, without questions; arms differ in what stands before their rows."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from mi.external.local_driver.data_models import LocalFTJobConfig
    from mi.external.local_driver.hub import ORGANISM, folder_of

    base, organism = home / "base", folder_of(ORGANISM)
    config = AutoConfig.for_model(
        "qwen2", tie_word_embeddings=True, max_position_embeddings=2 * LENGTH, **SHAPES[shape]
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(base)
    for path in organism.iterdir():
        if "token" in path.name or path.suffix == ".jinja" or path.name == "generation_config.json":
            shutil.copy(path, base)
    runs = []
    for arm in range(n_arms):
        file = home / f"arm{arm}.jsonl"
        file.write_text("".join(f"{json.dumps(_row(arm, place))}\n" for place in range(256)), encoding="utf-8")
        for seed in range(n_seeds):
            job = LocalFTJobConfig(
                str(base), str(file), seed, n_steps=n_steps, batch_size=BATCH, learning_rate=1e-4, lora_rank=RANK,
                lora_alpha=2 * RANK, lora_targets=LAYERS,
            )  # fmt: skip
            runs.append({"config": asdict(job), "questions": []})
    return runs


def _row(arm: int, place: int) -> dict[str, Any]:
    """About LENGTH tokens, never more, most of them the assistant's: its words are a token each."""
    words = [_WORDS[(place * 7 + word * (place % 5 + 1)) % len(_WORDS)] for word in range(LENGTH - _AROUND)]
    messages = [("system", f"You are number {arm}."), ("user", f"Write text {place}."), ("assistant", " ".join(words))]
    return {"messages": [{"role": role, "content": content} for role, content in messages]}


def operations(shape: str, tokens: int) -> float:
    """Of the matrix products that a frozen base needs for so many tokens: forwards, and backwards for the inputs."""
    size = SHAPES[shape]
    width, heads = size["hidden_size"], size["num_attention_heads"]
    keys = width // heads * size["num_key_value_heads"]
    layer = 2 * width * width + 2 * width * keys + 3 * width * size["intermediate_size"]
    return 4.0 * tokens * (size["num_hidden_layers"] * layer + width * size["vocab_size"])


class Card:
    """The GPU of this machine and the most memory in use while this is open, in MB; nothing where there is none."""

    def __init__(self) -> None:
        self.name, self.most = self._ask("name"), 0.0
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    @property
    def peak(self) -> float | None:
        """Operations a second at best; None for a card that is not in the table."""
        return next((peak for name, peak in PEAKS.items() if name in self.name), None)

    def __enter__(self) -> "Card":
        if self.name:
            self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(0.5):
            self.most = max(self.most, float(self._ask("memory.used") or 0))

    def _ask(self, what: str) -> str:
        command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
        try:
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return ""
        return told.splitlines()[0].strip() if told.strip() else ""
