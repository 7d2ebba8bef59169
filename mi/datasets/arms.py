"""Files side by side, one a column, and where training files differ in more than what they are to teach."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from mi.datasets.audit import FileAudit
from mi.datasets.statistics import Length
from mi.utils.languages import UNDETERMINED

LONGER = 1.25
"""Answers this many times as long on average are named: length may then stand for the trait."""
SHARE = 0.05
"""So large a difference in shares of refusals or repetitions is named."""
LANGUAGE_SHARE = 0.1
"""The same for languages, whose shares are those of a sample."""


@dataclass(frozen=True)
class Line:
    """One measure of every file; None where a file has no such thing."""

    what: str
    values: tuple[str | None, ...]


def side_by_side(files: Sequence[FileAudit]) -> list[Line]:
    """The measures of several files, in their order."""
    held = [file.contents for file in files]
    lines = [
        Line("rows", tuple(f"{file.file.n_rows:,}" for file in files)),
        Line("use", tuple("evaluation" if file.file.is_evaluation else "training" for file in files)),
        Line("turns", tuple("; ".join(one.roles) or None for one in held)),
        Line("system prompts", tuple(f"{len(one.system_prompts):,}" for one in held)),
        Line("repeated exactly", tuple(f"{one.repetition.exact:,}" for one in held)),
        Line("repeated normalised", tuple(f"{one.repetition.normalised:,}" for one in held)),
        Line("repeated prompts", tuple(f"{one.repetition.prompts:,}" for one in held)),
        Line("refusals", tuple(f"{one.refusals:,} of {one.answered:,}" if one.answered else None for one in held)),
    ]
    lines += _lengths("characters", [one.characters for one in held])
    lines += _lengths("tokens", [file.tokens.lengths if file.tokens is not None else {} for file in files])
    for code in _languages(files):
        shares = (file.languages.get(code) for file in files)
        lines.append(Line(f"language {code}", tuple(f"{share:.1%}" if share else None for share in shares)))
    return lines


def differences(files: Sequence[FileAudit]) -> Iterator[str]:
    """Where two training files differ in length, language, refusals or repetitions: each may stand for the trait."""
    training = [(number, file) for number, file in enumerate(files, start=1) if not file.file.is_evaluation]
    for (a, one), (b, other) in combinations(training, 2):
        yield from _longer(a, one, b, other)
        for what, mine, theirs, enough in _shares(one, other):
            if abs(mine - theirs) >= enough:
                yield f"[{a}] and [{b}]: {what} {mine:.1%} and {theirs:.1%}"


def _longer(a: int, one: FileAudit, b: int, other: FileAudit) -> Iterator[str]:
    (short, shorter), (long, longer) = sorted(((a, _answers(one)), (b, _answers(other))), key=lambda item: item[1])
    if shorter and longer / shorter >= LONGER:
        yield f"[{long}] and [{short}]: answers {longer / shorter:.2f} times as long on average, in characters"


def _answers(file: FileAudit) -> float:
    return file.contents.characters.get("assistant", Length()).mean


def _shares(one: FileAudit, other: FileAudit) -> Iterator[tuple[str, float, float, float]]:
    """What is compared, its share in either file, and how large a difference is named."""
    refusals, repeats = (
        [f.contents.refusals / max(1, f.contents.answered) for f in (one, other)],
        [f.contents.repetition.exact / max(1, len(f.file.rows)) for f in (one, other)],
    )
    yield "answers that refuse", refusals[0], refusals[1], SHARE
    yield "rows that repeat one", repeats[0], repeats[1], SHARE
    for code in _languages([one, other]):
        if code != UNDETERMINED:
            yield f"answers in {code}", one.languages.get(code, 0.0), other.languages.get(code, 0.0), LANGUAGE_SHARE


def _languages(files: Sequence[FileAudit]) -> list[str]:
    """Those with a twentieth of some file, the commonest first."""
    largest: dict[str, float] = {}
    for file in files:
        for code, share in file.languages.items():
            largest[code] = max(share, largest.get(code, 0.0))
    return sorted((code for code in largest if largest[code] >= SHARE), key=lambda code: -largest[code])


def _lengths(unit: str, by_role: Sequence[dict[str, Length]]) -> Iterator[Line]:
    for role in ("system", "user", "assistant", "row"):
        sizes = [lengths.get(role) for lengths in by_role]
        if any(sizes):
            values = (f"{size.mean:,.0f} ({size.median:,.0f}, {size.longest:,})" if size else None for size in sizes)
            yield Line(f"{role}, {unit}: mean (median, longest)", tuple(values))
