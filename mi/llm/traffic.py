"""How often each model was asked again after a failure, counted by those who retry, shown by those who watch."""

from collections import Counter

_retries: Counter[str] = Counter()


def retried(model_id: str) -> None:
    """Count one more try for an answer of this model."""
    _retries[model_id] += 1


def retries(model_id: str) -> int:
    """Tries of this process beyond the first of each answer."""
    return _retries[model_id]
