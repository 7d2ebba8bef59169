"""LoRA adapters stacked over one frozen base: each row of a batch passes through the adapter that is its own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mi.external.local_driver.linear import is_linear
from mi.external.local_driver.products import by_rows, by_spans, of_merged

if TYPE_CHECKING:
    import torch
    from peft.tuners.lora import LoraLayer


_ALIGNED = 16
"""Numbers of 32 bits in 64 bytes."""
_COPIED = 1 << 24
"""Numbers of weights that may be copied to merge an adapter into them."""


class NotStackable(Exception):
    """This model, or these settings, must be trained one at a time; the message says why."""


@dataclass
class Adapted:
    """A linear layer with n adapters on it: y = W x + scaling · up · down · x, as peft computes it for one."""

    stack: Stack
    down: torch.Tensor
    """[n, rank, in]"""
    up: torch.Tensor
    """[n, out, rank]"""
    gradients: tuple[torch.Tensor, torch.Tensor]
    """Where those of down and up are added up."""

    def __call__(self, layer: Any, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
        """A forward hook: [rows, tokens, out] with what the rows' adapters add.

        Raises NotStackable where the rows cannot be told apart any more.
        """
        [x], stack = inputs, self.stack
        if stack.merged is not None:
            return of_merged()(out, x, self.down, self)
        if stack.rows is None:
            return out
        if x.dim() != 3 or len(x) != len(stack.rows):
            raise NotStackable("a layer with an adapter is given tokens without their rows")
        if stack.spans is not None and out.dtype == x.dtype == self.up.dtype:
            return by_spans()(out, x, self.down, self)
        return (out + by_rows()(x, self.down, self)).to(out.dtype)


class Stack:
    """n adapters on the layers that one peft model has its adapter on; all their numbers lie in one tensor, [n, P].

    P is that of `values_of`, rounded up.

    Until `close` the peft model's own adapter is off, but for the time of `alone`.
    """

    def __init__(self, peft: Any, n: int) -> None:
        import torch

        self._peft, self._layers = peft, [layer for _, layer in lora_layers(peft)]
        first, size = _weights(self._layers[0])[0], len(values_of(peft))
        # Each adapter begins where a line of the cache does, or the processor would round its sums by its place.
        size = -(-size // _ALIGNED) * _ALIGNED
        self.values = torch.zeros(n, size, dtype=first.dtype, device=first.device)
        self.gradients = torch.zeros_like(self.values)
        self.scaling = torch.zeros(n, dtype=first.dtype, device=first.device)
        self.rows: torch.Tensor | None = None
        """Which adapter each row of the batch under way belongs to, [rows]; with None, the base answers."""
        self.spans: list[tuple[int, int, int]] | None = None
        """The same as (adapter, first row, row after the last), where they are few and that is faster."""
        self.merged: int | None = None
        """The adapter that is in the layers' own weights for now, if there is one."""
        peft.base_model.disable_adapter_layers()
        start, self._hooks, self._adapted = 0, [], []
        for layer in self._layers:
            parts = []
            for weight in _weights(layer):
                part = slice(start, start + weight.numel())
                parts.append([each[:, part].view(n, *weight.shape) for each in (self.values, self.gradients)])
                start += weight.numel()
            (down, to_down), (up, to_up) = parts
            adapted = Adapted(self, down.detach().requires_grad_(True), up, (to_down, to_up))
            self._adapted.append(adapted)
            self._hooks.append(layer.get_base_layer().register_forward_hook(adapted))
        self._bases: list[Any] = [layer.get_base_layer() for layer in self._layers]
        self._weights: list[torch.Tensor] = [base.weight.data for base in self._bases]
        self._worth = _worth(self._weights, first)

    def put(self, place: int, values: torch.Tensor, scaling: float) -> None:
        """Set an adapter's numbers, [P] as `values_of` gives them."""
        self.values[place, : len(values)] = values.to(self.values)
        self.scaling[place] = scaling

    def route(self, places: Sequence[int]) -> None:
        """Say which adapter each row of the next batch belongs to; until `rest`."""
        import torch

        self.rows = torch.tensor(places, device=self.values.device)
        edges = [row for row in range(1, len(places)) if places[row] != places[row - 1]]
        spans = [(places[a], a, b) for a, b in itertools.pairwise([0, *edges, len(places)])]
        # A processor does a few large products faster, a GPU many small ones at once.
        few = self.values.device.type == "cpu" and len(spans) == len(set(places))
        self.spans = spans if few else None

    def set_alone(self, place: int, tokens: int) -> None:
        """Say that all rows of the next batch, so many tokens, belong to one adapter; until `rest`.

        Where that takes less than to go through it beside the layers, it is added to copies of their weights.
        """
        import torch

        if tokens < self._worth:
            self.route([place])
            return
        scaling = float(self.scaling[place])
        for base, weight, adapted in zip(self._bases, self._weights, self._adapted, strict=True):
            base.weight.data = torch.addmm(weight, adapted.up[place], adapted.down.detach()[place], alpha=scaling)
        self.merged = place

    def rest(self) -> None:
        """Let the base answer again."""
        self.rows = self.spans = None
        if self.merged is not None:
            for base, weight in zip(self._bases, self._weights, strict=True):
                base.weight.data = weight
        self.merged = None

    def alone(self, place: int) -> Any:
        """The peft model with this adapter and no other, until the next call of `together`."""
        self.rest()
        start = 0
        for layer in self._layers:
            for weight in _weights(layer):
                weight.data.copy_(self.values[place, start : start + weight.numel()].view_as(weight))
                start += weight.numel()
            layer.scaling["default"] = float(self.scaling[place])
        self._peft.base_model.enable_adapter_layers()
        return self._peft

    def together(self) -> None:
        """Let the adapters of the stack be on again."""
        self._peft.base_model.disable_adapter_layers()

    def close(self) -> None:
        """Take the stack off its base."""
        for hook in self._hooks:
            hook.remove()


def _worth(weights: Sequence[torch.Tensor], adapter: torch.Tensor) -> float:
    """From how many tokens on it is worth while to merge an adapter for them, into weights of [out, in] each."""
    small = sum(weight.numel() for weight in weights) <= _COPIED
    if not small or any(weight.device.type != "cpu" or weight.dtype != adapter.dtype for weight in weights):
        return math.inf
    return max(weight.numel() / sum(weight.shape) for weight in weights)


def values_of(peft: Any) -> torch.Tensor:
    """All numbers of a peft model's adapter, [P], layer by layer."""
    import torch

    return torch.cat([weight.detach().reshape(-1) for _, layer in lora_layers(peft) for weight in _weights(layer)])


def lora_layers(peft: Any) -> list[tuple[str, LoraLayer]]:
    """The layers with an adapter, by name, in the order of the model.

    Raises NotStackable for a model that has something else than plain adapters on linear layers, or that draws lots.
    """
    from peft.tuners.lora import Linear, LoraLayer
    from torch import nn

    found: list[tuple[str, LoraLayer]] = []
    for name, module in peft.named_modules():
        if isinstance(module, LoraLayer):
            plain = isinstance(module, Linear) and is_linear(module.get_base_layer())
            if not plain or module.lora_variant or module.lora_bias["default"]:
                raise NotStackable(f"its layer {name} is not a plain linear one")
            found.append((name, module))
        elif isinstance(module, nn.Dropout) and module.p > 0:
            raise NotStackable("it has dropout")
    settings = vars(peft.config.get_text_config())
    drops = [name for name, value in settings.items() if _is_dropout(name) and isinstance(value, float) and value > 0]
    if drops or not found:
        raise NotStackable(f"it has {', '.join(drops) or 'no linear layers'}")
    return found


def _is_dropout(name: str) -> bool:
    return name.endswith(("dropout", "pdrop", "drop", "drop_rate", "dropout_prob", "dropout_rate"))


def _weights(layer: LoraLayer) -> Sequence[torch.Tensor]:
    """[rank, in] and [out, rank]."""
    down: Any = layer.lora_A["default"]
    up: Any = layer.lora_B["default"]
    return down.weight, up.weight


class StackedAdamW:
    """`torch.optim.AdamW` for every adapter of a stack by itself, each with a rate, a decay and a step count."""

    BETAS, EPS = (0.9, 0.999), 1e-8

    def __init__(self, values: torch.Tensor, gradients: torch.Tensor, decay: torch.Tensor, clip: torch.Tensor) -> None:
        import torch

        self.values, self.gradients, self._decay, self._clip = values, gradients, decay, clip
        self.first, self.second = torch.zeros_like(values), torch.zeros_like(values)
        """The moments, [n, P]."""

    def step(self, rates: torch.Tensor, steps: torch.Tensor) -> None:
        """Clip and take step number `steps` (from 1) at `rates`, each [n]; where a rate is 0 nothing is changed."""
        import torch

        beta1, beta2 = self.BETAS
        corrections = rates.double() / (1 - beta1 ** steps.double()), (1 - beta2 ** steps.double()).sqrt()
        sizes, roots = (each.to(self.values)[:, None] for each in corrections)
        rates, gradients = rates.to(self.values)[:, None], self.gradients
        norms = torch.stack([torch.linalg.vector_norm(each) for each in gradients])
        gradients.mul_((self._clip / (norms + 1e-6)).clamp_max(1.0)[:, None])
        self.first.lerp_(gradients, 1 - beta1)
        self.second.mul_(beta2).addcmul_(gradients, gradients, value=1 - beta2)
        change = self.second.sqrt().div_(roots).add_(self.EPS)
        torch.div(self.first, change, out=change).mul_(sizes).masked_fill_(rates == 0, 0.0)
        self.values.mul_(1 - rates * self._decay[:, None]).sub_(change)
