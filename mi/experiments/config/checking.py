"""What an experiment of one's own must be before anything is trained: each complaint names the file and the line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mi.experiments.data_models import Arm, Claim, Condition, Experiment
from mi.experiments.settings import Setting
from mi.utils.errors import UserError

_PARTS: tuple[tuple[str, type, Callable[[Any], str]], ...] = (
    ("settings", Setting, lambda setting: setting.get_domain_name()),
    ("arms", Arm, lambda arm: arm.name),
    ("conditions", Condition, lambda condition: condition.name),
    ("prediction", Claim, lambda claim: claim.says),
)


def check(experiment: Experiment, path: Path) -> None:
    """Raises UserError for parts of another kind than they should be, for two of one name, and for a claim or a figure
    about what the experiment does not have."""
    for word, complaint in _complaints(experiment):
        raise UserError(f"{_at(path, word)}: {complaint}")


def _complaints(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """(a word of the file near which it stands, what is wrong and the mend)."""
    names: dict[str, list[str]] = {}
    for field, kind, name_of in _PARTS:
        value: Any = getattr(experiment, field)
        if not isinstance(value, tuple) or not all(isinstance(part, kind) for part in value):
            yield (
                f"{field}=",
                f"{field} must be {kind.__name__}s in brackets, each with a comma behind it: {field}=(…,).",
            )
        names[field] = [name_of(part) for part in value]
        if field != "prediction" and not value:
            yield f"{field}=", f"there are no {field}; give one at least."
    labels = [arm.label for arm in experiment.arms]
    for field, several in (("settings", names["settings"]), ("arms", names["arms"]), ("arms", labels)):
        for name in several:
            if several.count(name) > 1:
                yield f'"{name}"', f"{several.count(name)} {field} are called {name!r}; give each a name of its own."
    for claim in experiment.prediction:
        yield from _of_claim(experiment, claim, names)
    told = [arm for arm, _, _ in experiment.retained] + [
        arm for arm, _ in (experiment.dose.of if experiment.dose else ())
    ]
    for arm in told:
        yield from _unknown("arm", arm, names["arms"])


def _of_claim(experiment: Experiment, claim: Claim, names: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    traits = [trait for setting in experiment.settings for trait in setting.get_traits()]
    for kind, name, known in (
        ("arm", claim.arm, names["arms"]),
        ("arm", claim.than, names["arms"]),
        ("condition", claim.condition, names["conditions"]),
        ("condition", claim.than_condition, names["conditions"]),
        ("trait", claim.trait, traits),
        *(("setting", setting, names["settings"]) for setting in claim.settings),
    ):
        if name:
            yield from _unknown(kind, name, known)
    if claim.at_least is None and claim.at_most is None:
        yield claim.says, f"the claim {claim.says!r} has no bound; give it at_least, at_most or both."


def _unknown(kind: str, name: str, known: list[str]) -> Iterator[tuple[str, str]]:
    if name not in known:
        yield (
            f'"{name}"',
            f"there is no {kind} {name!r} in the experiment; choose among: {', '.join(dict.fromkeys(known))}.",
        )


def _at(path: Path, word: str) -> str:
    """The file, with the line that holds the word; the second such, for two of one name are one too many there."""
    lines = path.read_text(encoding="utf-8").splitlines()
    places = [number for number, line in enumerate(lines, 1) if word in line]
    return f"{path}, line {places[:2][-1]}" if places else str(path)
