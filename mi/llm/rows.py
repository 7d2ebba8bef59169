"""Training rows: conversations in a JSONL file, read with their line numbers and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mi.llm.data_models import Chat, as_messages
from mi.llm.identity import chat_json
from mi.utils.errors import UserError
from mi.utils.hashing import text_digest
from mi.utils.jsonl import iterate_jsonl


@dataclass(frozen=True)
class TrainingRow:
    """One conversation to train on, and the line (from 1) of the file that holds it."""

    line: int
    chat: Chat


def read_rows(path: Path | str) -> list[TrainingRow]:
    """All rows of a training file, `{"messages": [{"role", "content"}, …]}` a line; other keys of a row are ignored.

    Raises UserError, naming the file and the line, for a row without messages, without anything said by the
    assistant, or with a message that holds more than role and content (it would be trained on as if it did not),
    and for a file without rows.
    """
    path = Path(path)
    rows = [TrainingRow(line, read_chat(value, f"{path}, line {line}")) for line, value in iterate_jsonl(path)]
    if not rows:
        raise UserError(f"{path}: holds no rows; write one JSON object with messages a line.")
    return rows


def rows_digest(rows: Sequence[TrainingRow]) -> str:
    """The identity of training data: 128 bits over the conversations in their order, to the letter.

    The same that `mi.utils.hashing.digest` gives of the list of conversations.

    Where the file lies, its empty lines and its spelling of JSON do not enter.
    """
    return text_digest(f"[{','.join(chat_json(row.chat) for row in rows)}]")


def read_chat(value: Any, where: str) -> Chat:
    """The conversation of one parsed row. Raises UserError that begins with `where`; see `read_rows`."""
    messages = value.get("messages") if isinstance(value, Mapping) else None
    if not isinstance(messages, list) or not messages:
        raise UserError(f'{where}: the row has no messages; write {{"messages": [{{"role": …, "content": …}}, …]}}.')
    for message in messages:
        _check_keys(message, where)
    try:
        chat = as_messages(messages)
        "".join(message.content for message in chat).encode()
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    except UnicodeEncodeError as error:
        raise UserError(f"{where}: holds half of a surrogate pair; write whole characters.") from error
    if not any(message.role == "assistant" and message.content.strip() for message in chat):
        raise UserError(f"{where}: the assistant says nothing, so nothing can be learned; add an assistant message.")
    return chat


def _check_keys(message: Any, where: str) -> None:
    if not isinstance(message, Mapping):
        raise UserError(f"{where}: a message is {type(message).__name__}; write an object with role and content.")
    unknown = sorted(key for key, value in message.items() if key not in ("role", "content") and value is not None)
    if unknown:
        raise UserError(f"{where}: a message holds {', '.join(unknown)}, which training ignores; take it out.")
