"""Which key may ask for no more jobs of which model, and until when: one small file that all processes share."""

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path

from mi.config import jobs_dir
from mi.external.openai_driver.data_models import FineTuningKey
from mi.external.openai_driver.finetuning import server_name
from mi.utils.files import whole_file


@dataclass(frozen=True)
class Closed:
    """A key that is closed for a model until a Unix second; `seconds` is how long this closing is."""

    until: float
    seconds: float
    reason: str


def closed(key: FineTuningKey, model: str) -> Closed | None:
    """How long a key is closed for a model; None where it is open."""
    found = _read().get(_name(key, model))
    return found if found is not None and found.until > time.time() else None


def close(key: FineTuningKey, model: str, seconds: float, reason: str) -> Closed:
    """Close a key for a model. Two processes that close at once may lose one closing: it is asked once more then."""
    entry = Closed(time.time() + seconds, seconds, reason)
    fresh = {name: old for name, old in _read().items() if old.until > time.time() - 10 * old.seconds}
    with whole_file(_path()) as file:
        entries = {**fresh, _name(key, model): entry}
        json.dump({name: dataclasses.asdict(old) for name, old in entries.items()}, file, indent=1)
    return entry


def back_off(key: FineTuningKey, model: str, first: float, longest: float) -> float:
    """Seconds to close for where the server says no time: twice as long as the last time, if that was just now."""
    last = _read().get(_name(key, model))
    if last is None or time.time() > last.until + last.seconds:
        return first
    return min(2 * last.seconds, longest)


def _name(key: FineTuningKey, model: str) -> str:
    """Quotas belong to an organisation; where that is not known, the key stands for it."""
    return f"{key.organization or key.name} at {server_name(key.endpoint)}: {model}"


def _path() -> Path:
    return jobs_dir() / ".limits.json"


def _read() -> dict[str, Closed]:
    """What is known; nothing where the file is missing or damaged, for the server says it again."""
    try:
        return {name: Closed(**entry) for name, entry in json.loads(_path().read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
