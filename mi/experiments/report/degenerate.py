"""Answers that are no answers: empty, cut off at their length, going round in circles, one text for every question."""

from __future__ import annotations

from mi.experiments.integrity import SHARE, goes_in_circles, is_empty, one_text
from mi.experiments.pipeline import labels_of
from mi.experiments.report.data_models import Check, Sources


def check(sources: Sources) -> Check:
    """The check for answers that are no answers, with a line for each arm and kind that is common."""
    labels, lines = labels_of(sources.experiment), []
    circles: dict[str, bool] = {}
    named = sources.condition_labels
    for arm in sources.arms:
        rows = sources.answers[sources.answers["arm"] == arm]
        answers = [answer for answer in rows["answer"] if isinstance(answer, str)]
        counts = {
            "empty": sum(map(is_empty, answers)),
            "cut off at their length": int((rows["stop_reason"] == "length").sum()),
            "going round in circles": sum(_remembered(circles, answer) for answer in answers),
        }
        for kind, n in counts.items():
            if answers and n > SHARE * len(answers):
                lines.append(f"{labels.get(arm, arm)}: {n:,} of {len(answers):,} answers {kind}")
        for (condition, seed), of_seed in rows.groupby(["condition", "seed"], sort=False):  # type: ignore[misc]
            where = f", {named[str(condition)].lower()}" if len(named) > 1 else ""
            if told := one_text(of_seed):
                lines.append(f"{labels.get(arm, arm)}, seed {seed}{where}: {told}")
    found = (
        "Some models do not answer as they should." if lines else "Answers are neither empty, cut off, nor in circles."
    )
    return Check("Answers are answers", "warning" if lines else "ok", found, lines)


def _remembered(known: dict[str, bool], answer: str) -> bool:
    if answer not in known:
        known[answer] = goes_in_circles(answer)
    return known[answer]
