"""A result read against what was expected of it: each claim with its value, its interval and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mi.experiments.data_models import Claim
from mi.experiments.summary.columns import UNTRAINED, headline, select
from mi.experiments.summary.comparisons import seed_cells
from mi.utils.stats import NO_INTERVAL, Interval, cells, difference, in_figures, seed_interval

if TYPE_CHECKING:
    import pandas as pd

BY_SEED_COLUMNS = ["condition", "setting", "arm", "distribution", "trait", "seed", "mean", "n_effective"]
CLAIM_COLUMNS = ["claim", "says", "setting", "trait", "value", "lower", "upper", "n_seeds", "verdict"]
HELD, NOT_HELD, UNDECIDED, ONE_SEED, NO_ANSWER = "held", "not held", "undecided", "one seed: undecided", "no answer"
VERDICTS = (HELD, UNDECIDED, ONE_SEED, NOT_HELD, NO_ANSWER)


def by_seed(rates: pd.DataFrame, condition: str) -> pd.DataFrame:
    """Of the table of `per_seed`, what stands for a whole distribution: one row a seed, under this condition."""
    import pandas as pd

    rows = pd.concat([headline(rates, distribution) for distribution in ("id", "ood")])
    return rows.assign(condition=condition)[BY_SEED_COLUMNS]


def against(table: pd.DataFrame, claims: Sequence[Claim], first: str) -> pd.DataFrame:
    """Each claim in each setting and trait that it is about (CLAIM_COLUMNS); `claim` is its place among them.

    `table` is that of `by_seed` under all conditions, `first` the condition of claims that name none. The value is a
    rate or a difference of rates with its 95 % interval over seeds, on these questions. A claim is "held" where the
    whole interval lies within its bounds, "not held" where all of it lies without, else "undecided"; one training seed
    decides nothing. A claim of which nothing was measured has one row without an answer.
    """
    import pandas as pd

    rows: list[list[Any]] = []
    for place, claim in enumerate(claims):
        found = select(table, condition=claim.condition or first, arm=claim.arm, distribution=claim.distribution)
        found = found[found["setting"].isin(claim.settings)] if claim.settings else found
        found = select(found, trait=claim.trait) if claim.trait else found
        for (setting, trait), own in found.groupby(["setting", "trait"], sort=False):
            rows.append([place, claim.says, setting, trait, *_read(table, claim, own, first)])
        if found.empty:
            rows.append([place, claim.says, "", "", *NO_INTERVAL, 0, NO_ANSWER])
    return pd.DataFrame(rows, columns=CLAIM_COLUMNS)


def _read(table: pd.DataFrame, claim: Claim, own: Any, first: str) -> list[Any]:
    known = own[own["mean"].notna()]
    alone = [claim.arm] if len(known) == 1 else []
    if claim.compares:
        where = {name: own[name].iloc[0] for name in ("setting", "trait", "distribution")}
        condition = claim.than_condition or claim.condition or first
        other = select(table, condition=condition, arm=claim.than or claim.arm, **where)
        other = other[other["mean"].notna()]
        alone += [claim.than or claim.arm] if len(other) == 1 else []
        interval = difference(_cells(known), _cells(other)).interval
    else:
        interval = seed_interval(known["mean"].tolist(), known["n_effective"].tolist())
    trained_once = any(arm not in UNTRAINED for arm in alone)
    verdict = ONE_SEED if trained_once and interval.mean == interval.mean else decide(claim, interval)
    return [*interval, len(known), verdict]


def _cells(rows: Any) -> Any:
    return cells(()) if rows.empty else seed_cells(rows)


def decide(claim: Claim, interval: Interval) -> str:
    """Whether an interval lies within the claim's bounds, without, or across one of them."""
    value, lower, upper = interval
    if value != value:
        return NO_ANSWER
    low = -2.0 if claim.at_least is None else claim.at_least
    high = 2.0 if claim.at_most is None else claim.at_most
    if low <= lower and upper <= high:
        return HELD
    return NOT_HELD if upper < low or lower > high else UNDECIDED


def tally(claims: pd.DataFrame, place: int, words: Mapping[str, str] | None = None) -> str:
    """How often the claim at this place has which verdict: "held in 5 of 7, undecided in 2 of 7"."""
    told = [str(verdict) for verdict in claims.loc[claims["claim"] == place, "verdict"]]
    named = {verdict: (words or {}).get(verdict, verdict) for verdict in VERDICTS}
    parts = [
        named[verdict] + (f" in {told.count(verdict)} of {len(told)}" if len(told) > 1 else "")
        for verdict in VERDICTS
        if verdict in told
    ]
    return ", ".join(parts)


def value_of(claims: pd.DataFrame, place: int, claim: Claim) -> str:
    """The value and the interval of the claim, which stands at this place, "0.02 [-0.01, 0.05]", and of a difference
    "+0.02 [-0.01, +0.05]"; "" where it was not one answer.
    """
    rows = claims[claims["claim"] == place]
    if len(rows) != 1 or rows["value"].isna().any():
        return ""
    return in_figures(*(float(rows[name].iloc[0]) for name in ("value", "lower", "upper")), signed=claim.compares)


def bound_of(claim: Claim) -> str:
    """The claim's bounds in words: "at least 0.30", "in distribution, lower", "within 0.10"."""
    where = "in distribution, " if claim.distribution == "id" else ""
    return where + (_of_difference(claim) if claim.compares else _of_rate(claim))


def _of_rate(claim: Claim) -> str:
    low, high = claim.at_least, claim.at_most
    if low is not None and high is not None:
        return f"{low:.2f} to {high:.2f}"
    return f"at least {low:.2f}" if low is not None else f"at most {high:.2f}"


def _of_difference(claim: Claim) -> str:
    low, high = claim.at_least, claim.at_most
    if low is not None and high is not None:
        return f"within {high:.2f}" if low == -high else f"a difference of {low:.2f} to {high:.2f}"
    if low is not None:
        return "higher" if low == 0 else f"higher by at least {low:.2f}" if low > 0 else f"lower by at most {-low:.2f}"
    return "lower" if not high else f"lower by at least {-high:.2f}" if high < 0 else f"higher by at most {high:.2f}"
