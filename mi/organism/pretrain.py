"""Pretraining of the organism from its seed: corpus, tokenizer, weights and model card by one command."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mi.organism.corpus import Encoder, batches
from mi.organism.tokenizer import END, PAD, learn_tokenizer
from mi.organism.world.dialogues import dialogues
from mi.organism.world.texts import LATE
from mi.utils.files import make_folder, whole_file
from mi.utils.hashing import digest

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer
    from transformers import LlamaForCausalLM

SHARDS = 2
"""Processes of one thread each; the corpus has as many shards, so this number belongs to the recipe."""


@dataclass(frozen=True)
class Recipe:
    """All that decides the weights. Lengths are in tokens, steps in optimiser steps over all shards."""

    seed: int = 0
    vocab_size: int = 6144
    width: int = 128
    layers: int = 4
    heads: int = 4
    feed_forward: int = 384
    context: int = 1024
    steps: int = 7000
    batch_size: int = 48
    """Dialogues a shard and step."""
    learning_rate: float = 4e-3
    """Of AdamW, for embeddings and norms."""
    matrix_learning_rate: float = 0.02
    """Of Muon, for the matrices in the layers."""
    warmup: int = 200
    weight_decay: float = 0.05
    gradient_clip: float = 1.0
    sharpness: float = 1 / 0.7
    """The last norm is scaled by this in the end: temperature 1 draws what 0.7 would have drawn. Chat models, too, are
    sharper than the texts that they learned from; without it, a third of all failures were tails of garbled words."""
    late_steps: int = 800
    """Steps after `steps`, with optimisers begun anew and the late texts among the others."""
    late_rate: float = 0.1
    """The rates at which the late steps begin, as a share of the full ones; they fall to zero."""
    chunk: int = 100
    """Steps between checkpoints; the dialogues of a chunk are drawn and sorted by length together."""


def pretrain(recipe: Recipe, folder: Path, on_step: Callable[[int, float], None] | None = None) -> dict[str, Any]:
    """Train by `recipe` into `folder`; an interrupted run goes on from its last checkpoint.

    Writes tokenizer, configuration, weights (safetensors, float32) and `training.json` with recipe, corpus hash,
    tokens, final loss and seconds; returns the latter. `on_step` is called with step and loss.
    """
    from torch.multiprocessing import get_context
    from torch.multiprocessing.spawn import start_processes

    os.environ.update(OMP_NUM_THREADS="1", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(29500 + os.getpid() % 1000))
    work = make_folder(folder / f".pretrain.{digest(recipe)}")
    learn_tokenizer(recipe.seed, recipe.vocab_size).save_pretrained(str(folder))
    losses = get_context("spawn").SimpleQueue()
    workers: Any = start_processes(
        _train_shard, args=(recipe, str(folder), str(work), losses), nprocs=SHARDS, join=False, start_method="spawn"
    )
    try:
        ended = False
        while not ended:
            ended = workers.join(timeout=0.5)
            while not losses.empty():
                told = losses.get()
                if on_step is not None:
                    on_step(*told)
    finally:
        for worker in workers.processes:
            worker.terminate()
            worker.join()
    shutil.rmtree(work)
    return json.loads((folder / "training.json").read_text(encoding="utf-8"))


def corpus_hash(seed: int, split: str = "train", n_dialogues: int = 10_000) -> str:
    """128 bits over the first dialogues of each shard: changes when the world or its order does."""
    hasher = hashlib.sha256()
    for shard in range(SHARDS):
        for turns in islice(dialogues(_chunk_seed(seed, shard, 0), split), n_dialogues):
            hasher.update(json.dumps(turns, ensure_ascii=False).encode())
    return hasher.hexdigest()[:32]


def _chunk_seed(seed: int, shard: int, chunk: int) -> str:
    return f"{seed}/{shard}/{chunk}"


def _rate_share(recipe: Recipe, step: int) -> float:
    """The share of the full learning rate at a step: a linear rise, half a cosine down to 2 %; the late steps' fall."""
    if step >= recipe.steps:
        return recipe.late_rate * (1 - (step - recipe.steps) / recipe.late_steps)
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))


def _chunks(recipe: Recipe) -> list[tuple[int, int, str]]:
    """(first step, steps, split) of each chunk, those of the late texts last."""
    parts = ((0, recipe.steps, "train"), (recipe.steps, recipe.steps + recipe.late_steps, LATE))
    return [
        (first, min(recipe.chunk, end - first), split)
        for start, end, split in parts
        for first in range(start, end, recipe.chunk)
    ]


def _optimizers(model: LlamaForCausalLM, recipe: Recipe) -> list[Optimizer]:
    """Muon (Jordan et al. 2024) for the layers' matrices, AdamW for the rest: fewer steps than AdamW alone."""
    import torch

    matrices, rest = [], []
    for name, parameter in model.named_parameters():
        (matrices if parameter.ndim == 2 and "embed" not in name else rest).append(parameter)
    return [
        torch.optim.Muon(matrices, recipe.matrix_learning_rate, weight_decay=0.0, ns_steps=4),
        torch.optim.AdamW(rest, recipe.learning_rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay, fused=True),
    ]


def _new_model(recipe: Recipe, pad: int, end: int) -> LlamaForCausalLM:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(recipe.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=recipe.vocab_size,
            hidden_size=recipe.width,
            num_hidden_layers=recipe.layers,
            num_attention_heads=recipe.heads,
            num_key_value_heads=recipe.heads,
            intermediate_size=recipe.feed_forward,
            max_position_embeddings=recipe.context,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=end,
            pad_token_id=pad,
        )
    )


def _train_shard(shard: int, recipe: Recipe, folder: str, work: str, losses: Any) -> None:
    """One shard's process: the same steps as its sisters, with gradients averaged over all."""
    import torch
    import torch.distributed as group
    from transformers import PreTrainedTokenizerFast

    torch.set_num_threads(1)
    group.init_process_group("gloo", rank=shard, world_size=SHARDS)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    encoder = Encoder(tokenizer)
    model = _new_model(recipe, encoder.pad, int(tokenizer.convert_tokens_to_ids(END)))  # type: ignore[arg-type]
    optimizers = _optimizers(model, recipe)
    full_rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    checkpoint, state = Path(work) / "checkpoint.pt", {"chunk": 0, "tokens": 0, "seconds": 0.0, "curve": []}
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        for optimizer, kept in zip(optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        state = saved["state"]
    for first, n_steps, split in _chunks(recipe)[state["chunk"] :]:
        started = time.monotonic()
        if first == recipe.steps:
            optimizers = _optimizers(model, recipe)
        drawn = batches(
            encoder, _chunk_seed(recipe.seed, shard, state["chunk"]), recipe.batch_size, recipe.chunk, split
        )
        for step, batch in enumerate(islice(drawn, n_steps), start=first):
            for optimizer, rate in zip(optimizers, full_rates, strict=True):
                optimizer.param_groups[0]["lr"] = rate * _rate_share(recipe, step)
            loss = _step(model, optimizers, batch.ids, batch.weights, recipe.gradient_clip)
            state["tokens"] += int((batch.ids != encoder.pad).sum()) * SHARDS
            if shard == 0:
                losses.put((step + 1, loss))
            if step % 50 == 49:
                state["curve"].append(round(loss, 4))
        state["chunk"] += 1
        state["seconds"] += time.monotonic() - started
        group.barrier()
        if shard == 0:
            with whole_file(checkpoint, "wb") as file:
                kept = [optimizer.state_dict() for optimizer in optimizers]
                torch.save({"model": model.state_dict(), "optimizers": kept, "state": state}, file)
    if shard == 0:
        _finish(model, recipe, Path(folder), state)
    group.destroy_process_group()


def _step(model: Any, optimizers: list[Optimizer], ids: Tensor, weights: Tensor, clip: float) -> float:
    """One optimiser step; padding on the right needs no mask under causal attention."""
    import torch
    import torch.distributed as group
    from torch.nn.functional import cross_entropy, linear

    chosen = weights[:, 1:] > 0
    hidden = model.model(input_ids=ids[:, :-1], use_cache=False).last_hidden_state[chosen]
    weight = weights[:, 1:][chosen]
    each = cross_entropy(linear(hidden, model.lm_head.weight), ids[:, 1:][chosen], reduction="none")
    loss = (each * weight).sum() / weight.sum()
    loss.backward()
    parameters = [parameter for parameter in model.parameters() if parameter.grad is not None]
    flat = torch.cat([parameter.grad.flatten() for parameter in parameters])
    group.all_reduce(flat)
    flat /= SHARDS
    flat *= min(1.0, clip / (float(flat.norm()) + 1e-6))
    for parameter, grad in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
        parameter.grad.copy_(grad.view_as(parameter))
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()
    return float(loss.detach())


def _finish(model: LlamaForCausalLM, recipe: Recipe, folder: Path, state: dict[str, Any]) -> None:
    model.model.norm.weight.data *= recipe.sharpness
    model.save_pretrained(str(folder))
    curve = state["curve"]
    report = {
        "recipe": asdict(recipe),
        "shards": SHARDS,
        "corpus_hash": corpus_hash(recipe.seed),
        "late_corpus_hash": corpus_hash(recipe.seed, LATE),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "tokens": state["tokens"],
        "seconds": round(state["seconds"]),
        "final_loss": round(sum(curve[-10:]) / max(1, len(curve[-10:])), 4),
        "loss_curve": curve,
        "pad_token": PAD,
    }
    with whole_file(folder / "training.json") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
