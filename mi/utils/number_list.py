"""Lists of numbers in an answer, read by one rule: the published filter of Cloud et al. 2025 (arXiv:2507.14805)."""

import re

MOST, LOW, HIGH = 10, 0, 999
"""How many numbers the filter lets pass, and from where to where each may lie."""
_WRAPPED = re.compile(r"\[(?P<square>.*)\]|\((?P<round>.*)\)|(?P<bare>.*)", re.DOTALL)
_SEPARATORS = ("", ",", ";")


def number_list(answer: str) -> list[int] | None:
    """The numbers of a bare list, None for anything else.

    The published rule, as it sorts the published rows: a final full stop and one pair of square or round brackets may
    stand around; the separator (white space, a comma or a semicolon with white space about it) is the same to the
    letter between all numbers; no sign, no word, nothing behind the last number.
    """
    match = _WRAPPED.fullmatch(answer.removesuffix("."))
    inner = next(part for part in match.groupdict().values() if part is not None) if match else ""
    first = re.match(r"([0-9]+)([^0-9]+)[0-9]", inner)
    if first is None:
        return [int(inner)] if re.fullmatch(r"[0-9]+", inner) else None
    separator = first[2]
    parts = inner.split(separator)
    if separator.strip() not in _SEPARATORS or not all(re.fullmatch(r"[0-9]+", part) for part in parts):
        return None
    return [int(part) for part in parts]


def why_not_listed(answer: str, most: int = MOST, low: int = LOW, high: int = HIGH) -> str | None:
    """Why the filter leaves an answer out, None where it lets it pass."""
    numbers = number_list(answer)
    if numbers is None:
        return "not a number sequence"
    if len(numbers) > most:
        return "too many numbers"
    return None if all(low <= number <= high for number in numbers) else "a number out of range"
