"""One token from its logits: the draw, and whether rounding could have made it another."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CLOSE = 3e-5
"""A draw is close where this much probability more or less would make it another. Batches move the sums of
probabilities of the organism and its adapters by 6e-6 (one row against 64, with a cache and without)."""
CLOSE_LOGITS = 4e-4
"""The same for the two best logits at temperature 0; batches move logits by 4e-5."""


@dataclass(frozen=True)
class Choices:
    """How each row of a batch chooses, [rows, 1] each: temperature, top_p, and a number in [0, 1)."""

    temperature: "torch.Tensor"
    top_p: "torch.Tensor"
    uniforms: "torch.Tensor"

    def of(self, places: "torch.Tensor") -> "Choices":
        """Those of some rows."""
        return Choices(self.temperature[places], self.top_p[places], self.uniforms[places])


def choose(logits: "torch.Tensor", choices: Choices) -> tuple["torch.Tensor", "torch.Tensor"]:
    """(tokens, whether close), [rows] each, for logits of [rows, vocabulary].

    The likeliest token at temperature 0, else the inverse of the cumulative distribution at the row's number.
    """
    import torch

    greedy = choices.temperature.squeeze(1) <= 0
    best, ties = torch.zeros_like(greedy, dtype=torch.long), torch.zeros_like(greedy)
    if bool(greedy.any()):
        best = logits.argmax(-1)
        first, second = logits.topk(2, dim=-1).values.unbind(-1)
        ties = first - second < CLOSE_LOGITS
    if bool(greedy.all()):
        return best, ties
    probabilities = (logits / choices.temperature.clamp_min(1e-6)).softmax(-1).double()
    # A low temperature makes differences of logits, and so their rounding, greater.
    close = CLOSE / choices.temperature.clamp(1e-3, 1).double()
    cut = torch.zeros_like(greedy)
    if bool((choices.top_p < 1).any()):
        probabilities, cut = _cut(probabilities, choices.top_p, close)
    cumulative = probabilities.cumsum(-1)
    total = cumulative[:, -1:]
    around = torch.cat([-close, torch.zeros_like(close), close], dim=1)
    drawn = torch.searchsorted(cumulative, choices.uniforms * total + around, right=True)
    drawn = drawn.clamp_max(logits.shape[1] - 1)
    tokens = torch.where(greedy, best, drawn[:, 1])
    return tokens, torch.where(greedy, ties, cut | (drawn[:, 0] != drawn[:, 2]))


def _cut(
    probabilities: "torch.Tensor", top_p: "torch.Tensor", close: "torch.Tensor"
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """The probabilities with the tail beyond top_p set to 0, and whether it is close where the tail begins, [rows].

    A token stays while those likelier than it hold less than top_p together; the likeliest always stays.
    """
    import torch

    ordered, places = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    cuts = top_p < 1
    outside = (before >= top_p) & cuts
    last = ((~outside).sum(-1, keepdim=True) - 1).clamp_min(0)
    edge, beyond = ordered.gather(-1, last), ordered.gather(-1, (last + 1).clamp_max(ordered.shape[-1] - 1))
    near = ((before - top_p).abs() < close).any(-1, keepdim=True) | (edge - beyond < close * edge)
    kept = torch.zeros_like(probabilities).scatter(-1, places, ordered.masked_fill(outside, 0.0))
    return kept, (near & cuts).squeeze(1)
