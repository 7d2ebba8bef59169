"""Uploaded files: taken in piece by piece under names of our own, checked, and never executed."""

import codecs
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

from mi.llm.rows import read_rows
from mi.serve.data_models import MEGABYTE, Limits, StoredFile
from mi.serve.errors import ApiError, invalid
from mi.serve.state import State, new_id
from mi.utils.errors import UserError

PURPOSE = "fine-tune"
RESULTS = "fine-tune-results"


def path_of(state: State, file_id: str) -> Path:
    """Where the content of a file lies; `file_id` is one that the server made, as it stands in its memory."""
    return state.files_folder / file_id


def check_filename(name: str | None) -> str:
    """The name, if it is a plain one; it is kept as a label and never used as a path."""
    if not name or len(name) > 255 or name in (".", "..") or not name.isprintable() or any(c in name for c in "/\\:\0"):
        raise invalid(
            "the file needs a plain name, without a folder and within 255 characters, such as train.jsonl.", "file"
        )
    return name


async def store(state: State, limits: Limits, filename: str, purpose: str, pieces: AsyncIterator[bytes]) -> StoredFile:
    """Keep an upload. Raises ApiError for one that is too large, empty or not UTF-8; nothing is left of it then."""
    if state.count(StoredFile) >= limits.stored_files:
        raise ApiError(429, f"{limits.stored_files} files are stored here; delete some first.", "rate_limit_exceeded")
    file_id = new_id("file")
    partial = state.files_folder / f".{file_id}.partial"
    decoder = codecs.getincrementaldecoder("utf-8")()
    size = 0
    try:
        with partial.open("xb") as file:
            async for piece in pieces:
                size += len(piece)
                if size > limits.file_bytes:
                    raise too_large(limits)
                if b"\0" in piece:
                    raise invalid("the file holds a NUL byte, so it is no text; upload JSON Lines in UTF-8.", "file")
                decoder.decode(piece)
                file.write(piece)
            decoder.decode(b"", final=True)
            if not size:
                raise invalid("the file is empty; upload one JSON object a line.", "file")
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path_of(state, file_id))
    except UnicodeDecodeError as error:
        raise invalid("the file is not UTF-8; save it as UTF-8 and upload it again.", "file") from error
    finally:
        partial.unlink(missing_ok=True)
    stored = StoredFile(file_id, int(time.time()), filename, purpose, size)
    state.add(stored)
    return stored


def too_large(limits: Limits) -> ApiError:
    """An upload beyond the limit: status 413."""
    return ApiError(
        413, f"the file is larger than {limits.file_bytes / MEGABYTE:g} MB; upload a smaller one.", None, "file"
    )


def validate(state: State, stored: StoredFile) -> StoredFile:
    """Read a training file through: it becomes "processed" or "error", with a sentence that names the line."""
    path = path_of(state, stored.id)
    try:
        rows = len(read_rows(path))
    except UserError as error:
        return state.change(stored, status="error", complaint=without_paths(str(error), state))
    return state.change(stored, status="processed", rows=rows)


def keep_results(state: State, job_id: str, losses: tuple[float, ...]) -> StoredFile:
    """The loss of each step as a file of CSV, as OpenAI gives it."""
    text = "step,train_loss\n" + "".join(f"{step},{loss:.6f}\n" for step, loss in enumerate(losses, start=1))
    file_id = new_id("file")
    path_of(state, file_id).write_text(text, encoding="utf-8")
    stored = StoredFile(file_id, int(time.time()), f"{job_id}.csv", RESULTS, len(text), "processed")
    state.add(stored)
    return stored


def delete(state: State, stored: StoredFile) -> None:
    """Forget a file and its content."""
    state.remove(stored)
    path_of(state, stored.id).unlink(missing_ok=True)


def sweep(state: State) -> None:
    """Remove what an upload that was cut off left behind: partial files, and content that was never entered."""
    for path in state.files_folder.iterdir():
        if path.name.startswith(".") or state.get(StoredFile, path.name) is None:
            path.unlink(missing_ok=True)


def without_paths(sentence: str, state: State) -> str:
    """A complaint about a stored file that names the file by its id and tells nothing of where it lies."""
    return sentence.replace(f"{state.files_folder}{os.sep}", "")
