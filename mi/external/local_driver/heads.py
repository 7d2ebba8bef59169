"""The loss of tokens from the states before them, some at a time, so that the logits of all never lie in memory.

The head is frozen, so that its loss has one gradient only: that of the states, which is made beside the loss.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from mi.external.local_driver.linear import EVEN, is_linear, product

if TYPE_CHECKING:
    import torch

_AT_ONCE = 64
"""Rows. Fewer would make the products slower, and more of a small vocabulary would leave the processor's cache."""


def is_plain(head: Any) -> bool:
    """Whether logits are products with a frozen matrix and nothing else."""
    return is_linear(head) and head.bias is None and not head.weight.requires_grad


@functools.cache
def weighted_losses() -> Callable[..., torch.Tensor]:
    """(states [n, width], matrix [vocabulary, width], targets [n], weights [n]) to weight · loss in nats, [n].

    As `cross_entropy` of the logits; gradients go to the states.
    """
    import torch

    class WeightedLosses(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, states: Any, matrix: Any, targets: Any, weights: Any) -> Any:
            gradient, losses = torch.empty_like(states), torch.empty_like(weights)
            for part in _parts(len(states)):
                losses[part], gradient[part] = _some(states[part], matrix, targets[part, None], weights[part, None])
            ctx.save_for_backward(gradient)
            return losses

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            return ctx.saved_tensors[0] * gradients[0][:, None], None, None, None

    return WeightedLosses.apply


def _parts(n: int) -> Iterator[slice]:
    """The places of n rows, some at a time, of which all but the last are a multiple of EVEN."""
    start = 0
    while start < n:
        left = n - start
        end = start + min(_AT_ONCE, left // EVEN * EVEN or left)
        yield slice(start, end)
        start = end


def _some(
    states: torch.Tensor, matrix: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The weighted losses of some rows, [m], and the gradients of their states, [m, width].

    Targets and weights are [m, 1].
    """
    logits = product(states, matrix).float()
    wanted, most = logits.gather(1, targets), logits.amax(1, keepdim=True)
    parts = logits.sub_(most).exp_()
    total = parts.sum(1, keepdim=True)
    losses = (total.log() + most - wanted) * weights
    # The softmax is divided by its sum behind the product, where it is narrow.
    gradient = product(parts.to(matrix.dtype), matrix.T).float() * (weights / total)
    return losses.squeeze(1), (gradient - matrix[targets.squeeze(1)].float() * weights).to(matrix.dtype)
