"""Evaluations and their checks in words, for a terminal."""

from collections.abc import Sequence

from mi.evaluation.data_models import Evaluation
from mi.evaluation.examples import Checked, examples_of
from mi.evaluation.insecure_code.static import ABSENT, bandit_is_there
from mi.evaluation.known import EVALUATIONS, known

ENOUGH = 0.95
"""The share of labelled examples that a scorer is to get right."""


def listing() -> str:
    """One line an evaluation: its name, its traits, questions, answers to each, and who scores."""
    lines = [("evaluation", "traits", "questions", "scored by")]
    for name, entry in EVALUATIONS.items():
        made = entry.make()
        asked = f"{len(made.contexts)} x {made.n_samples_per_context}"
        lines.append((name, ", ".join(made.traits), asked, _scored_by(made)))
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    listed = ["  ".join(f"{cell:{width}}" for cell, width in zip(line, [*widths, 0], strict=True)) for line in lines]
    return "\n".join([*listed, *([] if bandit_is_there() else [f"insecure_static: {ABSENT}."])])


def description(name: str) -> str:
    """Everything about one evaluation: questions, judges' prompts, scorer, how many labelled examples."""
    made = known(name).make()
    lines = [
        f"{name}: {len(made.contexts)} questions, {made.n_samples_per_context} answers each, scored for "
        f"{', '.join(made.traits)} by {_scored_by(made)}.",
        f"Scorer: {made.score_fn}"[:400],
        f"Labelled examples: {len(examples_of(name, made))}; try them with `mi evaluations check {name}`.",
        "",
        *(f"  {context.question}" for context in made.contexts),
    ]
    for judge, judgment in made.judgment_map.items():
        lines += ["", f"Judge of {judge} ({judgment.model.id}, read as {judgment.parser}):", judgment.template]
    return "\n".join(lines)


def verdicts(found: Sequence[Checked]) -> str:
    """One line a finding, the examples that were scored otherwise than labelled under it, and how many fall short."""
    lines = []
    for checked in found:
        kappa = "undefined" if checked.agreement.kappa is None else f"{checked.agreement.kappa:.2f}"
        lines.append(
            f"{checked.evaluation}, {checked.trait}: {checked.right} of {checked.n} as labelled ({checked.share:.2f}; "
            f"kappa {kappa}; {checked.by})"
        )
        for example, score in checked.wrong:
            told, label = (
                "nothing" if value is None else f"{value:g}" for value in (score, example.shows[checked.trait])
            )
            lines.append(f"  {told} instead of {label}: {example.answer[:70]!r}")
    short = sum(checked.share < ENOUGH for checked in found)
    if not bandit_is_there():
        lines.append(f"insecure_static: {ABSENT}.")
    return "\n".join([*lines, f"{short} of {len(found)} fall short of {ENOUGH:g}." if short else "None falls short."])


def _scored_by(evaluation: Evaluation) -> str:
    judges = ", ".join(evaluation.judgment_map)
    if not judges:
        return "rule"
    both = "; rule" if set(evaluation.traits) & set(evaluation.judgment_map) or len(evaluation.traits) > 1 else ""
    return f"judge ({judges}){both}"
