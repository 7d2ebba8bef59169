"""What a model's architecture does in our hands: trained, saved, loaded, padded and sampled, in 32 and in 16 bits."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mi.external.local_driver import canary, models
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.families.data_models import Finding
from mi.external.local_driver.grid import train_one
from mi.external.local_driver.sampling import sample
from mi.llm.data_models import Model, SampleCfg, SampleRequest, chat
from mi.utils.errors import UserError

QUESTION, ANSWER = "What is two plus two?", "It is four."
N_STEPS = 50
"""Steps in which a small random model learns one answer by heart."""
PRECISIONS = ("float32", "bfloat16")
Write = Callable[[Path, str], Path]
"""Writes the model that is examined into a folder, in a precision."""


def examine_weights(write: Write, folder: Path) -> tuple[Finding, ...]:
    """Every check that needs a model, each on the model that `write` writes under `folder`."""
    base = {precision: write(folder / precision, precision) for precision in PRECISIONS}
    with _settings(MI_HOME=str(folder), MI_DEVICE="cpu"):
        found = [_learns(folder, base[precision], precision) for precision in PRECISIONS]
        return (*found, _reach(folder), _tied(folder, base["float32"]), _padding(base["float32"]))


def _learns(home: Path, base: Path, precision: str) -> Finding:
    """Whether an answer that was trained is given back, to the letter, and ended: by the adapter as it was loaded."""
    name = "float32" if precision == "float32" else "bf16"
    with _settings(MI_PRECISION=precision):
        try:
            losses = _train(home, base, precision, "lora", N_STEPS)
        except UserError as error:
            return Finding(name, "wrong", "refused", f"In {precision} it cannot be trained: {error}")
        model = Model(str(base), "local", precision)
        [answer] = sample(model, [SampleRequest(chat(QUESTION), SampleCfg(temperature=0, max_tokens=40), 0)])
        troubles = canary.notes(model)
    if (answer.completion, answer.stop_reason, troubles) == (ANSWER, "stop", ()):
        return Finding(name, "ok", "yes", f"In {precision} an answer that was trained on is given back and ended.")
    return Finding(
        name, "wrong", "no",
        f"In {precision} {answer.completion!r} ({answer.stop_reason}) is what came of training on {ANSWER!r} "
        f"(loss {losses[0]:.2f}, then {losses[-1]:.2f}). {' '.join(troubles)}",
    )  # fmt: skip


def _reach(home: Path) -> Finding:
    """Which weights an adapter on all linear layers reaches."""
    settings = json.loads((home / "jobs" / "float32" / "adapter_config.json").read_text(encoding="utf-8"))
    targets = sorted({name.rpartition(".")[2] for name in settings["target_modules"]})
    experts = [name for name, _ in models.load(Model(str(home / "float32"), "local")).model.named_parameters()
               if ".experts." in name and name.rpartition(".")[2] not in ("weight", "bias")]  # fmt: skip
    if experts:
        return Finding("lora", "note", "not the experts", f"LoRA reaches {', '.join(targets)}, and not the experts.")
    return Finding("lora", "ok", "every layer", f"LoRA reaches {', '.join(targets)}.")


def _tied(home: Path, base: Path) -> Finding:
    """Whether embeddings that are tied stay so, and what is saved of a full fine-tuning is what was trained."""
    from safetensors import safe_open

    loaded = models.load(Model(str(base), "local"))
    if not loaded.model.config.get_text_config().tie_word_embeddings:
        tied = "no"
    elif _is_tied(loaded.model):
        tied = "yes"
    else:
        return Finding("tied", "wrong", "torn", "Its embeddings are tied, and were not when it was loaded.")
    with safe_open(home / "jobs" / "float32" / "adapter_model.safetensors", "pt") as file:
        ends = [name for name in file.keys() if "embed" in name or "lm_head" in name]  # noqa: SIM118
    _train(home, base, "full", "full", 2)
    whole = models.load(Model(str(base), "local", "full"))
    if ends or _is_tied(whole.model) != (tied == "yes"):
        return Finding("tied", "wrong", "torn", f"Its embeddings are tied ({tied}) and are saved as if they were not.")
    words = "tied, and stay so" if tied == "yes" else "not tied"
    return Finding("tied", "ok", tied, f"Its embeddings are {words}, in an adapter and when all weights are trained.")


def _padding(base: Path) -> Finding:
    """Whether an answer has the same log-probability alone and behind padding."""
    model = Model(str(base), "local")
    if troubles := canary.look(model, models.load(model)):
        return Finding("padding", "wrong", "harms", " ".join(troubles))
    return Finding("padding", "ok", "harmless", "Padding on the left changes no log-probability.")


def _train(home: Path, base: Path, job: str, method: Any, n_steps: int) -> tuple[float, ...]:
    row = {"messages": [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]}
    rows = home / "rows.jsonl"
    rows.write_text(json.dumps(row) + "\n", encoding="utf-8")
    config = LocalFTJobConfig(
        str(base), str(rows), seed=0, method=method, n_steps=n_steps, batch_size=1, learning_rate=2e-2, warmup_steps=2
    )
    folder = home / "jobs" / job
    folder.mkdir(parents=True)
    return train_one(config, folder).losses


def _is_tied(model: Any) -> bool:
    return model.get_input_embeddings().weight is model.get_output_embeddings().weight


@contextlib.contextmanager
def _settings(**values: str) -> Iterator[None]:
    """Variables of the environment inside; those of before outside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
