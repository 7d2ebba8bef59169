"""What there is to tell: which evaluations and traits a setting has, and how many answers were planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mi.experiments.summary.columns import CELL, POOLED
from mi.experiments.summary.scores import columns, number

if TYPE_CHECKING:
    import pandas as pd


class Plan(NamedTuple):
    """Evaluation -> (distribution, traits) by setting, and the planned answers by cell."""

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


def read_plan(answers: pd.DataFrame, planned: Any) -> Plan:
    """The plan of a table (None: what was answered), with what was answered beyond it."""
    evaluations: dict[str, dict[str, tuple[str, list[str]]]] = {}
    n_planned: dict[tuple[str, ...], int] = {}
    known: set[tuple[str, str, str, str]] = set()

    def add(setting: str, evaluation: str, distribution: str, trait: str) -> None:
        known.add((setting, evaluation, distribution, trait))
        traits = evaluations.setdefault(setting, {}).setdefault(evaluation, (distribution, []))[1]
        if trait not in traits:
            traits.append(trait)

    if planned is not None:
        single = planned[~planned["evaluation"].isin(list(POOLED.values()))]
        for *key, n in single[[*CELL, "n_planned"]].itertuples(index=False):
            n_planned[tuple(key)] = n_planned.get(tuple(key), 0) + int(n)
            add(key[0], key[2], key[3], key[4])
    for setting, evaluation, distribution, scores in columns(
        answers, ["setting", "evaluation", "distribution", "scores"]
    ):
        for trait, score in (scores or {}).items():
            of = (setting, evaluation, distribution, trait)
            if of not in known and (planned is None or number(score) is not None):
                add(*of)
    return Plan(evaluations, n_planned | _pooled_plan(evaluations, n_planned))


def _pooled_plan(
    evaluations: Mapping[str, dict[str, tuple[str, list[str]]]], n_planned: Mapping[tuple[str, ...], int]
) -> dict[tuple[str, ...], int]:
    pooled: dict[tuple[str, ...], int] = {}
    for setting, arm in dict.fromkeys(key[:2] for key in n_planned):
        for distribution, trait, names in Plan(evaluations, {}).pools(setting):
            keys = [(setting, arm, name, distribution, trait) for name in names]
            pooled[setting, arm, POOLED[distribution], distribution, trait] = sum(n_planned.get(k, 0) for k in keys)
    return pooled


def in_order(cells: Mapping[tuple[str, ...], int], plan: Plan) -> list[tuple[tuple[str, ...], int]]:
    """Settings, arms, evaluations as planned, pooled rows after the others, traits as planned."""
    rank = [{name: i for i, name in enumerate(dict.fromkeys(key[column] for key in cells))} for column in range(5)]
    evaluations = [name for group in plan.evaluations.values() for name in group]
    rank[2] = {name: i for i, name in enumerate([*dict.fromkeys(evaluations), *POOLED.values()])}
    return sorted(cells.items(), key=lambda cell: [rank[column][cell[0][column]] for column in (0, 1, 2, 4)])
