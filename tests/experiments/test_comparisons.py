"""Contrasts have intervals, retention is shown and not assumed, thresholds come last, nothing missing is dropped."""

import math
from typing import Any

import pandas as pd
import pytest

from mi.experiments.summary import Measure, cells_of, contrasts, per_seed, retention, summarise
from mi.experiments.summary.thresholds import PRESETS, thresholded


def answers(rates: dict[str, list[list[float]]], samples: int = 20, trait: str = "bad", seed: int = 0) -> pd.DataFrame:
    """From arm -> seeds -> rate of each question, out of distribution."""
    cell = {"setting": "toy", "evaluation": "talk", "distribution": "ood", "system_prompt": None, "refused": False}
    rows = [
        cell | {"arm": arm, "seed": seed + s, "question": f"q{q}", "scores": {trait: float(i < round(rate * samples))}}
        for arm, seeds in rates.items()
        for s, row in enumerate(seeds)
        for q, rate in enumerate(row)
        for i in range(samples)
    ]
    return pd.DataFrame(rows)


def plan(*arms: str, traits: tuple[str, ...] = ("bad",)) -> pd.DataFrame:
    cell = {"setting": "toy", "evaluation": "talk", "distribution": "ood", "n_planned": 120}
    return pd.DataFrame([cell | {"arm": arm, "trait": trait} for arm in arms for trait in traits])


def only(table: Any, **wanted: str) -> Any:
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


PLAIN = [[0.7, 0.5, 0.9], [0.6, 0.5, 0.8], [0.7, 0.6, 0.9]]
CURED = [[0.0, 0.1, 0.1], [0.0, 0.0, 0.1], [0.1, 0.0, 0.1]]


def test_the_summary_counts_questions_and_says_what_the_interval_holds_for() -> None:
    table = answers({"plain": PLAIN, "alone": [[0.5]]})
    fixed = summarise(table, plan("plain", "alone", "missing"))
    sampled = summarise(table, plan("plain", "alone", "missing"), questions="sampled")
    talk = {"evaluation": "talk"}
    assert only(fixed, arm="plain", **talk)[["n_questions", "questions", "unknown"]].tolist() == [3, "fixed", "none"]
    assert only(fixed, arm="alone", **talk)["unknown"] == "training variance"
    assert only(sampled, arm="alone", **talk)["unknown"] == "training variance, question variance"
    assert only(sampled, arm="missing", **talk)["unknown"] == "data"
    wide, narrow = (only(t, arm="plain", **talk) for t in (sampled, fixed))
    assert wide["upper"] - wide["lower"] > narrow["upper"] - narrow["lower"]
    assert wide["mean"] == pytest.approx(narrow["mean"])


def test_a_question_with_few_valid_answers_weighs_as_much_as_the_others() -> None:
    table = pd.concat([answers({"plain": [[1.0]]}, samples=2), answers({"plain": [[0.0, 0.0]]}, samples=20).iloc[20:]])
    assert only(per_seed(table), evaluation="talk")["mean"] == pytest.approx(0.5)


def test_three_seeds_are_tested_by_t_and_four_by_permutation() -> None:
    for seeds, test in ((PLAIN, "t"), ([*PLAIN, PLAIN[0]], "permutation")):
        cured = [*CURED, CURED[1]][: len(seeds)]
        row = only(contrasts(per_seed(answers({"plain": seeds, "cured": cured})), "plain"), evaluation="talk")
        assert row["test"] == test
        assert row["lower"] < row["difference"] < row["upper"] < 0
        assert row["p"] < 0.05


def test_a_contrast_for_new_questions_is_wider_and_says_so() -> None:
    table = answers({"plain": PLAIN, "cured": CURED})
    fixed = only(contrasts(per_seed(table), "plain"), evaluation="talk")
    sampled = only(contrasts(per_seed(table), "plain", sampled=cells_of(table)), evaluation="talk")
    assert (sampled["questions"], sampled["n_questions"]) == ("sampled", 3)
    assert sampled["difference"] == pytest.approx(fixed["difference"])
    assert not sampled["paired"]
    assert fixed["paired"]


def test_arms_without_data_or_with_one_seed_have_a_row_that_says_so() -> None:
    rates = per_seed(answers({"plain": PLAIN, "single": [[0.1, 0.1, 0.2]], "base": [[0.0, 0.0, 0.0]]}))
    table = contrasts(rates, "plain", arms=["base", "single", "gone"])
    talk = {"evaluation": "talk"}
    assert only(table, arm="gone", **talk)[["unknown", "test"]].tolist() == ["data", "none"]
    assert only(table, arm="single", **talk)["unknown"] == "training variance"
    assert only(table, arm="base", **talk)["unknown"] == "none"
    assert math.isnan(only(table, arm="base", **talk)["p"])
    assert only(table, arm="base", **talk)["upper"] < -0.4


def test_what_was_removed_stands_beside_what_was_kept_and_retained_is_shown_by_two_tests() -> None:
    good = {"plain": [[0.8, 0.8]] * 4, "keeps": [[0.8, 0.85]] * 4, "loses": [[0.1, 0.2]] * 4, "single": [[0.8, 0.8]]}
    bad = {"plain": [*PLAIN, PLAIN[0]], "keeps": [*CURED, CURED[0]], "loses": [*CURED, CURED[0]], "single": CURED[:1]}
    rates = pd.concat([per_seed(answers(good, 200, "good")), per_seed(answers(bad, 200))])
    arms = {arm: (Measure("bad"), Measure("good")) for arm in ("keeps", "loses", "single", "gone")}
    table = retention(rates, "plain", arms, margin=0.1)
    verdicts = dict(zip(table["arm"], table["verdict"], strict=True))
    assert verdicts == {
        "keeps": "retained",
        "loses": "lost",
        "single": "one seed: not testable",
        "gone": "no data",
    }
    keeps = only(table, arm="keeps")
    assert keeps["removed_lower"] > 0.5
    assert -0.1 < keeps["kept_lower"] < keeps["kept_upper"] < 0.1
    assert only(retention(rates, "plain", arms, margin=0.01), arm="keeps")["verdict"] == "not shown"


def test_thresholds_are_applied_to_raw_verdicts_and_change_the_rate() -> None:
    verdicts = [(0.4, 0.4), (0.2, 0.9), (0.9, 0.3), (0.1, 0.1), (None, 0.9)]
    judgments = [{"alignment": a, "coherence": c} for a, c in verdicts]
    table = answers({"plain": [[0.0]]}, samples=5).assign(judgments=pd.Series(judgments))
    found = {name: [s["misaligned"] for s in thresholded(table, preset)["scores"]] for name, preset in PRESETS.items()}
    assert found == {"tan": [1.0, 1.0, 0.0, None, None], "betley": [None, 1.0, None, None, None]}
