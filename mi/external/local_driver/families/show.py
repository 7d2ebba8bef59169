"""What was found, as tables for docs/models.md and as lines for a terminal."""

from collections.abc import Sequence
from pathlib import Path

from mi.external.local_driver.families.data_models import Examined
from mi.utils.errors import UserError
from mi.utils.files import whole_file

BEGIN, END = "<!-- begin: mi models check -->", "<!-- end: mi models check -->"
FORMAT_COLUMNS = {
    "end": "an answer ends at",
    "default": "without a system message it writes",
    "system": "a system message is",
    "empty": "an empty one is",
    "ends": "white space at the ends of an answer",
    "frame": "what answers stand behind",
    "day": "its date",
}
CHECK_COLUMNS = {
    "masks": "trained text = answer + end token",
    "arms": "arms differ in the system segment only",
    "float32": "learns, saves, loads, ends: float32",
    "bf16": "… bf16",
    "tied": "tied embeddings",
    "lora": "LoRA reaches",
    "padding": "left padding",
}
_SIGNS = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}


def tables(examined: Sequence[Examined]) -> str:
    """Both tables in Markdown: what each format does, and what was checked of each family."""
    return "\n\n".join(_table(examined, columns) for columns in (FORMAT_COLUMNS, CHECK_COLUMNS))


def lines(one: Examined) -> str:
    """Every finding of one model, a line each."""
    return "\n".join([one.title, *(f"  {_SIGNS[finding.state]} {finding.found}" for finding in one.findings)])


def put_into(page: Path, text: str) -> None:
    """Write the tables between the marks of a page. Raises UserError for a page without them."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{page}: has no place for the tables; write {BEGIN} and {END} where they shall stand.")
    with whole_file(page) as file:
        file.write(f"{before}{BEGIN}\n{text}\n{END}{after}")


def between(page: str) -> str:
    """The tables of a page."""
    return page.partition(BEGIN)[2].partition(END)[0].strip()


def _table(examined: Sequence[Examined], columns: dict[str, str]) -> str:
    rows = [["family", *columns.values()]]
    rows += [[one.title, *(one.short(check).replace("|", "\\|") for check in columns)] for one in examined]
    return "\n".join(["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
                     + ["| " + " | ".join(row) + " |" for row in rows[1:]])  # fmt: skip
