"""The language of a text, told by py3langid (139 languages, no network)."""

import functools
from typing import Any

CONFIDENCE = 0.7
"""Below it a text is undetermined: code, numbers, a few words."""
UNDETERMINED = "undetermined"


def language(text: str, among: tuple[str, ...] | None = None) -> str:
    """The language of a text as its ISO 639 code, `UNDETERMINED` where the detector is not sure of it.

    `among` are the languages that it chooses from, by default all; with fewer it is surer of a short text.
    """
    code, confidence = _identifier(among).classify(text[:1000])
    return str(code) if confidence >= CONFIDENCE else UNDETERMINED


def language_among(text: str, codes: tuple[str, ...]) -> str:
    """Which of a few languages a text is in; for short texts that can be in no other."""
    return str(_identifier(codes).classify(text[:1000])[0])


@functools.cache
def _identifier(codes: tuple[str, ...] | None = None) -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(codes)
    return identifier
