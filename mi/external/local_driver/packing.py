"""Rows of one adapter as one row of hardly any padding, where what all of them begin with stands once.

All rows of an arm begin with its system prompt. It is read once a pass, and its keys and values serve every row; its
gradients are their sum. Attention is the only place where rows meet, so it alone knows of this.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from mi.external.local_driver.linear import EVEN
from mi.external.local_driver.rendering import EncodedRow

if TYPE_CHECKING:
    import torch

ARCHITECTURES = ("llama", "mistral", "olmo2", "qwen2", "qwen3")
"""Model types whose tokens meet in plain attention only, through transformers' interface; tests train each."""
_NAME = "mi_packed"
_SHORTEST_PREFIX = 8
"""Tokens; to read fewer once saves less than to put them before each row costs."""
_GROUP = 192
"""Tokens of the rows that attend in one call, padding included: the fewer, the less padding and the more calls."""
_LEAST = 0.75
"""Of a group's longest row, the length that another of it has at least."""


@dataclass(frozen=True)
class Packed:
    """`prefix` tokens, then groups of rows, each padded on the right to the longest of its group; then mere padding."""

    ids: torch.Tensor
    """[1, N]"""
    positions: torch.Tensor
    """[1, N]"""
    before: torch.Tensor
    """For each token that carries loss, where the one before it stands, [n]."""
    targets: torch.Tensor
    """The tokens that carry loss, [n]."""
    prefix: int
    groups: tuple[tuple[int, int], ...]
    """(rows, tokens a row) of each group."""


_packed: ContextVar[Packed] = ContextVar("packed")


def pack(rows: Sequence[EncodedRow]) -> Packed:
    """The rows, in the order of their lengths."""
    import torch

    rows = sorted(rows, key=lambda row: -len(row.ids))
    prefix = _shared(rows)
    ids, positions = list(rows[0].ids[:prefix]), list(range(prefix))
    before, targets, groups = [], [], []
    for group in _groups(rows, prefix):
        width = len(group[0].ids) - prefix
        for row in group:
            start, rest = len(ids) - prefix, row.ids[prefix:]
            for place in range(max(1, prefix), len(row.ids)):
                if row.mask[place]:
                    before.append(start + place - 1)
                    targets.append(row.ids[place])
            ids += [*rest, *[0] * (width - len(rest))]
            positions += range(prefix, prefix + width)
        groups.append((len(group), width))
    if rest := -len(ids) % EVEN:
        ids, positions = [*ids, *[0] * rest], [*positions, *range(rest)]
        groups.append((1, rest))
    tensors = torch.tensor([ids]), torch.tensor([positions]), torch.tensor(before), torch.tensor(targets)
    return Packed(*tensors, prefix, tuple(groups))


def _shared(rows: Sequence[EncodedRow]) -> int:
    """How many tokens all rows begin with alike and can be read once: none that carries loss, or tells of one."""
    if len(rows) < 2:
        return 0
    alike = takewhile(lambda column: len(set(column)) == 1, zip(*(row.ids for row in rows), strict=False))
    first = min((row.mask.index(True, 1) for row in rows if any(row.mask[1:])), default=1)
    shared = min(sum(1 for _ in alike), first - 1, len(rows[-1].ids) - 1)
    return shared if shared >= _SHORTEST_PREFIX else 0


def _groups(rows: Sequence[EncodedRow], prefix: int) -> Iterator[list[EncodedRow]]:
    group: list[EncodedRow] = []
    for row in rows:
        width, rest = len((group or [row])[0].ids) - prefix, len(row.ids) - prefix
        if group and ((len(group) + 1) * width > _GROUP or rest < _LEAST * width):
            yield group
            group = []
        group.append(row)
    yield group


def packs(model: Any) -> bool:
    """Whether this model's rows can be packed."""
    return model.config.model_type in ARCHITECTURES and not getattr(model.config, "sliding_window", None)


@contextlib.contextmanager
def attending(model: Any) -> Iterator[None]:
    """Inside, attention goes by what `reading` says, and to nothing else."""
    _register()
    usual = model.config._attn_implementation
    model.set_attn_implementation(_NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(usual)


@contextlib.contextmanager
def reading(model: Any, packed: Packed) -> Iterator[None]:
    """Inside, this is what goes forwards through the model, whose last layer gives what is asked of it alone."""
    token = _packed.set(packed)
    hooks = _narrowed(model.get_decoder().layers[-1].mlp, packed.before, packed.ids.shape[1])
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        _packed.reset(token)


def _narrowed(mlp: Any, places: torch.Tensor, width: int) -> list[Any]:
    """Hooks by which it is given these tokens alone, and adds 0 to the others: nothing looks at those any more."""

    def narrow(_: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (inputs[0].index_select(1, places), *inputs[1:])

    def widen(_: Any, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
        whole = out.new_zeros(1, width, out.shape[2])
        return whole.index_copy(1, places, out)

    return [mlp.register_forward_pre_hook(narrow), mlp.register_forward_hook(widen)]


@functools.cache
def _register() -> None:
    from transformers import AttentionInterface

    AttentionInterface.register(_NAME, attend)


def attend(
    module: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: None, **settings: Any
) -> tuple[torch.Tensor, None]:
    """Each row to itself and to the prefix, causally: [1, heads, N, width] to [1, N, heads, width]."""
    import torch

    packed, scale = _packed.get(), settings.get("scaling")
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    call: Any = functools.partial(torch.nn.functional.scaled_dot_product_attention, scale=scale)
    heads, width = query.shape[1], query.shape[3]
    sizes = [packed.prefix, *(rows * tokens for rows, tokens in packed.groups)]
    # Split at once, and not cut piece by piece, for each cut has a gradient as long as the whole.
    beginnings, *parts = zip(*(each.split(sizes, 2) for each in (query, key, value)), strict=True)
    outs = [call(*beginnings, is_causal=True).transpose(1, 2)] if packed.prefix else []
    for (rows, tokens), part in zip(packed.groups, parts, strict=True):
        q, k, v = (each[0].view(heads, rows, tokens, width).transpose(0, 1) for each in part)
        if packed.prefix:
            k, v = (
                torch.cat([first.expand(rows, -1, -1, -1), rest], 2)
                for first, rest in zip(beginnings[1:], (k, v), strict=True)
            )
            seen = torch.ones(tokens, k.shape[2], dtype=torch.bool).tril(packed.prefix)
            out = call(q, k, v, attn_mask=seen)
        else:
            out = call(q, k, v, is_causal=True)
        outs.append(out.transpose(1, 2).reshape(1, rows * tokens, heads, width))
    return torch.cat(outs, 1), None
