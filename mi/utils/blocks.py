"""Marked places in a Markdown page whose text is made, not typed: filled anew from what they name."""

import re
from collections.abc import Callable

END = "<!-- end of generated -->"
_BLOCK = re.compile(r"<!-- generated: (?P<what>[^\n>]+?) -->(?P<text>.*?)" + re.escape(END), re.S)


def begin(what: str) -> str:
    """The mark that opens the place of `what`: a name, and whatever else it takes, with spaces between."""
    return f"<!-- generated: {what} -->"


def block(what: str, text: str = "") -> str:
    """A whole place, on lines of its own."""
    return f"{begin(what)}\n{text}\n{END}"


def fill(page: str, text_of: Callable[[str], str]) -> str:
    """The page with the text of each marked place made anew; a place within a line stays within it."""

    def made(match: re.Match[str]) -> str:
        text = text_of(match["what"])
        return f"{begin(match['what'])}{text}{END}" if "\n" not in match["text"] else block(match["what"], text)

    return _BLOCK.sub(made, page)


def places(page: str) -> list[str]:
    """What the marked places of a page name, in order."""
    return [match["what"] for match in _BLOCK.finditer(page)]


def without(page: str) -> str:
    """The page without the text of its marked places."""
    return _BLOCK.sub("", page)
