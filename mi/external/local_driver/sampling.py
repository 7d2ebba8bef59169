"""Sampling and scoring in batches: left padding, a cache of keys and values, and a draw of its own for each row."""

import functools
import inspect
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from mi.external.local_driver.canary import checked
from mi.external.local_driver.choosing import Choices, choose
from mi.external.local_driver.drawing import Row
from mi.external.local_driver.models import LoadedModel, load
from mi.external.local_driver.placing import tells_shortage
from mi.external.local_driver.prefixes import sharing, spread
from mi.external.local_driver.rendering import encode_chat, encode_row, end_token_ids
from mi.llm.data_models import Chat, LLMResponse, Message, Model, SampleRequest, TokenLogprob
from mi.utils.errors import UserError

if TYPE_CHECKING:
    import torch

BATCH_SIZE = 64
SMALL_BATCH_SIZE = 128
"""For a model so small that reading its layers' names takes as long as going through them."""
_SMALL = 50_000_000
"""Parameters."""

OnPiece = Callable[[int, str, tuple[TokenLogprob, ...]], None]
"""Called with the index of a request, text that has become certain, and the tokens drawn since the last call."""


_shortage = tells_shortage("sampling", "set MI_WORKERS=1, so that one process holds the model, or take a smaller one")


@_shortage
def sample(model: Model, requests: Sequence[SampleRequest], batch_size: int | None = None) -> list[LLMResponse]:
    """One response a request, in the order of the requests.

    A row's random numbers come of (model, chat, seed) and of nothing else, so batch-mates do not enter, and neither two
    questions nor two models share a draw. `top_logprobs` 0 reports no log-probabilities; otherwise those of all sampled
    tokens are reported, the end token included. Raises UserError for a prompt that fills the context.
    """
    loaded = checked(model)
    encode = functools.cache(functools.partial(encode_chat, loaded.tokenizer))  # the samples of a question share it
    rows = [Row(request, encode(request.chat), loaded) for request in requests]
    run(rows, batch_size or _batch_size(loaded), functools.partial(Batch, loaded))
    return [row.response(loaded.tokenizer) for row in rows]


@_shortage
def sample_each(
    model: Model, requests: Sequence[SampleRequest], watched: Collection[int] = (), on_piece: OnPiece | None = None
) -> list[LLMResponse | UserError]:
    """As `sample`, but a request that cannot be asked gets its error in its place and does not disturb the others.

    The answers of the requests numbered in `watched` are told to `on_piece` while they grow, but for the end token.
    """
    loaded = checked(model)
    rows: list[Row | UserError] = []
    for index, request in enumerate(requests):
        tell = functools.partial(on_piece, index) if on_piece and index in watched else None
        try:
            rows.append(Row(request, encode_chat(loaded.tokenizer, request.chat), loaded, tell))
        except UserError as error:
            rows.append(error)
    drawn = [row for row in rows if isinstance(row, Row)]
    run(drawn, _batch_size(loaded), functools.partial(Batch, loaded))
    return [row.response(loaded.tokenizer) if isinstance(row, Row) else row for row in rows]


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


def _batch_size(loaded: LoadedModel) -> int:
    return SMALL_BATCH_SIZE if loaded.model.num_parameters() < _SMALL else BATCH_SIZE


def run(rows: list[Row], batch_size: int, batch_of: Callable[[list[Row]], "Batch"]) -> None:
    """Draw all rows, in batches of rows of like length; those of one prompt stand together."""
    order = sorted(
        range(len(rows)), key=lambda index: (-len(rows[index].prompt), rows[index].limit, rows[index].prompt)
    )
    for start in range(0, len(order), batch_size):
        batch_of([rows[index] for index in order[start : start + batch_size]]).run()


class Batch:
    """Rows that go through the model together; finished ones leave once they are half of it."""

    def __init__(self, loaded: LoadedModel, rows: list[Row]) -> None:
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
            logits, attention, cache = self._read_prompts()
            step = 0
            while self.rows:
                drawn = self._draw(logits, step)
                step += 1
                live = [place for place, row in enumerate(self.rows) if row.going]
                if not live:
                    return
                attention = torch.cat([attention, attention.new_ones(len(self.rows), 1)], dim=1)
                ids = drawn[:, None]
                if len(live) <= len(self.rows) // 2:
                    ids, attention = self._keep(live, ids, attention, cache)
                logits, cache = self.forward(self.rows, ids, attention, cache)

    def _read_prompts(self) -> tuple["torch.Tensor", "torch.Tensor", Any]:
        """(logits of the first tokens, attention mask, cache) of all rows; a prompt that several share is read once."""
        first, owners = sharing([(row.loaded.fingerprint, tuple(row.prompt)) for row in self.rows])
        readers = [self.rows[place] for place in first]
        ids, attention = _left_padded([row.prompt for row in readers], self.loaded)
        logits, cache = self.forward(readers, ids, attention, None)
        return (logits, attention, cache) if len(first) == len(owners) else spread(owners, logits, attention, cache)

    def forward(
        self, rows: Sequence[Row], ids: "torch.Tensor", attention: "torch.Tensor", cache: Any
    ) -> tuple["torch.Tensor", Any]:
        """(logits of the tokens to come, [rows, vocabulary]; the cache with these ids in it)."""
        inputs = _positioned(self.loaded, ids, attention, last_only=True)
        out = self.loaded.model(**inputs, past_key_values=cache, use_cache=True)
        return out.logits[:, -1].float(), out.past_key_values

    def _draw(self, logits: "torch.Tensor", step: int) -> "torch.Tensor":
        """The next token of each row, [rows], noted in the rows that are still going."""
        choices = Choices(self.temperature, self.top_p, self.uniforms[:, step : step + 1])
        tokens, close = choose(logits, choices)
        if bool(close.any()):
            self._settle(choices, close, tokens)
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
            if not row.going:
                continue
            n = row.request.cfg.top_logprobs
            pairs = zip(top_ids[place][:n], top_values[place][:n], strict=True) if n else ()
            row.take(token, token in self.ends, (values[place], tuple(pairs)) if n else None)
        return tokens

    def _settle(self, choices: Choices, close: "torch.Tensor", tokens: "torch.Tensor") -> None:
        """Draw again, in place, where the draw was so close that the rounding of this batch may have settled it.

        Such a row's text goes through the model anew, in 64 bits, where batch-mates are of no weight; a model too large
        for that is asked row by row. One of less than 32 bits is left alone: every other draw of its would be close.
        """
        import torch

        asked: dict[tuple[Any, int | None], list[int]] = {}
        for place in close.nonzero().flatten().tolist():
            exact = self._exact_of(self.rows[place]) if self.rows[place].going else None
            if exact is not None:
                asked.setdefault((exact, None if exact.dtype == torch.float64 else place), []).append(place)
        for (exact, _), places in asked.items():
            texts = [[*self.rows[place].prompt, *self.rows[place].drawn] for place in places]
            ids, attention = _left_padded(texts, self.loaded)
            logits = exact(**_positioned(self.loaded, ids, attention, last_only=True), use_cache=False).logits[:, -1]
            where = torch.tensor(places, device=tokens.device)
            tokens[where] = choose(logits, choices.of(where))[0]

    def _exact_of(self, row: Row) -> Any:
        """The model that decides a row's close draws, or None; see `LoadedModel.exact`."""
        return self.loaded.exact

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
