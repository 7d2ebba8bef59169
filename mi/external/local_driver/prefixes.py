"""What several rows of a batch begin with goes through the model once: which rows share it, and a copy for each."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def sharing(prefixes: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """(the first place of each distinct prefix, for each place the number of its prefix among the distinct ones)."""
    numbers: dict[Hashable, int] = {}
    first: list[int] = []
    for place, prefix in enumerate(prefixes):
        if prefix not in numbers:
            numbers[prefix] = len(first)
            first.append(place)
    return first, [numbers[prefix] for prefix in prefixes]


def spread(
    owners: Sequence[int], logits: torch.Tensor, attention: torch.Tensor, cache: Any
) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """The same of all rows from those of the distinct prefixes, along the first axis; the cache is changed in place."""
    import torch

    places = torch.tensor(owners, device=logits.device)
    cache.reorder_cache(places)
    return logits[places], attention[places], cache
