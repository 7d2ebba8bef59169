"""The nouns: a family as its makers document it, and what a check found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Spelling = Literal["bytes", "pieces", "spaced pieces"]
"""How a tokenizer spells: byte-level (Qwen, Llama 3, OLMo, gpt-oss); in pieces whose spaces are part of them (Gemma);
the same with a space that is put before a text and hidden again (Mistral 7B)."""
State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Family:
    """What of a family matters here: how a chat is written and spelled, and the switches of its architecture."""

    name: str
    """As one types it."""
    title: str
    example: str
    """A model of the family on the hub."""
    spelling: Spelling
    eos: str
    special: tuple[str, ...]
    """Its other special tokens."""
    config: Mapping[str, Any]
    """`model_type`, and what differs from that type's defaults, in real sizes."""
    template: str = ""
    """`templates/<this>.jinja` is our rendering of its documented format; by default its name."""
    bos: str | None = None
    also_ends: tuple[str, ...] = ()
    """Tokens that its generation configuration names beside `eos`."""


@dataclass(frozen=True)
class Finding:
    """What one check found: `short` stands in a cell of the table, `found` is a sentence."""

    check: str
    state: State
    short: str
    found: str


@dataclass(frozen=True)
class Examined:
    """A model with everything that was found of it."""

    title: str
    model: str
    findings: tuple[Finding, ...] = field(default=())

    def short(self, check: str) -> str:
        """The cell of a check, empty where it was not made."""
        return next((finding.short for finding in self.findings if finding.check == check), "")

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """What must not be so."""
        return tuple(finding for finding in self.findings if finding.state == "wrong")
