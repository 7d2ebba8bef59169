"""Arms against a reference: differences with intervals and tests, and what was removed beside what was kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mi.experiments.summary.columns import CELL, UNTRAINED, headline, select
from mi.utils.stats import (
    Alternative,
    Cells,
    Difference,
    cells,
    difference,
    equivalence,
    holm,
    permutation_test,
    smallest_p_value,
)

if TYPE_CHECKING:
    import pandas as pd

CONTRAST_COLUMNS = [*CELL, "reference", "difference", "n_seeds", "n_seeds_reference", "p", "p_holm", "smallest_p"]
CONTRAST_COLUMNS += ["lower", "upper", "test", "paired", "questions", "n_questions", "unknown"]
_ENOUGH = 4
"""Runs an arm from which the exact test can show something: with three its p is .10 or more."""
RETENTION_COLUMNS = ["setting", "arm", "reference"]
RETENTION_COLUMNS += ["removed_trait", "removed_distribution", "removed", "removed_lower", "removed_upper"]
RETENTION_COLUMNS += ["kept_trait", "kept_distribution", "kept", "kept_lower", "kept_upper"]
RETENTION_COLUMNS += ["margin", "p_retained", "verdict", "n_seeds", "n_seeds_reference", "unknown"]


def contrasts(
    rates: pd.DataFrame,
    reference: str,
    alternative: Alternative = "two-sided",
    arms: Sequence[str] | None = None,
    sampled: Mapping[tuple[Any, ...], Cells] | None = None,
) -> pd.DataFrame:
    """Each arm against the arm `reference` (CONTRAST_COLUMNS): one row a comparison.

    `rates` is the table of `per_seed`. Difference and interval are those of `mi.utils.stats.difference`: on fixed
    questions, or, where `sampled` gives the answers (`cells_of`), for questions of which these are a sample. p is that
    of an exact permutation of seed means where both arms have four seeds or more, else that of the interval; `test`
    says which. A family for Holm is one setting, evaluation and trait: the arms compared (all, or those in `arms`;
    "less" asks whether they lie below the reference), each with a row, also without data. Arms with one seed (the base
    model) cannot be tested: their p is NaN and they are not of the family. `smallest_p` is what the exact p could
    have been at best.
    """
    import pandas as pd

    known = rates[rates["mean"].notna()]
    everyone = list(dict.fromkeys(rates["arm"]))
    rows: list[dict[str, Any]] = []
    for key, cell in known.groupby([column for column in CELL if column != "arm"], sort=False):
        setting, *where = key  # type: ignore[misc]
        found = dict(iter(cell.groupby("arm", sort=False)))
        family = []
        for arm in (arm for arm in arms or everyone if arm != reference):
            names = dict(zip(CELL, (setting, arm, *where), strict=True)) | {"reference": reference}
            pair = [seed_cells(found.get(name)) for name in (arm, reference)]
            both = pair if sampled is None else [sampled.get((setting, a, *where), cells(())) for a in (arm, reference)]
            apart = difference(both[0], both[1], "fixed" if sampled is None else "sampled")
            family.append(names | _contrast(pair, apart, alternative) | {"unknown": _unknown(apart, names)})
        for row, adjusted in zip(family, holm([row["p"] for row in family]), strict=True):
            rows.append(row | {"p_holm": adjusted})
    return pd.DataFrame(rows, columns=CONTRAST_COLUMNS)


class Measure(NamedTuple):
    """A trait, in ("id") or out of ("ood") distribution: what a headline row tells."""

    trait: str
    distribution: str = "ood"


def retention(
    rates: pd.DataFrame, reference: str, arms: Mapping[str, tuple[Measure, Measure]], margin: float = 0.1
) -> pd.DataFrame:
    """For each setting and arm what it removed and what it kept, against the arm `reference` (RETENTION_COLUMNS).

    `rates` is the table of `per_seed`; `arms` says of each arm which measure is to go and which is to stay. `removed`
    is how far the first lies below the reference, `kept` how far the second lies above it (so a loss is
    negative), with 95 % intervals. `verdict` is "retained" only where two one-sided tests show (p_retained <= .05)
    that the second lies within `margin` of the reference; "lost" where its interval lies wholly below -margin;
    otherwise "not shown", or why nothing can be. Every setting and arm has a row.
    """
    import pandas as pd

    rows = []
    for setting in dict.fromkeys(rates["setting"]):
        table = select(rates[rates["mean"].notna()], setting=setting)
        for arm, (removed, kept) in arms.items():
            gone, stays = (_pair(table, arm, reference, measure) for measure in (removed, kept))
            less, more = difference(gone[1], gone[0]), difference(*stays)
            p = equivalence(*stays, margin)
            unknown = dict.fromkeys(u for d in (less, more) for u in d.unknown)
            values = (setting, arm, reference, *removed, *less.interval, *kept, *more.interval, margin, p)
            verdict = "base model: not testable" if arm in UNTRAINED and more.unknown else _verdict(more, p, margin)
            counts = (len(stays[0].seeds), len(stays[1].seeds))
            rows.append([*values, verdict, *counts, ", ".join(unknown) or "none"])
    return pd.DataFrame(rows, columns=RETENTION_COLUMNS)


def _pair(table: pd.DataFrame, arm: str, reference: str, measure: Measure) -> tuple[Cells, Cells]:
    rows = select(headline(table, measure.distribution), trait=measure.trait)
    return seed_cells(select(rows, arm=arm)), seed_cells(select(rows, arm=reference))


def _verdict(kept: Difference, p: float, margin: float) -> str:
    if kept.unknown:
        return {"data": "no data", "training variance": "one seed: not testable"}.get(kept.unknown[0], "not testable")
    if p <= 0.05:
        return "retained"
    return "lost" if kept.interval.upper < -margin else "not shown"


def seed_cells(rows: Any) -> Cells:
    """The means of an arm's seeds as one column, which is all that fixed questions need."""
    import numpy as np

    if rows is None or rows.empty:
        return cells(())
    n = rows["n_effective"] if "n_effective" in rows else rows["mean"] * 0 + 1
    means, counts = (np.asarray(column, float)[:, None] for column in (rows["mean"], n))
    return Cells(tuple(rows["seed"]), ("all",), (0,), means, counts)


def _contrast(pair: Sequence[Cells], apart: Difference, alternative: Alternative) -> dict[str, Any]:
    runs, base = (arm.rates[:, 0].tolist() if arm.seeds else [] for arm in pair)
    exact = min(len(runs), len(base)) >= _ENOUGH
    p = permutation_test(runs, base, alternative) if exact else _one_sided(apart, alternative)
    return {
        "difference": apart.interval.mean,
        "lower": apart.interval.lower,
        "upper": apart.interval.upper,
        "n_seeds": len(runs),
        "n_seeds_reference": len(base),
        "p": p,
        "test": "none" if math.isnan(p) else "permutation" if exact else "t",
        "smallest_p": smallest_p_value(len(runs), len(base), alternative),
        "paired": apart.paired,
        "questions": apart.questions,
        "n_questions": apart.n_questions if apart.questions == "sampled" else math.nan,
    }


def _one_sided(apart: Difference, alternative: Alternative) -> float:
    if alternative == "two-sided" or math.isnan(apart.p):
        return apart.p
    along = (apart.interval.mean < 0) == (alternative == "less")
    return apart.p / 2 if along else 1 - apart.p / 2


def _unknown(apart: Difference, names: Mapping[str, Any]) -> str:
    """The base model has no training whose variance could be unknown."""
    untrained = names["arm"] in UNTRAINED or names["reference"] in UNTRAINED
    return ", ".join(u for u in apart.unknown if not (u == "training variance" and untrained)) or "none"
