"""Inspect is an extra: whoever has not installed it is told so in one sentence."""

import importlib.util

from mi.utils.errors import UserError


def require_inspect() -> None:
    """Raise UserError where inspect-ai is not installed; nothing is imported."""
    if importlib.util.find_spec("inspect_ai") is None:
        raise UserError("inspect-ai is not installed; run pip install 'mi-inoculation[inspect]'.")
