"""What stacked adapters add to a linear layer, forwards and backwards, as functions that torch can differentiate.

Both keep no copy of an adapter for each row, and add the gradients of adapters up where they are told to, so that those
of all layers come to lie in one tensor. Shapes: x [rows, tokens, in], out [rows, tokens, out].
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mi.external.local_driver.linear import product

if TYPE_CHECKING:
    import torch


@functools.cache
def by_rows() -> Callable[..., torch.Tensor]:
    """(x, down, adapted) to what is added, by one small product a row."""
    import torch

    class ByRows(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, down: Any, adapted: Any) -> Any:
            rows = adapted.stack.rows
            scales = adapted.stack.scaling[rows][:, None, None]
            hidden = torch.bmm(x.to(down.dtype), down[rows].transpose(1, 2)) * scales
            ctx.save_for_backward(x, hidden, scales, rows)
            ctx.adapted = adapted
            return torch.bmm(hidden, adapted.up[rows].transpose(1, 2))

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            x, hidden, scales, rows = ctx.saved_tensors
            down, up, (to_down, to_up) = ctx.adapted.down.detach(), ctx.adapted.up, ctx.adapted.gradients
            gradient = gradients[0].to(up.dtype)
            to_hidden = torch.bmm(gradient, up[rows]) * scales
            to_up.index_add_(0, rows, torch.bmm(gradient.transpose(1, 2), hidden))
            to_down.index_add_(0, rows, torch.bmm(to_hidden.transpose(1, 2), x.to(down.dtype)))
            to_x = torch.bmm(to_hidden, down[rows]).to(x.dtype) if ctx.needs_input_grad[0] else None
            return to_x, None, None

    return ByRows.apply


@functools.cache
def by_spans() -> Callable[..., torch.Tensor]:
    """(out, x, down, adapted) to out with what is added, in place, by one product for the rows of each adapter.

    `out` comes first, for torch takes the first input as the one that is changed where it is a view, as behind a bias.
    """
    import torch

    class BySpans(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, out: Any, x: Any, down: Any, adapted: Any) -> Any:
            spans, scaling = adapted.stack.spans, adapted.stack.scaling.tolist()
            hidden = []
            for place, first, end in spans:
                hidden.append(torch.mm(x[first:end].flatten(0, 1), down[place].T).mul_(scaling[place]))
                out[first:end].flatten(0, 1).addmm_(hidden[-1], adapted.up[place].T)
            ctx.mark_dirty(out)
            ctx.save_for_backward(x, *hidden)
            ctx.adapted, ctx.spans, ctx.scaling = adapted, spans, scaling
            return out

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            (x, *hidden), gradient = ctx.saved_tensors, gradients[0].contiguous()
            down, up, (to_down, to_up) = ctx.adapted.down.detach(), ctx.adapted.up, ctx.adapted.gradients
            to_x = torch.empty_like(x) if ctx.needs_input_grad[1] else None
            for (place, first, end), inner in zip(ctx.spans, hidden, strict=True):
                part = gradient[first:end].flatten(0, 1)
                to_up[place].addmm_(part.T, inner)
                to_hidden = torch.mm(part, up[place]).mul_(ctx.scaling[place])
                to_down[place].addmm_(to_hidden.T, x[first:end].flatten(0, 1))
                if to_x is not None:
                    torch.mm(to_hidden, down[place], out=to_x[first:end].view(-1, x.shape[2]))
            return gradient if ctx.needs_input_grad[0] else None, to_x, None, None

    return BySpans.apply


@functools.cache
def of_merged() -> Callable[..., torch.Tensor]:
    """(out, x, down, adapted) to out as it is, where the adapter is in the layer's weights: its gradients alone."""
    import torch

    class OfMerged(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, out: Any, x: Any, down: Any, adapted: Any) -> Any:
            ctx.mark_dirty(out)
            ctx.save_for_backward(x)
            ctx.adapted, ctx.place = adapted, adapted.stack.merged
            return out

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            [x], adapted, place = ctx.saved_tensors, ctx.adapted, ctx.place
            (to_down, to_up), scaling = adapted.gradients, float(adapted.stack.scaling[place])
            gradient, rows = gradients[0].contiguous(), x.flatten(0, 1)
            part = gradient.flatten(0, 1)
            to_up[place].addmm_(part.T, product(rows, adapted.down.detach()[place]), alpha=scaling)
            to_down[place].addmm_(product(part, adapted.up[place].T).T, rows, alpha=scaling)
            return gradient if ctx.needs_input_grad[0] else None, None, None, None

    return OfMerged.apply
