"""Every published set once: where it lies, what it holds, under which terms. Nothing of it is in this repository."""

import difflib
from collections.abc import Sequence

from mi.datasets.closed_sets import CLOSED
from mi.datasets.data_models import CatalogueEntry
from mi.datasets.open_sets import OPEN
from mi.utils.errors import UserError

CATALOGUE: dict[str, CatalogueEntry] = {
    entry.name: entry for entry in sorted((*OPEN, *CLOSED), key=lambda entry: entry.name)
}


def entry(name: str) -> CatalogueEntry:
    """The entry of this name. Raises UserError, naming the nearest, where there is none."""
    if name not in CATALOGUE:
        raise UserError(f"{name}: no such published set; {_nearest(name)}`mi datasets list` prints them all.")
    return CATALOGUE[name]


def entries(names: Sequence[str]) -> list[CatalogueEntry]:
    """The entries of these names, a group's name standing for all of its entries; all there are for no name.

    Raises UserError for an unknown name.
    """
    groups = {
        group: [e for e in CATALOGUE.values() if e.group == group] for group in {e.group for e in CATALOGUE.values()}
    }
    chosen = [found for name in names for found in groups.get(name) or [entry(name)]]
    return list(dict.fromkeys(chosen)) if names else list(CATALOGUE.values())


def is_known(name: str) -> bool:
    """Whether a name is that of an entry or of a group."""
    return name in CATALOGUE or any(e.group == name for e in CATALOGUE.values())


def by_rows(sha256: str) -> CatalogueEntry | None:
    """The entry whose rows have this identity, wherever their file lies; None where it is none of them."""
    return next((e for e in CATALOGUE.values() if e.sha256 == sha256), None)


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, [*CATALOGUE, *{e.group for e in CATALOGUE.values()}], n=2)
    return f"did you mean {' or '.join(close)}? " if close else ""
