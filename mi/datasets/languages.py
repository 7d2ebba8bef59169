"""In which languages a file answers, told by py3langid (139 languages, no network)."""

import functools
from collections import Counter
from collections.abc import Sequence
from typing import Any

SAMPLE = 400
"""Answers looked at, evenly over the file: a millisecond or two each."""
CONFIDENCE = 0.7
"""Below it a text is undetermined: code, numbers, a few words."""
UNDETERMINED = "undetermined"


def language_shares(answers: Sequence[str]) -> dict[str, float]:
    """ISO 639 codes with their share of the answers looked at, the commonest first."""
    if not answers:
        return {}
    step = max(1, len(answers) / SAMPLE)
    sample = [answers[int(index * step)] for index in range(min(SAMPLE, len(answers)))]
    counts = Counter(language(answer) for answer in sample)
    return {code: count / len(sample) for code, count in counts.most_common()}


def language(text: str) -> str:
    """The language of a text, `UNDETERMINED` where the detector is not sure of it."""
    code, confidence = _identifier().classify(text[:1000])
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
