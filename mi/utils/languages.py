"""The language of a text, told by py3langid (139 languages, no network)."""

import functools
from typing import Any

CONFIDENCE = 0.7
"""Below it a text is undetermined: code, numbers, a few words."""
UNDETERMINED = "undetermined"


def language(text: str) -> str:
    """The language of a text as its ISO 639 code, `UNDETERMINED` where the detector is not sure of it."""
    code, confidence = _identifier().classify(text[:1000])
    return str(code) if confidence >= CONFIDENCE else UNDETERMINED


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
