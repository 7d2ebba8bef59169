"""Where each call stands in a file of the store, remembered so that a file is read again only where it has grown.

A judge's file is such a one: it holds the verdicts on all models, and is loaded once for each arm and setting.
"""

import os
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from mi.evaluation.records import key_of, response_of
from mi.llm.data_models import LLMResponse

LENGTH_BITS = 28  # a line may have 256 MB
Take = Callable[[str, LLMResponse], None]
Scan = Callable[[Path, Collection[str] | None, Take, dict[str, int], int], int]


@dataclass
class _Known:
    """What was seen of a file: which file it was, up to where, and the place of each call before that."""

    inode: int
    end: int = 0
    places: dict[str, int] = field(default_factory=dict)


_known: dict[Path, _Known] = {}
_lock = threading.Lock()


def load(path: Path, wanted: Collection[str], take: Take, scan: Scan) -> None:
    """Hand each wanted answer of a file to `take`, as `scan` would from its beginning."""
    with _lock:
        try:
            found = path.stat()
        except OSError:
            _known.pop(path, None)
            scan(path, wanted, take, {}, 0)  # which says what is amiss with it
            return
        known = _known.get(path)
        if known is None or known.inode != found.st_ino or known.end > found.st_size:
            known = _Known(found.st_ino)
        answers = _read(path, {key: known.places[key] for key in wanted if key in known.places})
        if answers is None:  # a line was damaged since, or the file rewritten in place
            known, answers = _Known(found.st_ino), {}
        for key, response in answers.items():
            take(key, response)
        known.end = scan(path, wanted, take, known.places, known.end)
        _known[path] = known


def _read(path: Path, places: dict[str, int]) -> dict[str, LLMResponse] | None:
    """The answers at these places; None where one of them holds another line by now."""
    answers: dict[str, LLMResponse] = {}
    if places:
        with path.open("rb") as file:
            for key, place in sorted(places.items(), key=lambda item: item[1]):
                line = os.pread(file.fileno(), place & (1 << LENGTH_BITS) - 1, place >> LENGTH_BITS)
                response = response_of(line) if key_of(line) == key else None
                if response is None:
                    return None
                answers[key] = response
    return answers
