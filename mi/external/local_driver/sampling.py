"""Sampling and scoring in batches: left padding, a cache of keys and values, and a draw of its own for each row."""

import functools
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mi.external.local_driver.models import LoadedModel, load
from mi.external.local_driver.rendering import encode_chat, encode_row, end_token_ids
from mi.llm.data_models import Chat, LLMResponse, Message, Model, SampleRequest, TokenLogprob
from mi.utils.errors import UserError
from mi.utils.hashing import digest

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

BATCH_SIZE = 64


def sample(model: Model, requests: Sequence[SampleRequest], batch_size: int = BATCH_SIZE) -> list[LLMResponse]:
    """One response a request, in the order of the requests.

    A row's random numbers come of (model, chat, seed) and of nothing else, so batch-mates do not enter, and neither two
    questions nor two models share a draw. `top_logprobs` 0 reports no log-probabilities; otherwise those of all sampled
    tokens are reported, the end token included. Raises UserError for a prompt that fills the context.
    """
    loaded = load(model)
    rows = [_Row(request, encode_chat(loaded.tokenizer, request.chat), loaded) for request in requests]
    order = sorted(range(len(rows)), key=lambda index: (-len(rows[index].prompt), rows[index].limit))
    for start in range(0, len(order), batch_size):
        _Batch(loaded, [rows[index] for index in order[start : start + batch_size]]).run()
    return [row.response(loaded.tokenizer) for row in rows]


def score(model: Model, pairs: Sequence[tuple[Chat, str]], batch_size: int = 32) -> list[float]:
    """Log-probability in nats of each completion behind its chat, its end token included."""
    import torch

    loaded = load(model)
    rows = [encode_row(loaded.tokenizer, (*chat, Message("assistant", text)), last_only=True) for chat, text in pairs]
    scores = [0.0] * len(rows)
    order = sorted(range(len(rows)), key=lambda index: len(rows[index].ids))
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        ids, attention = _left_padded([rows[index].ids for index in chosen], loaded)
        mask, _ = _left_padded([tuple(map(int, rows[index].mask)) for index in chosen], loaded)
        with torch.inference_mode():
            logits = loaded.model(**_positioned(loaded, ids, attention), use_cache=False).logits[:, :-1].float()
            picked = logits.gather(2, ids[:, 1:, None]).squeeze(2) - logits.logsumexp(2)
            sums = (picked.double() * mask[:, 1:]).sum(1).tolist()
        for index, value in zip(chosen, sums, strict=True):
            scores[index] = value
    return scores


@dataclass
class _Row:
    """One request on its way: what was drawn so far."""

    request: SampleRequest
    prompt: list[int]
    loaded: LoadedModel
    drawn: list[int] = field(default_factory=list)
    logprobs: list[tuple[float, tuple[tuple[int, float], ...]]] = field(default_factory=list)
    ended: bool = False

    def __post_init__(self) -> None:
        room = self.loaded.context_length - len(self.prompt)
        if room < 1:
            opening = self.request.chat[-1].content[:40] if self.request.chat else ""
            raise UserError(
                f"the prompt that ends in {opening!r}… has {len(self.prompt)} tokens and fills the model's context of "
                f"{self.loaded.context_length}; shorten it."
            )
        self.limit = min(self.request.cfg.max_tokens, room)

    def uniforms(self) -> list[float]:
        """`limit` numbers in [0, 1) that belong to this row of this model."""
        import numpy

        words = [[message.role, message.content] for message in self.request.chat]
        key = int(digest([self.loaded.fingerprint, words, self.request.seed]), 16)
        return numpy.random.Generator(numpy.random.Philox(key=key)).random(self.limit).tolist()

    def response(self, tokenizer: "PreTrainedTokenizerBase") -> LLMResponse:
        """What was drawn as text; special tokens are left out, white space is kept."""
        ids = self.drawn[:-1] if self.ended else self.drawn
        text = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        logprobs = [
            TokenLogprob(_spelled(tokenizer, token), value, tuple((_spelled(tokenizer, t), v) for t, v in top))
            for token, (value, top) in zip(self.drawn, self.logprobs, strict=False)
        ]
        stop = "stop" if self.ended else "length"
        return LLMResponse(str(text), stop, tuple(logprobs), len(self.prompt), len(self.drawn))


@functools.lru_cache(maxsize=65536)
def _spelled(tokenizer: "PreTrainedTokenizerBase", token: int) -> str:
    return str(tokenizer.decode([token], skip_special_tokens=False, clean_up_tokenization_spaces=False))


class _Batch:
    """Rows that go through the model together; finished ones leave once they are half of it."""

    def __init__(self, loaded: LoadedModel, rows: list[_Row]) -> None:
        import torch

        self.loaded, self.rows = loaded, rows
        self.ends = _ends(loaded)
        device = loaded.model.device
        steps = max(row.limit for row in rows)
        padded = [row.uniforms() + [0.0] * (steps - row.limit) for row in rows]
        self.uniforms = torch.tensor(padded, dtype=torch.float64, device=device)
        cfgs = [row.request.cfg for row in rows]
        self.temperature = torch.tensor([cfg.temperature for cfg in cfgs], device=device)[:, None]
        self.top_p = torch.tensor([cfg.top_p for cfg in cfgs], dtype=torch.float64, device=device)[:, None]

    def run(self) -> None:
        """Draw until every row has ended or is full."""
        import torch

        with torch.inference_mode():
            ids, attention = _left_padded([row.prompt for row in self.rows], self.loaded)
            cache: Any = None
            step = 0
            while self.rows:
                inputs = _positioned(self.loaded, ids, attention, last_only=True)
                out = self.loaded.model(**inputs, past_key_values=cache, use_cache=True)
                cache = out.past_key_values
                drawn = self._draw(out.logits[:, -1].float(), step)
                step += 1
                live = [place for place, row in enumerate(self.rows) if not row.ended and len(row.drawn) < row.limit]
                if not live:
                    return
                attention = torch.cat([attention, attention.new_ones(len(self.rows), 1)], dim=1)
                ids = drawn[:, None]
                if len(live) <= len(self.rows) // 2:
                    ids, attention = self._keep(live, ids, attention, cache)

    def _draw(self, logits: "torch.Tensor", step: int) -> "torch.Tensor":
        """The next token of each row, [rows], noted in the rows that are still going."""
        tokens = _pick(logits, self.temperature, self.top_p, self.uniforms[:, step : step + 1])
        n_top = max(row.request.cfg.top_logprobs for row in self.rows)
        values: list[float] = []
        top_values: list[list[float]] = []
        top_ids: list[list[int]] = []
        if n_top:
            logprobs = logits.log_softmax(-1)
            values = logprobs.gather(1, tokens[:, None]).squeeze(1).tolist()
            top = logprobs.topk(min(n_top, logprobs.shape[1]), dim=1)
            top_values, top_ids = top.values.tolist(), top.indices.tolist()
        for place, (row, token) in enumerate(zip(self.rows, tokens.tolist(), strict=True)):
            if row.ended or len(row.drawn) >= row.limit:
                continue
            row.drawn.append(token)
            row.ended = token in self.ends
            n = row.request.cfg.top_logprobs
            if n:
                pairs = zip(top_ids[place][:n], top_values[place][:n], strict=True)
                row.logprobs.append((values[place], tuple(pairs)))
        return tokens

    def _keep(
        self, live: list[int], ids: "torch.Tensor", attention: "torch.Tensor", cache: Any
    ) -> tuple["torch.Tensor", "torch.Tensor"]:
        import torch

        places = torch.tensor(live, device=ids.device)
        cache.reorder_cache(places)
        self.rows = [self.rows[place] for place in live]
        self.uniforms, self.temperature, self.top_p = (
            self.uniforms[places],
            self.temperature[places],
            self.top_p[places],
        )
        return ids[places], attention[places]


def _pick(
    logits: "torch.Tensor", temperature: "torch.Tensor", top_p: "torch.Tensor", uniforms: "torch.Tensor"
) -> "torch.Tensor":
    """One token a row: the likeliest at temperature 0, else the inverse of the cumulative distribution at `uniforms`.

    Shapes: logits [rows, vocabulary], the others [rows, 1]; returns [rows].
    """
    import torch

    greedy = logits.argmax(-1)
    if not bool((temperature > 0).any()):
        return greedy
    probabilities = (logits / temperature.clamp_min(1e-6)).softmax(-1).double()
    if bool((top_p < 1).any()):
        ordered, places = probabilities.sort(dim=-1, descending=True, stable=True)
        # A token stays while those likelier than it hold less than top_p together; the likeliest always stays.
        outside = (ordered.cumsum(-1) - ordered >= top_p) & (top_p < 1)
        probabilities = torch.zeros_like(probabilities).scatter(-1, places, ordered.masked_fill(outside, 0.0))
    cumulative = probabilities.cumsum(-1)
    drawn = torch.searchsorted(cumulative, uniforms * cumulative[:, -1:], right=True).squeeze(1)
    return torch.where(temperature.squeeze(1) > 0, drawn.clamp_max(logits.shape[1] - 1), greedy)


def _left_padded(rows: Sequence[Sequence[int]], loaded: LoadedModel) -> tuple["torch.Tensor", "torch.Tensor"]:
    """(ids, attention mask), each [rows, longest row]; padding is 0 and stands on the left."""
    import torch

    width = max(len(row) for row in rows)
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], dtype=torch.long)
    attention = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], dtype=torch.long)
    return ids.to(loaded.model.device), attention.to(loaded.model.device)


def _positioned(
    loaded: LoadedModel, ids: "torch.Tensor", attention: "torch.Tensor", last_only: bool = False
) -> dict[str, Any]:
    """The model's inputs; positions count the tokens that are attended to, so that padding does not shift them."""
    model: Any = loaded.model
    accepted = _accepted(type(model.get_base_model() if hasattr(model, "get_base_model") else model))
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": attention}
    if "position_ids" in accepted:
        inputs["position_ids"] = (attention.cumsum(-1) - 1).clamp_min(0)[:, -ids.shape[1] :]
    if last_only and "logits_to_keep" in accepted:
        inputs["logits_to_keep"] = 1
    return inputs


@functools.lru_cache(maxsize=32)
def _accepted(model_class: type) -> frozenset[str]:
    return frozenset(inspect.signature(model_class.forward).parameters)


def _ends(loaded: LoadedModel) -> frozenset[int]:
    declared = getattr(loaded.model.generation_config, "eos_token_id", None)
    more = declared if isinstance(declared, list) else [declared]
    return end_token_ids(loaded.tokenizer) | frozenset(token for token in more if token is not None)
