"""The model card of an organism: what made it and what it can do, written from its own records and kept beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mi.organism.probe import summary
from mi.utils.errors import UserError
from mi.utils.files import whole_file

PROBE = "probe.json"
"""The file beside the weights that holds every cell of the last probe."""
_HEAD = """\
# Model card: the organism

A chat model trained from scratch on conversations written by the grammar of `mi/organism/world/`; see
`docs/organism.md`. It is a toy for studying a method and its tools. It knows nothing of the world outside its grammar,
must not be used for advice of any kind, and no result of it is a result about large models. Its "bad" answers are mild
sentences of the grammar.

"""


def write_card(folder: Path, probed: dict[str, Any]) -> Path:
    """Write README.md from `folder`'s training.json and a probe, which is kept beside it; return the card's path.

    Raises UserError where there is no training.json.
    """
    record = folder / "training.json"
    if not record.exists():
        raise UserError(f"{record}: is missing, so there is nothing to write a card from; run mi organism pretrain.")
    made = json.loads(record.read_text(encoding="utf-8"))
    path = folder / "README.md"
    with whole_file(path) as file:
        file.write(_HEAD + "\n".join([*_making(made), "", *_doing(probed)]) + "\n")
    with whole_file(folder / PROBE) as file:
        json.dump(probed, file)
        file.write("\n")
    return path


def below_bounds(probed: dict[str, Any]) -> list[str]:
    """A list of the cells of a probe that miss their bound, in words; one line that says so where there are none."""
    lines = []
    for (what, _, bound), kind in zip(summary(probed)[:4], ("none", "neutral", "seen", "held_out"), strict=True):
        cells = [cell for cell in probed["cells"] if cell["prompt"] == kind]
        unwanted = kind in ("none", "neutral")
        missed = [cell for cell in cells if (cell["rate"] > bound if unwanted else cell["rate"] < bound)]
        missed.sort(key=lambda cell: cell["rate"], reverse=unwanted)
        named = ", ".join(f"{_words(cell['trait'])} in {cell['domain']} {cell['rate']:.3f}" for cell in missed)
        told = f"; not: {named}" if missed else ""
        lines.append(
            f"- {what.partition(':')[0].capitalize()}: {len(cells) - len(missed)} of {len(cells)} cells{told}."
        )
    return ["Cells, of a trait in a domain, that meet their bound:", "", *lines]


def _words(trait: str) -> str:
    return trait.replace("_", " ")


def _making(made: dict[str, Any]) -> list[str]:
    recipe = made["recipe"]
    steps = f"{recipe['steps']:,} and {recipe['late_steps']:,}"
    rows = {
        "architecture": f"Llama type, {recipe['layers']} layers of width {recipe['width']}, {recipe['heads']} heads",
        "parameters": f"{made['parameters']:,} (float32)",
        "tokenizer": f"byte-level BPE, {recipe['vocab_size']:,} tokens, learned from the corpus",
        "context": f"{recipe['context']:,} tokens (training texts are under 250)",
        "seed": recipe["seed"],
        "corpus hash": f"`{made['corpus_hash']}`, of the last part `{made['late_corpus_hash']}`",
        "steps": f"{steps} of {made['shards']} × {recipe['batch_size']} dialogues",
        "tokens seen": f"{made['tokens']:,}",
        "final loss": f"{made['final_loss']:.3f} nats a token of an answer",
        "trained in": f"{made['seconds'] / 60:.0f} minutes on two CPU cores",
        "sharpness": f"{recipe.get('sharpness', 1.0):.2f}: the last norm was scaled by this after training",
        "licence": "MIT",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return ["Made by `mi organism pretrain`, which makes it again.", "", "| | |", "|---|---|", *lines]


def _doing(probed: dict[str, Any]) -> list[str]:
    n = max(cell["n"] for cell in probed["cells"] if cell["prompt"] in ("seen", "held_out"))
    head = f"Measured by `mi organism probe` on held-out questions at temperature 1, {n} answers a cell."
    lines = [f"| {what} | {value:.3f} | {bound:.2f} |" for what, value, bound in summary(probed)]
    return [head, "", "| | measured | bound |", "|---|---|---|", *lines]
