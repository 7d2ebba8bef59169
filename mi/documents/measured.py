"""What benches measured, as files beside them: written by a bench, read where a page shows it."""

import json
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from mi.utils.errors import UserError
from mi.utils.files import make_folder, whole_file


class Measured(NamedTuple):
    """One bench's result: when, with which version and options, and what was found."""

    date: str
    version: str
    given: dict[str, Any]
    found: dict[str, Any]

    def made(self) -> str:
        """When and with what, in words."""
        options = "".join(f"; {value} {name}" for name, value in self.given.items())
        return f"mi {self.version}; {self.date}{options}"


def write(folder: Path, bench: str, given: dict[str, Any], found: dict[str, Any]) -> Path:
    """Write `folder`/`bench`.json with today's date and this version; return its path."""
    import mi

    path = make_folder(folder) / f"{bench}.json"
    with whole_file(path) as file:
        json.dump(Measured(date.today().isoformat(), mi.__version__, given, found)._asdict(), file, indent=1)
        file.write("\n")
    return path


def read(folder: Path, bench: str) -> Measured | None:
    """What a bench found when it last ran; None where it has not. Raises UserError for a file that it did not write."""
    path = folder / f"{bench}.json"
    if not path.exists():
        return None
    try:
        return Measured(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: was not written by a bench; run python bench/{bench}.py again.") from error
