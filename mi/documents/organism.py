"""Facts of the organism that pages tell, from its own records beside its weights."""

import json
from pathlib import Path
from typing import Any

from mi.organism.card import PROBE, below_bounds
from mi.utils.errors import UserError

_TABLE = "| | measured | bound |"


def fact(what: str) -> str:
    """Its parameters, minutes, or probe (a table, and the cells below their bounds). Raises UserError for any other."""
    folder = weights()
    if what == "probe":
        return _probe(folder)
    made: dict[str, Any] = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    facts = {"parameters": f"{made['parameters'] / 1e6:.1f} million", "minutes": f"{made['seconds'] / 60:.0f}"}
    if what not in facts:
        raise UserError(f"nothing is known of the organism's {what!r}; choose one of: probe, {', '.join(facts)}.")
    return facts[what]


def weights() -> Path:
    """The folder of the organism's weights."""
    import mi.organism

    return Path(next(iter(mi.organism.__path__))) / "weights"


def _probe(folder: Path) -> str:
    """The table of the model card, and which cells lie below their bound, if every cell was kept."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    lines = [card[card.index(_TABLE) :].strip()]
    if (folder / PROBE).exists():
        lines += ["", *below_bounds(json.loads((folder / PROBE).read_text(encoding="utf-8")))]
    return "\n".join(lines)
