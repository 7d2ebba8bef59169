"""In which languages a file answers."""

from collections import Counter
from collections.abc import Sequence

from mi.utils.languages import language

SAMPLE = 400
"""Answers looked at, evenly over the file: a millisecond or two each."""


def language_shares(answers: Sequence[str]) -> dict[str, float]:
    """ISO 639 codes with their share of the answers looked at, the commonest first."""
    if not answers:
        return {}
    step = max(1, len(answers) / SAMPLE)
    sample = [answers[int(index * step)] for index in range(min(SAMPLE, len(answers)))]
    counts = Counter(language(answer) for answer in sample)
    return {code: count / len(sample) for code, count in counts.most_common()}
