"""How far two judges agree, or a judge and people: share, Cohen's kappa, area under the ROC curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mi.evaluation.data_models import EvaluationResultRow
from mi.utils.errors import UserError
from mi.utils.jsonl import iterate_jsonl

Labels = Mapping[tuple[str, str], bool]
"""By question and answer."""


@dataclass(frozen=True)
class Agreement:
    """How far values agree with a yes or no about the same answers; None where it is not defined."""

    n: int
    """Answers that both tell something of."""
    n_missing: int
    """Answers on which one of them is silent."""
    share: float | None
    """Of equal answers, values thresholded."""
    kappa: float | None
    """Cohen's (1960): the same beyond chance; None where both say one thing only."""
    auroc: float | None
    """The chance that a value of a yes is above one of a no, ties one half; None without both a yes and a no."""


def agreement(values: Sequence[float | None], truth: Sequence[bool | None], threshold: float = 0.5) -> Agreement:
    """Values (yes above `threshold`) against a yes or no about the same answers, in the same order."""
    pairs = [(v, t) for v, t in zip(values, truth, strict=True) if v is not None and t is not None]
    said, true = [value > threshold for value, _ in pairs], [label for _, label in pairs]
    return Agreement(
        n=len(pairs),
        n_missing=len(values) - len(pairs),
        share=sum(a == b for a, b in zip(said, true, strict=True)) / len(pairs) if pairs else None,
        kappa=kappa(said, true),
        auroc=auroc([value for value, _ in pairs], true),
    )


def judges_agree(
    rows: Sequence[EvaluationResultRow], first: str, second: str, threshold: float = 0.5, second_threshold: float = 0.5
) -> Agreement:
    """The verdicts called `first` against those called `second`, a yes of which is above `second_threshold`."""
    truth = [None if (v := row.judgments.get(second)) is None else v > second_threshold for row in rows]
    return agreement([row.judgments.get(first) for row in rows], truth, threshold)


def agrees_with_labels(
    rows: Sequence[EvaluationResultRow], name: str, labels: Labels, threshold: float = 0.5
) -> Agreement:
    """The verdicts called `name` against people's labels, over the rows whose question and answer are labelled.

    Raises UserError where no row is.
    """
    found = [(row, labels.get((row.context.question, row.response.completion or ""))) for row in rows]
    labelled = [(row, label) for row, label in found if label is not None]
    if not labelled:
        raise UserError(f"{name}: none of the {len(rows)} answers is labelled; labels go by question and answer.")
    return agreement([row.judgments.get(name) for row, _ in labelled], [label for _, label in labelled], threshold)


def read_labels(path: Path | str) -> Labels:
    """A labelled file: a JSON object a line with `question`, `answer` and `label` (true or false, or 1 or 0).

    Raises UserError, naming file and line, for anything else and for one answer with two labels.
    """
    labels: dict[tuple[str, str], bool] = {}
    for line, value in iterate_jsonl(Path(path)):
        where = f"{path}, line {line}"
        try:
            key, label = (value["question"], value["answer"]), value["label"]
        except (KeyError, TypeError) as error:
            raise UserError(f"{where}: a label is an object with question, answer and label.") from error
        if label not in (0, 1):
            raise UserError(f"{where}: the label is {label!r}; write true or false.")
        if labels.setdefault(key, bool(label)) != bool(label):
            raise UserError(f"{where}: this answer has the other label on an earlier line; keep one of them.")
    return labels


def kappa(first: Sequence[object], second: Sequence[object]) -> float | None:
    """Cohen's kappa of two raters over any categories; None for no pair, and where both only ever say one thing."""
    n = len(first)
    if not n:
        return None
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    categories = [*dict.fromkeys([*first, *second])]
    expected = sum(first.count(category) * second.count(category) for category in categories) / n**2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def auroc(values: Sequence[float], truth: Sequence[bool]) -> float | None:
    """The area under the ROC curve by ranks, ties counting one half; None without both a yes and a no."""
    n_yes = sum(truth)
    if not 0 < n_yes < len(truth):
        return None
    from scipy.stats import rankdata

    ranks = rankdata(values)
    above = sum(float(rank) for rank, label in zip(ranks, truth, strict=True) if label) - n_yes * (n_yes + 1) / 2
    return above / (n_yes * (len(truth) - n_yes))
