"""One forward and backward pass over the batches of many runs, in pieces of rows of like length that memory holds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from mi.external.local_driver.heads import is_plain, weighted_losses
from mi.external.local_driver.packing import attending, pack, packs, reading
from mi.external.local_driver.rendering import EncodedRow
from mi.external.local_driver.rows import n_trained
from mi.external.local_driver.stacking import NotStackable, Stack, values_of
from mi.external.local_driver.training import batched
from mi.utils.errors import UserError

if TYPE_CHECKING:
    import torch

PIECE_TOKENS = {"cpu": 2048, "cuda": 32768}
"""Tokens that go through the model at once, padding included. On a CPU more would only leave its cache; on a GPU half
is tried where memory is short."""
MIXED = ("cuda",)
"""Where one pass takes rows of several adapters. A CPU gains little by that, and a pass of one adapter's rows alone
rounds no sum by the company it is in: there an adapter is to the bit the same however it was trained."""
_COPIES = 6
"""Numbers held for each number of an adapter: itself, its gradient, two moments, and what a step computes."""
_SHARE = 0.5
"""Of the memory that is free, for the adapters; the rest is for the pass."""

Batch = tuple[int, Sequence[EncodedRow]]
"""An adapter's place in the stack, and the rows of its next step."""
Piece = list[tuple[int, EncodedRow]]
"""Rows that go through the model at once, each with its adapter's place."""
Read: TypeAlias = "tuple[torch.Tensor, torch.Tensor]"


class Pass:
    """The base with its stack: gradients and losses of one step of every run."""

    def __init__(self, model: Any, stack: Stack) -> None:
        self._model, self._stack = model, stack
        self._tokens = PIECE_TOKENS["cpu" if model.device.type == "cpu" else "cuda"]
        self._where: Callable[[torch.Tensor], torch.Tensor] = lambda states: states
        self._mixes = model.device.type in MIXED
        self._head = model.get_output_embeddings()
        self._packs = packs(model) and is_plain(self._head) and not self._mixes
        if self._head is None:
            raise NotStackable("it has no output embeddings")

    def run(self, batches: Sequence[Batch]) -> tuple[dict[int, float], dict[int, int], dict[int, int]]:
        """By place: the mean loss in nats a token, the tokens seen, and those that carried loss.

        The stack's gradients are those of each run's own mean loss. Raises UserError where one row is too much.
        """
        import torch

        while True:
            try:
                return self._run(batches)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                longest = max(len(row.ids) for _, rows in batches for row in rows)
                if self._tokens < longest:
                    raise UserError(
                        f"a row of {longest} tokens does not fit into the GPU's memory with the model; set max_length."
                    ) from None
                self._tokens //= 2

    def _run(self, batches: Sequence[Batch]) -> tuple[dict[int, float], dict[int, int], dict[int, int]]:
        import torch

        trained = {place: n_trained(rows) for place, rows in batches}
        tokens = {place: sum(len(row.ids) for row in rows) for place, rows in batches}
        self._stack.gradients.zero_()
        weights = torch.zeros(len(self._stack.values))
        for place, count in trained.items():
            weights[place] = 1 / max(1, count)
        weights = weights.to(self._model.device)
        losses = torch.zeros(len(weights), dtype=torch.float64, device=weights.device)
        handle = self._head.register_forward_pre_hook(self._only_where_loss_is)
        try:
            with attending(self._model) if self._packs else contextlib.nullcontext():
                for piece in self._pieces(batches):
                    self._forward_backward(piece, weights, losses)
        finally:
            handle.remove()
            self._stack.rest()
        found = losses.tolist()
        return {place: found[place] for place in trained}, tokens, trained

    def _pieces(self, batches: Sequence[Batch]) -> list[Piece]:
        """What goes through the model at once, piece by piece."""
        parts = [batches] if self._mixes else [[batch] for batch in batches]
        return [piece for part in parts for piece in _pieces(part, self._tokens)]

    def _forward_backward(self, piece: Piece, weights: torch.Tensor, losses: torch.Tensor) -> None:
        weighted, owners = (self._packed if self._packs else self._padded)(piece, weights)
        weighted.sum().backward()
        losses.index_add_(0, owners, weighted.detach().double())

    def _packed(self, piece: Piece, weights: torch.Tensor) -> Read:
        """As `_padded`, for rows of one adapter and a model whose logits are a product."""
        import torch

        packed, place = pack([row for _, row in piece]), piece[0][0]
        self._stack.set_alone(place, packed.ids.shape[1])
        with reading(self._model, packed):
            read = self._model.get_decoder()(input_ids=packed.ids, position_ids=packed.positions, use_cache=False)
        states = read.last_hidden_state[0].index_select(0, packed.before)
        owners = torch.full_like(packed.targets, place)
        return weighted_losses()(states, self._head.weight, packed.targets, weights[owners]), owners

    def _padded(self, piece: Piece, weights: torch.Tensor) -> Read:
        """(loss in nats times its adapter's weight, adapter) of each token that carries loss, [n]."""
        import torch
        from torch.nn.functional import cross_entropy

        ids, _, carries = batched([row for _, row in piece], self._model.device)
        asked = carries[:, 1:]
        self._where = lambda states: states[:, :-1][asked]
        self._stack.route(places := [place for place, _ in piece])
        # Padding stands on the right, where no token looks: no mask is needed, and none costs less.
        logits, targets = self._model(input_ids=ids, use_cache=False).logits, ids[:, 1:][asked]
        if logits.shape[:-1] != targets.shape:
            raise NotStackable("it does not read its logits off its last layer token by token")
        owners = torch.tensor(places, device=ids.device)[:, None].expand_as(asked)[asked]
        return cross_entropy(logits.float(), targets, reduction="none") * weights[owners], owners

    def _only_where_loss_is(self, head: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Of the last layer's [rows, tokens, width], the states before each token that carries loss: [those, width]."""
        return (self._where(inputs[0]), *inputs[1:])


def at_once(peft: Any, n: int) -> int:
    """How many of n adapters may be trained together, at least one: as many as fit into half of the free memory."""
    values = values_of(peft)
    return max(1, min(n, int(_SHARE * free_memory(values.device) / (_COPIES * values.numel() * values.element_size()))))


def free_memory(device: torch.device) -> int:
    """Bytes: what a GPU has free, or a quarter of what this machine has, for others work on it."""
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4


def _pieces(batches: Sequence[Batch], tokens: int) -> list[Piece]:
    """All rows with their adapter's place, cut by length, so that no piece has more than `tokens` with padding.

    Within a piece the rows of one adapter stand together.
    """
    pairs = sorted(((place, row) for place, rows in batches for row in rows), key=lambda pair: -len(pair[1].ids))
    pieces: list[Piece] = []
    for pair in pairs:
        if not pieces or (len(pieces[-1]) + 1) * len(pieces[-1][0][1].ids) > tokens:
            pieces.append([])
        pieces[-1].append(pair)
    return [sorted(piece, key=lambda pair: pair[0]) for piece in pieces]
