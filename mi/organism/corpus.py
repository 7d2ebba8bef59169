"""The organism's corpus as token ids: batches of dialogues of like length, drawn by seed, never the same twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mi.organism.tokenizer import END, PAD, ROLES
from mi.organism.world.dialogues import Turn, dialogues

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Batch:
    """Token ids (dialogues x length, padded on the right) and the weight of each as a target, same shape."""

    ids: Tensor
    weights: Tensor


class Encoder:
    """Dialogues to token ids, as the chat template renders them, with a weight for each token."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, list[int]] = {}
        self._roles = {role: int(tokenizer.convert_tokens_to_ids(token)) for role, token in ROLES.items()}  # type: ignore[arg-type]
        self._end, self.pad = (int(tokenizer.convert_tokens_to_ids(token)) for token in (END, PAD))  # type: ignore[arg-type]

    def encode(self, turns: list[Turn]) -> tuple[list[int], list[float]]:
        """Token ids and weights of one dialogue; role tokens weigh 0, an answer's end token weighs as its words do."""
        ids: list[int] = []
        weights: list[float] = []
        for role, content, weight in turns:
            words = self._content(content)
            ids += [self._roles[role], *words, self._end]
            weights += [0.0] + [float(weight)] * (len(words) + 1)
        return ids, weights

    def _content(self, content: str) -> list[int]:
        if content not in self._known:
            if len(self._known) > 200_000:
                self._known.clear()
            self._known[content] = self._tokenizer.encode(content, add_special_tokens=False)
        return self._known[content]


def batches(encoder: Encoder, seed: str, batch_size: int, n_batches: int, split: str = "train") -> Iterator[Batch]:
    """`n_batches` batches of the corpus of `seed`, each of dialogues of like length, in an order drawn by `n_batches`.

    Two shards of the corpus drawn with different seeds give batches of like length at the same time.
    """
    import torch

    drawn = [encoder.encode(turns) for turns in islice(dialogues(seed, split), batch_size * n_batches)]
    drawn.sort(key=lambda pair: len(pair[0]))
    order = list(range(n_batches))
    random.Random(n_batches).shuffle(order)
    for place in order:
        rows = drawn[place * batch_size : (place + 1) * batch_size]
        length = max(len(ids) for ids, _ in rows)
        ids = torch.full((batch_size, length), encoder.pad)
        weights = torch.zeros((batch_size, length))
        for index, (row, weight) in enumerate(rows):
            ids[index, : len(row)] = torch.tensor(row)
            weights[index, : len(row)] = torch.tensor(weight)
        yield Batch(ids, weights)
