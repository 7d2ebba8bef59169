"""The text of an answer while it grows: what of it is settled, and where a stop sequence ends it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_INCOMPLETE = "\ufffd"
"""What a decoder writes for the first bytes of a character whose last bytes are still to come."""


class Writing:
    """Tokens become text one by one, each decoded behind the one before it, so that all tokens cost alike."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", stop: Sequence[str] = ()) -> None:
        self.text = ""
        """What was written, without the stop sequence and what follows it."""
        self.stopped = False
        """Whether a stop sequence has ended the answer."""
        self.holds_back = False
        """Whether the last call of `settled` kept some of the text to itself."""
        self._tokenizer, self._stop = tokenizer, tuple(stop)
        self._ids: list[int] = []
        self._ends: list[int] = []
        self._behind, self._read, self._written, self._sent = 0, 0, 0, 0

    @property
    def whole_tokens(self) -> int:
        """How many tokens lie in `text` as a whole."""
        return sum(end <= len(self.text) for end in self._ends)

    def add(self, token: int) -> None:
        """Write one more token."""
        self._ids.append(token)
        known = self._decode(self._ids[self._behind : self._read])
        grown = self._decode(self._ids[self._behind :])
        if not grown.endswith(_INCOMPLETE):
            self._append(grown[len(known) :])
            self._behind, self._read = self._read, len(self._ids)
        self._ends.append(self._written)

    def settled(self, ended: bool = False) -> str:
        """What no later token can change and was not returned before; all of the rest when the answer has ended."""
        if ended and not self.stopped and self._read < len(self._ids):
            known = self._decode(self._ids[self._behind : self._read])
            self._append(self._decode(self._ids[self._behind :])[len(known) :])
        end = len(self.text) - (0 if ended or self.stopped else self._held_back())
        self.holds_back = end < len(self.text)
        fresh, self._sent = self.text[self._sent : end], max(self._sent, end)
        return fresh

    def _append(self, words: str) -> None:
        before, self.text = len(self.text), self.text + words
        self._written = len(self.text)
        if self._stop:
            start = max(0, before - max(map(len, self._stop)))
            cuts = [place for place in (self.text.find(word, start) for word in self._stop) if place >= 0]
            if cuts:
                self.text, self.stopped = self.text[: min(cuts)], True

    def _held_back(self) -> int:
        """Length of the longest end of the text that may be the beginning of a stop sequence."""
        longest = max(map(len, self._stop), default=1) - 1
        lengths = range(min(longest, len(self.text)), 0, -1)
        return next((n for n in lengths if any(word.startswith(self.text[-n:]) for word in self._stop)), 0)

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
