"""From answers to the tables one reads: rates a seed, rates an arm with intervals, contrasts. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mi.utils.stats import Alternative, effective_n, holm, note, permutation_test, seed_interval, smallest_p_value

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

CELL = ["setting", "arm", "evaluation", "distribution", "trait"]
COUNTS = ["n_sampled", "n_valid", "n_refused"]
SUMMARY_COLUMNS = [*CELL, "mean", "lower", "upper", "n_seeds", "n_planned", *COUNTS]
PER_SEED_COLUMNS = [*CELL, "seed", "mean", "n_effective", *COUNTS]
POOLED = {"id": "in_distribution", "ood": "out_of_distribution"}
"""The evaluation's name in rows that are the mean over all evaluations of a distribution, each with equal weight.

Those out of distribution are always written; those in distribution where a setting has several such evaluations.
"""
UNTRAINED = ("base",)
"""Arms that are the base model itself."""


class _Plan(NamedTuple):
    """What there is to tell: evaluation -> (distribution, traits) by setting, and the planned answers by cell."""

    evaluations: Mapping[str, dict[str, tuple[str, list[str]]]]
    n_planned: Mapping[tuple[str, ...], int]

    def pools(self, setting: str) -> Iterator[tuple[str, str, list[str]]]:
        """(distribution, trait, evaluations to take the mean over) for each pooled row of a setting."""
        for distribution in POOLED:
            group = {
                name: traits for name, (where, traits) in self.evaluations[setting].items() if where == distribution
            }
            if len(group) >= (2 if distribution == "id" else 1):
                for trait in dict.fromkeys(trait for traits in group.values() for trait in traits):
                    yield distribution, trait, [name for name, traits in group.items() if trait in traits]


def per_seed(answers: pd.DataFrame, planned: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a setting, arm, seed, evaluation and trait (PER_SEED_COLUMNS), pooled rows included.

    `answers` has one row an answer: setting, arm, seed, evaluation, distribution ("id" or "ood"), scores (trait ->
    value in [0, 1] or None) and refused; other columns are passed over. `planned` is described at `summarise`.
    A pooled row has a mean (equal weight for each evaluation) only where *every* evaluation of the distribution has
    a valid answer, so that it is the same mean for all seeds and arms. `n_effective`, in answers, is the size of a
    simple sample of the same weight. Cells of which nothing was sampled have no row.
    """
    import pandas as pd

    plan = _plan(answers, planned)
    cells = _scores_by_cell(answers, plan)
    rows = [_rate(key, scores, refused) for key, (scores, refused) in cells.items()]
    by_key = {tuple(row[name] for name in ("setting", "arm", "seed", "evaluation", "trait")): row for row in rows}
    for setting, arm, seed in dict.fromkeys((row["setting"], row["arm"], row["seed"]) for row in rows):
        for distribution, trait, names in plan.pools(setting):
            parts = [by_key.get((setting, arm, seed, name, trait)) for name in names]
            cell = dict(zip(CELL, (setting, arm, POOLED[distribution], distribution, trait), strict=True))
            rows.append(cell | {"seed": seed} | _equal_weights(parts))
    return pd.DataFrame(rows, columns=PER_SEED_COLUMNS)


def summarise(answers: pd.DataFrame, planned: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row a setting, arm, evaluation and trait (SUMMARY_COLUMNS): the mean over seeds with its interval.

    `planned` has setting, arm, evaluation, distribution, trait and n_planned (in answers), in the experiment's
    order, one row a cell or one a cell and seed; a summary is a plan too. Every planned cell has a row; mean, lower
    and upper are NaN where no answer was valid. Answers that were not planned follow, with n_planned 0. Pooled rows
    are named in POOLED. The interval is that of `mi.utils.stats.seed_interval`; n_seeds counts its seeds.
    """
    import pandas as pd

    plan = _plan(answers, planned)
    rates = per_seed(answers, planned)
    groups = _groups(rates, CELL)
    cells = dict(plan.n_planned) | {key: 0 for key in groups if key not in plan.n_planned}
    rows = []
    for key, n_planned in _in_order(cells, plan):
        group = groups.get(key, rates.iloc[:0])
        seeds = group[group["n_effective"] > 0]
        interval = seed_interval(seeds["mean"].tolist(), seeds["n_effective"].tolist(), confidence)
        counts = [int(group[name].sum()) for name in COUNTS]
        rows.append([*key, *interval, len(seeds), n_planned, *counts])
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def select(table: Any, **wanted: str) -> Any:
    """The rows of a table whose columns have the values that are named."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def headline(table: pd.DataFrame, distribution: str) -> Any:
    """The rows that stand for a whole distribution: the pooled ones, or those of its only evaluation."""
    rows = select(table, distribution=distribution)
    pooled = rows["evaluation"] == POOLED[distribution]
    return rows[pooled | ~rows["setting"].isin(rows.loc[pooled, "setting"])]


def contrasts(
    rates: pd.DataFrame, reference: str, alternative: Alternative = "two-sided", arms: Sequence[str] | None = None
) -> pd.DataFrame:
    """Each arm against the arm `reference`, by exact permutation of seed means: one row a comparison.

    `rates` is the table of `per_seed`. A family for Holm is one setting, evaluation and trait: the arms compared
    (all, or those in `arms`; "less" asks whether they lie below the reference). Arms with one seed (the base model)
    cannot be tested: their p is NaN and they are not of the family. `smallest_p` is what p could have been at best
    with so few seeds; where it is above .05 (3 against 3: .10), no p-value can show anything.
    """
    import pandas as pd

    cells = _groups(rates[rates["mean"].notna()], [column for column in CELL if column != "arm"])
    rows: list[dict[str, Any]] = []
    for (setting, evaluation, distribution, trait), cell in cells.items():
        means = {arm: group["mean"].tolist() for (arm,), group in _groups(cell, ["arm"]).items()}
        base = means.pop(reference, [])
        family = [
            {"setting": setting, "evaluation": evaluation, "distribution": distribution, "trait": trait, "arm": arm}
            | _contrast(runs, base, alternative)
            for arm, runs in means.items()
            if arms is None or arm in arms
        ]
        for row, adjusted in zip(family, holm([row["p"] for row in family]), strict=True):
            rows.append(row | {"reference": reference, "p_holm": adjusted})
    columns = [*CELL, "reference", "difference", "n_seeds", "n_seeds_reference", "p", "p_holm", "smallest_p"]
    return pd.DataFrame(rows, columns=columns)


def unknown_variance(summary: Any) -> str:
    """A sentence part for captions: what the intervals of arms with one seed do not know; empty if there are none.

    Arms named in UNTRAINED have no training seed, so that nothing is unknown of them.
    """
    single = (summary["n_seeds"] == 1) & ~summary["arm"].isin(UNTRAINED)
    return note(1) if single.any() else ""


def format_table(summary: pd.DataFrame, labels: Mapping[str, str] | None = None, width: int = 80) -> Table:
    """The summary for a terminal of `width` characters: arms as rows, trait by distribution as columns.

    `labels` names arms, traits and settings for people. The last column counts valid of planned answers. An
    interval over one seed is marked, and a line below says what it does not know. Cells take two lines where one
    would not fit.
    """
    from rich import box
    from rich.table import Table

    names = labels or {}
    shown = {d: headline(summary, d) for d in POOLED if d in set(summary["distribution"])}
    columns = [(t, d) for t in dict.fromkeys(summary["trait"]) for d in shown]
    longest = max((len(str(names.get(arm, arm))) for arm in summary["arm"]), default=0)
    between = " " if longest + 21 * len(columns) + 14 <= width else "\n"
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1 if between == "\n" else 2, 0, 0))
    table.add_column("")
    for trait, distribution in columns:
        table.add_column(f"{names.get(trait, trait)}\n{distribution.upper()}", no_wrap=True)
    table.add_column("answers", justify="right", no_wrap=True)
    settings = list(dict.fromkeys(summary["setting"]))
    for setting in settings:
        if len(settings) > 1:
            table.add_row(names.get(setting, setting), style="bold")
        of_setting = select(summary, setting=setting)
        for arm in dict.fromkeys(of_setting["arm"]):
            cells = [_cell(shown[d], (setting, arm, t), between) for t, d in columns]
            table.add_row(names.get(arm, arm), *cells, _answers(select(of_setting, arm=arm)))
    table.caption = _caption(summary)
    table.caption_justify = "left"
    return table


def _caption(summary: pd.DataFrame) -> str:
    unknown = unknown_variance(summary)
    return (
        "Mean over seeds [95 % interval: Student-t over seeds, at least Wilson over answers]; "
        "ID in, OOD out of distribution; answers: valid of planned."
        + (f" † {unknown}, interval over answers alone." if unknown else "")
    )


def _groups(table: Any, columns: list[str]) -> dict[Any, Any]:
    """Values of the columns -> rows, in order of first appearance."""
    return dict(iter(table.groupby(columns, sort=False)))


def _plan(answers: pd.DataFrame, planned: Any) -> _Plan:
    evaluations: dict[str, dict[str, tuple[str, list[str]]]] = {}
    n_planned: dict[tuple[str, ...], int] = {}

    def add(setting: str, evaluation: str, distribution: str, trait: str) -> None:
        traits = evaluations.setdefault(setting, {}).setdefault(evaluation, (distribution, []))[1]
        if trait not in traits:
            traits.append(trait)

    if planned is not None:
        single = planned[~planned["evaluation"].isin(list(POOLED.values()))]
        for *key, n in single[[*CELL, "n_planned"]].itertuples(index=False):
            n_planned[tuple(key)] = n_planned.get(tuple(key), 0) + int(n)
            add(key[0], key[2], key[3], key[4])
    for row in _records(answers, ["setting", "evaluation", "distribution", "scores"]):
        for trait, score in (row["scores"] or {}).items():
            if planned is None or _number(score) is not None:
                add(row["setting"], row["evaluation"], row["distribution"], trait)
    return _Plan(evaluations, n_planned | _pooled_plan(evaluations, n_planned))


def _pooled_plan(
    evaluations: Mapping[str, dict[str, tuple[str, list[str]]]], n_planned: Mapping[tuple[str, ...], int]
) -> dict[tuple[str, ...], int]:
    pooled: dict[tuple[str, ...], int] = {}
    for setting, arm in dict.fromkeys(key[:2] for key in n_planned):
        for distribution, trait, names in _Plan(evaluations, {}).pools(setting):
            keys = [(setting, arm, name, distribution, trait) for name in names]
            pooled[setting, arm, POOLED[distribution], distribution, trait] = sum(n_planned.get(k, 0) for k in keys)
    return pooled


def _in_order(cells: Mapping[tuple[str, ...], int], plan: _Plan) -> list[tuple[tuple[str, ...], int]]:
    """Settings, arms, evaluations as planned, pooled rows after the others, traits as planned."""
    rank = [{name: i for i, name in enumerate(dict.fromkeys(key[column] for key in cells))} for column in range(5)]
    evaluations = [name for group in plan.evaluations.values() for name in group]
    rank[2] = {name: i for i, name in enumerate([*dict.fromkeys(evaluations), *POOLED.values()])}
    return sorted(cells.items(), key=lambda cell: [rank[column][cell[0][column]] for column in (0, 1, 2, 4)])


def _scores_by_cell(answers: pd.DataFrame, plan: _Plan) -> dict[tuple[Any, ...], tuple[list[float | None], list[bool]]]:
    """(setting, arm, evaluation, distribution, trait, seed) -> every answer's score, and whether it was refused."""
    cells: dict[tuple[Any, ...], tuple[list[float | None], list[bool]]] = {}
    for row in _records(answers, ["setting", "arm", "seed", "evaluation", "distribution", "scores", "refused"]):
        for trait in plan.evaluations.get(row["setting"], {}).get(row["evaluation"], ("", []))[1]:
            key = (*(row[name] for name in CELL[:-1]), trait, row["seed"])
            scores, refused = cells.setdefault(key, ([], []))
            scores.append(_number((row["scores"] or {}).get(trait)))
            refused.append(bool(row["refused"]))
    return cells


def _records(answers: pd.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    return answers[columns].to_dict("records") if len(answers) else []  # type: ignore[return-value]


def _number(score: Any) -> float | None:
    return None if score is None or math.isnan(score) else float(score)


def _rate(key: tuple[Any, ...], scores: list[float | None], refused: list[bool]) -> dict[str, Any]:
    valid = [score for score in scores if score is not None]
    counts = dict(zip(COUNTS, (len(scores), len(valid), sum(refused)), strict=True))
    mean = math.fsum(valid) / len(valid) if valid else math.nan
    return dict(zip([*CELL, "seed"], key, strict=True)) | {"mean": mean, "n_effective": len(valid)} | counts


def _equal_weights(parts: list[dict[str, Any] | None]) -> dict[str, Any]:
    """The mean over evaluations of one seed; NaN, with its answers counted, where one of them has none."""
    found = [part for part in parts if part is not None]
    counts = {name: sum(part[name] for part in found) for name in COUNTS}
    whole = len(found) == len(parts) and all(part["n_valid"] for part in found)
    mean = math.fsum(part["mean"] for part in found) / len(parts) if whole else math.nan
    weight = len(parts) * effective_n([part["n_effective"] for part in found]) if whole else 0.0
    return {"mean": mean, "n_effective": weight} | counts


def _contrast(runs: list[float], base: list[float], alternative: Alternative) -> dict[str, Any]:
    testable = min(len(runs), len(base)) >= 2
    difference = sum(runs) / len(runs) - sum(base) / len(base) if base else math.nan
    return {
        "difference": difference,
        "n_seeds": len(runs),
        "n_seeds_reference": len(base),
        "p": permutation_test(runs, base, alternative) if testable else math.nan,
        "smallest_p": smallest_p_value(len(runs), len(base), alternative),
    }


def _cell(rows: Any, key: tuple[str, str, str], between: str) -> str:
    found = select(rows, setting=key[0], arm=key[1], trait=key[2])
    if found.empty:
        return ""
    row = found.iloc[0]
    if not row["n_seeds"]:
        return note(0)
    mark = "†" if row["n_seeds"] == 1 and key[1] not in UNTRAINED else ""
    return f"{row['mean']:.2f}{between}[{row['lower']:.2f}, {row['upper']:.2f}]{mark}"


def _answers(rows: Any) -> str:
    """Valid of planned answers over the evaluations of an arm, by its worst trait, and how many were refused."""
    single = rows[~rows["evaluation"].isin(list(POOLED.values()))]
    worst = single.sort_values("n_valid", kind="stable").drop_duplicates("evaluation")
    refused = int(worst["n_refused"].sum())
    return f"{worst['n_valid'].sum()}/{worst['n_planned'].sum()}" + (f"\n{refused} refused" if refused else "")
