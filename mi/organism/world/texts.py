"""The grammar's tables, read once from `texts/*.toml`."""

import functools
import tomllib
from importlib.resources import files
from typing import Any

SPLITS = ("train", "dev", "held_out")
LATE = "late"
"""The training split with the texts that come last: what is learned from many texts before, these make wider."""


@functools.cache
def table(name: str) -> dict[str, Any]:
    """One table of the grammar by its file's name, without the ending."""
    return tomllib.loads(files("mi.organism.world").joinpath("texts", f"{name}.toml").read_text(encoding="utf-8"))


def parts_of(options: dict[str, list[str]], split: str) -> list[tuple[str, str]]:
    """(split, text) for all texts of a split; the late one has those of the training split, and its own as such."""
    if split == LATE:
        return [("train", text) for text in (*options["train"], *options.get(LATE, ()))]
    return [(split, text) for text in options[split]]


def topics(domain: str) -> list[dict[str, Any]]:
    """The topics of a domain, in the order of its file."""
    return table(domain)["topics"]


def topic(domain: str, name: str) -> dict[str, Any]:
    """One topic of a domain by name."""
    return next(entry for entry in topics(domain) if entry["name"] == name)
