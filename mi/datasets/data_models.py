"""The nouns of published data: where a set comes from, what is known of it, and what a file of it holds."""

from dataclasses import dataclass
from typing import Any, Literal

Access = Literal["open", "gated", "password"]
Purpose = Literal["training", "control", "evaluation"]


@dataclass(frozen=True)
class Source:
    """Where a publisher keeps a file. What is not known is None."""

    repository: str
    """Owner and name."""
    revision: str | None
    """The commit, or as many of its first digits as are known."""
    path: str | None
    """Inside the repository; None where no page or program of the publisher names it, and nothing can be fetched."""
    host: Literal["GitHub", "Hugging Face"] = "GitHub"

    @property
    def url(self) -> str | None:
        """The address of the file's bytes, None where the path is not known."""
        if self.path is None:
            return None
        if self.host == "GitHub":
            return f"https://raw.githubusercontent.com/{self.repository}/{self.revision or 'main'}/{self.path}"
        return f"https://huggingface.co/datasets/{self.repository}/resolve/{self.revision or 'main'}/{self.path}"

    @property
    def page(self) -> str:
        """Where a person reads of the set, and accepts its terms where it has any."""
        site = "https://github.com" if self.host == "GitHub" else "https://huggingface.co/datasets"
        return f"{site}/{self.repository}"


@dataclass(frozen=True)
class CatalogueEntry:
    """One published file. A fact that nobody has stated or that we could not check is None, never a guess."""

    name: str
    """GROUP/FILE: what one types."""
    source: Source | None
    """None for a set that nobody is known to publish."""
    purpose: Purpose
    schema: str | None
    """A name in `mi.datasets.converters.SCHEMAS`; None where it is not known, and for an archive."""
    suffix: str = ".jsonl"
    rows: int | None = None
    """Objects in the file as published, before conversion."""
    sha256: str | None = None
    """Of the parsed rows in their order, as canonical JSON; how the file spells them does not enter."""
    licence: str | None = None
    citation: str | None = None
    access: Access = "open"
    mirror: Source | None = None
    """Where else the file lies, for a source whose path is not known; only the hash of the rows vouches for it."""
    unlock: str | None = None
    """What a person does to get or open a set that is not open; NAME stands for the entry's name."""
    password: str | None = None
    """Of a locked archive; None where the user gives it, as for all of the house: a lock keeps scrapers out."""
    member: str | None = None
    """The file inside an archive that holds the rows; None where it is the only one, or the user names it."""
    answer: str | None = None
    """The column that answers, where a row holds several answers to one prompt."""
    note: str | None = None

    @property
    def url(self) -> str | None:
        """Where the file is fetched from, None where no address is known."""
        places = (self.source, self.mirror)
        return next((place.url for place in places if place is not None and place.url is not None), None)

    @property
    def way(self) -> str:
        """What a person does to have the set."""
        if self.unlock is not None:
            return self.unlock.replace("NAME", self.name)
        if self.url is not None:
            return f"mi datasets fetch {self.name}"
        return f"get its file from the publisher and run `mi datasets fetch {self.name} --from FILE`"

    @property
    def publisher(self) -> str:
        """Who publishes the set, and where."""
        return f"{self.source.repository} ({self.source.host})" if self.source is not None else "nobody"

    @property
    def obtained(self) -> str:
        """How a person comes by the set, in a word: "open" is fetched for anybody."""
        if self.source is None:
            return "built"
        return "by hand" if self.access == "open" and self.url is None else self.access

    @property
    def group(self) -> str:
        """The first half of the name: files that belong to one setting."""
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class RawRow:
    """A row as published, and where it stands: the line of a JSONL file, else the number of the item, from 1."""

    line: int
    value: Any


@dataclass(frozen=True)
class Verified:
    """A file whose rows were read and hashed."""

    path: str
    rows: int
    sha256: str
    name: str | None
    """The catalogue's name for these very rows, wherever the file lies."""
