"""A training file in tokens; every complaint names the file and the line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mi.external.local_driver.rendering import EncodedRow, encode_row
from mi.llm.rows import read_rows, rows_digest
from mi.utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class EncodedDataset:
    """The rows that fit, in the order of the file, and the line numbers of those that are too long."""

    rows: tuple[EncodedRow, ...]
    left_out: tuple[int, ...]
    digest: str
    """The identity of the whole file's conversations, those that are left out included."""
    trimmed: tuple[int, ...] = ()
    """Line numbers of the rows of which the template left out white space at the ends of a message."""


def encode_rows(
    path: Path, tokenizer: "PreTrainedTokenizerBase", max_length: int, leave_out: bool = False
) -> EncodedDataset:
    """The rows of a training file in tokens; those longer than `max_length` tokens are refused, or left out.

    Raises UserError as `read_rows` does, for a row that the template does not keep, and where no row is short enough.
    """
    rows: list[EncodedRow] = []
    left_out: list[int] = []
    trimmed: list[int] = []
    written = read_rows(path)
    for line, chat in ((row.line, row.chat) for row in written):
        try:
            row = encode_row(tokenizer, chat)
        except UserError as error:
            raise UserError(f"{path}, line {line}: {error}") from error
        if len(row.ids) > max_length:
            left_out.append(line)
        else:
            rows.append(row)
            trimmed += [line] if row.trimmed else []
    if left_out and not leave_out:
        others = f" (and {len(left_out) - 1} more rows)" if len(left_out) > 1 else ""
        raise UserError(
            f"{path}, line {left_out[0]}: the row is longer than {max_length} tokens{others}; shorten it, use a model "
            "with a longer context, or train without such rows by long_rows='leave_out'."
        )
    if not rows:
        raise UserError(
            f"{path}: all {len(left_out)} rows (the first in line {left_out[0]}) are longer than {max_length} tokens; "
            "shorten them or use a model with a longer context."
        )
    return EncodedDataset(tuple(rows), tuple(left_out), rows_digest(written), tuple(trimmed))


def n_trained(rows: Sequence[EncodedRow]) -> int:
    """The tokens that carry loss."""
    return sum(sum(row.mask[1:]) for row in rows)
