"""The language of a text, told by py3langid (139 languages, no network)."""

import functools
from typing import Any

CONFIDENCE = 0.7
"""Below it a text is undetermined: code, numbers, a few words."""
UNDETERMINED = "undetermined"


def language(text: str, among: tuple[str, ...] = ()) -> str:
    """The language of a text as its ISO 639 code, `UNDETERMINED` where the detector is not sure of it.

    `among` are the languages that it chooses from, by default all; with fewer it is surer of a short text.
    """
    code, confidence = _identifier(among).classify(text[:1000])
    return str(code) if confidence >= CONFIDENCE else UNDETERMINED


@functools.cache
def _identifier(among: tuple[str, ...]) -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    if among:
        identifier.set_languages(list(among))
    return identifier
