"""Linear layers by the kernels that suit the processor.

torch multiplies matrices of 32 bits by MKL, which leaves half of what an AMD processor can do unused (110 of 235
Gflop/s a core were measured on one with AVX-512, 105 of 120 with AVX2). oneDNN, which torch brings along, does not.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

EVEN = 16
"""Rows; a number of them that is a multiple of this is best, for each number has a kernel of its own to be made first.
For fewer, calling the kernel takes longer than the product."""
_CPUINFO = Path("/proc/cpuinfo")


def product(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """As torch's `linear`, without gradients: [..., in] and [out, in] to [..., out]."""
    import torch

    suits = weight.dtype == x.dtype == torch.float32 and weight.device.type == "cpu" and _by_onednn()
    if not suits or x.numel() < EVEN * x.shape[-1]:
        return torch.nn.functional.linear(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def suit(model: Any) -> None:
    """Let the linear layers of a model in a processor's memory go by `product`."""
    if not _by_onednn():
        return
    for module in model.modules():
        if is_linear(module):
            module.__class__ = _linear()


def is_linear(module: Any) -> bool:
    """Whether a layer is torch's linear one, with or without `suit`, and nothing that is made of it."""
    from torch import nn

    return type(module) in (nn.Linear, _linear())


@functools.cache
def _by_onednn() -> bool:
    """Whether this is an x86 processor of another maker than Intel, and torch has oneDNN's product."""
    import torch

    try:
        made_by = next(line for line in _CPUINFO.read_text().splitlines() if line.startswith("vendor_id"))
    except (OSError, StopIteration):
        return False
    return "GenuineIntel" not in made_by and hasattr(torch.ops.mkldnn, "_linear_pointwise")


@functools.cache
def _linear() -> type[torch.nn.Linear]:
    import torch

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, weight: Any, bias: Any) -> Any:
            ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
            out = product(x.flatten(0, -2), weight, bias)
            # A view must not be changed in place, as what an adapter adds to this is.
            return torch.ops.aten._unsafe_view(out, [*x.shape[:-1], len(weight)])

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            (x, weight), gradient = ctx.saved_tensors, gradients[0]
            flat = gradient.flatten(0, -2)
            to_x = product(gradient, weight.t()) if ctx.needs_input_grad[0] else None
            to_weight = product(flat.t(), x.flatten(0, -2).t()) if ctx.needs_input_grad[1] else None
            return to_x, to_weight, flat.sum(0) if ctx.needs_input_grad[2] else None

    class Linear(torch.nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            if torch.is_grad_enabled() and (input.requires_grad or self.weight.requires_grad):
                return Product.apply(input, self.weight, self.bias)
            return product(input, self.weight, self.bias)

    return Linear
