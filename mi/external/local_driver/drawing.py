"""One answer while it is drawn: its prompt, its random numbers, its tokens so far, and what is told of it."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mi.external.local_driver.models import LoadedModel
from mi.external.local_driver.writing import Writing
from mi.llm.data_models import LLMResponse, SampleRequest, TokenLogprob
from mi.utils.errors import UserError
from mi.utils.hashing import digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass
class Row:
    """One request on its way: what was drawn so far."""

    request: SampleRequest
    prompt: list[int]
    loaded: LoadedModel
    tell: Callable[[str, tuple[TokenLogprob, ...]], None] | None = None
    drawn: list[int] = field(default_factory=list)
    logprobs: list[tuple[float, tuple[tuple[int, float], ...]]] = field(default_factory=list)
    ended: bool = False
    """Whether the end token was drawn."""
    writing: Writing | None = None
    """The text so far, where somebody must know it before the end."""
    told: int = 0

    def __post_init__(self) -> None:
        room = self.loaded.context_length - len(self.prompt)
        if room < 1:
            opening = self.request.chat[-1].content[:40] if self.request.chat else ""
            raise UserError(
                f"the prompt that ends in {opening!r}… has {len(self.prompt)} tokens and fills the model's context of "
                f"{self.loaded.context_length}; shorten it."
            )
        self.limit = min(self.request.cfg.max_tokens, room)
        if self.request.stop or self.tell:
            self.writing = Writing(self.loaded.tokenizer, self.request.stop)

    @property
    def going(self) -> bool:
        """Whether there is more to draw."""
        return not (self.ended or len(self.drawn) >= self.limit or (self.writing is not None and self.writing.stopped))

    def uniforms(self) -> list[float]:
        """`limit` numbers in [0, 1) that belong to this row of this model."""
        import numpy

        words = [[message.role, message.content] for message in self.request.chat]
        key = int(digest([self.loaded.fingerprint, words, self.request.seed]), 16)
        return numpy.random.Generator(numpy.random.Philox(key=key)).random(self.limit).tolist()

    def take(self, token: int, is_end: bool, logprob: tuple[float, tuple[tuple[int, float], ...]] | None) -> None:
        """Note the next token, and tell what has become certain by it."""
        self.drawn.append(token)
        self.ended = is_end
        if logprob is not None:
            self.logprobs.append(logprob)
        if self.writing is not None:
            if not is_end:
                self.writing.add(token)
            if self.tell:
                self._tell(self.writing)

    def _tell(self, writing: Writing) -> None:
        assert self.tell is not None
        fresh = writing.settled(ended=not self.going)
        tokens = () if writing.holds_back and self.going else self._spelled_logprobs(self.told)
        tokens = tokens[:-1] if self.ended else tokens
        self.told += len(tokens)
        if fresh or tokens:
            self.tell(fresh, tokens)

    def _spelled_logprobs(self, start: int = 0) -> tuple[TokenLogprob, ...]:
        end = self.writing.whole_tokens if self.writing is not None and self.writing.stopped else len(self.drawn)
        tokenizer = self.loaded.tokenizer
        return tuple(
            TokenLogprob(_spelled(tokenizer, token), value, tuple((_spelled(tokenizer, t), v) for t, v in top))
            for token, (value, top) in zip(self.drawn[start:end], self.logprobs[start:], strict=False)
        )

    def response(self, tokenizer: "PreTrainedTokenizerBase") -> LLMResponse:
        """What was drawn as text; special tokens are left out, white space is kept.

        Where a stop sequence ended it, neither that sequence nor a token that holds a part of it is reported.
        """
        ids = self.drawn[:-1] if self.ended else self.drawn
        text = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        stopped = self.writing is not None and self.writing.stopped
        if self.writing is not None and stopped:
            text = self.writing.text
        stop = "stop" if self.ended or stopped else "length"
        return LLMResponse(str(text), stop, self._spelled_logprobs(), len(self.prompt), len(self.drawn))


@functools.lru_cache(maxsize=65536)
def _spelled(tokenizer: "PreTrainedTokenizerBase", token: int) -> str:
    return str(tokenizer.decode([token], skip_special_tokens=False, clean_up_tokenization_spaces=False))
