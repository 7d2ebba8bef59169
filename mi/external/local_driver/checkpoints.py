"""Where a run stands in the middle of its training, in one file in its folder, so that it can go on from there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mi.utils.files import whole_file

if TYPE_CHECKING:
    import torch

SECONDS = 60.0
"""Between two checkpoints of a run."""
FILE = "checkpoint.safetensors"
_TENSORS = ("values", "first", "second")


@dataclass(frozen=True)
class State:
    """What a run has done so far."""

    step: int
    losses: tuple[float, ...]
    tokens: int
    trained_tokens: int
    seconds: float = 0.0


def write(folder: Path, state: State, tensors: Sequence[torch.Tensor]) -> None:
    """Keep a run's state, its adapter's numbers and the two moments of its optimiser, each [P]."""
    from safetensors.torch import save

    named = {name: tensor.detach().cpu().contiguous() for name, tensor in zip(_TENSORS, tensors, strict=True)}
    with whole_file(folder / FILE, "wb") as file:
        file.write(save(named, {"state": json.dumps(asdict(state))}))


def read(folder: Path, size: int) -> tuple[State, tuple[torch.Tensor, ...]] | None:
    """What `write` kept of an adapter of `size` numbers; None where there is nothing, or nothing that can be used."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(folder / FILE), "pt") as file:
            state = json.loads(file.metadata()["state"])
            tensors = tuple(file.get_tensor(name) for name in _TENSORS)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None
    if any(tensor.shape != (size,) for tensor in tensors):
        return None
    return State(**{**state, "losses": tuple(state["losses"])}), tensors


def drop(folder: Path) -> None:
    """Remove the checkpoint, if there is one."""
    (folder / FILE).unlink(missing_ok=True)
