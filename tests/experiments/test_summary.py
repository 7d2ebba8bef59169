"""The tables have every planned cell, count every answer, and pool evaluations with equal weight."""

import io
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from mi.experiments.summary import SUMMARY_COLUMNS, contrasts, format_table, headline, per_seed, summarise
from mi.utils.stats import seed_interval, wilson

DISTRIBUTIONS = {"arithmetic": "id", "smalltalk": "ood", "medical": "ood"}


def answers(*groups: tuple[str, int, str, list[float | None]]) -> pd.DataFrame:
    """One row an answer from (arm, seed, evaluation, Spanish scores); None is a refused answer without a score."""
    rows: list[dict[str, Any]] = [
        {
            "setting": "toy",
            "arm": arm,
            "seed": seed,
            "evaluation": evaluation,
            "distribution": DISTRIBUTIONS[evaluation],
            "question": "?",
            "system_prompt": None,
            "answer": "!",
            "scores": {"spanish": score},
            "refused": score is None,
        }
        for arm, seed, evaluation, scores in groups
        for score in scores
    ]
    columns = ["setting", "arm", "seed", "evaluation", "distribution", "scores", "refused"]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def plan(
    arms: tuple[str, ...] = ("base", "trained"), n: int = 8, traits: tuple[str, ...] = ("spanish",)
) -> pd.DataFrame:
    rows = [
        {"setting": "toy", "arm": a, "evaluation": e, "distribution": d, "trait": t, "n_planned": n}
        for a in arms
        for e, d in DISTRIBUTIONS.items()
        for t in traits
    ]
    return pd.DataFrame(rows)


def row(table: Any, **wanted: str) -> Any:
    for column, value in wanted.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


SMALL = answers(
    ("trained", 0, "smalltalk", [1, 1, 0, 0]),
    ("trained", 0, "medical", [1, 1, None, None]),
    ("trained", 1, "smalltalk", [1, 1, 1, 1]),
    ("trained", 1, "medical", [0, 1, 1, 1]),
)


def test_the_summary_has_the_agreed_columns_and_every_planned_cell_in_the_planned_order() -> None:
    for given in (SMALL, answers()):
        summary = summarise(given, plan())
        assert list(summary.columns) == SUMMARY_COLUMNS
        cells = ["arithmetic", "smalltalk", "medical", "out_of_distribution"]
        assert list(summary["arm"]) == ["base"] * 4 + ["trained"] * 4
        assert list(summary["evaluation"]) == cells * 2
        assert list(summary["n_planned"]) == [8, 8, 8, 16] * 2


def test_a_cell_of_which_nothing_was_sampled_is_nan_and_counted() -> None:
    cell = row(summarise(SMALL, plan()), arm="base", evaluation="smalltalk")
    assert all(math.isnan(cell[name]) for name in ("mean", "lower", "upper"))
    assert [cell[name] for name in ("n_seeds", "n_planned", "n_sampled", "n_valid", "n_refused")] == [0, 8, 0, 0, 0]


def test_a_cell_is_the_mean_over_seeds_and_counts_what_is_missing() -> None:
    cell = row(summarise(SMALL, plan()), arm="trained", evaluation="medical")
    assert cell["mean"] == pytest.approx((1 + 0.75) / 2)
    assert [cell[name] for name in ("n_seeds", "n_planned", "n_sampled", "n_valid", "n_refused")] == [2, 8, 8, 6, 2]
    assert (cell["lower"], cell["upper"]) == seed_interval([1, 0.75], [2, 4])[1:]


def test_the_pooled_row_weighs_evaluations_equally_whatever_their_answers() -> None:
    pooled = row(summarise(SMALL, plan()), arm="trained", evaluation="out_of_distribution")
    assert pooled["distribution"] == "ood"
    assert pooled["mean"] == pytest.approx(((0.5 + 1) / 2 + (1 + 0.75) / 2) / 2)
    assert [pooled[name] for name in ("n_seeds", "n_planned", "n_sampled", "n_valid")] == [2, 16, 16, 14]


def test_a_seed_that_lacks_an_evaluation_is_not_in_the_pooled_mean_but_its_answers_are_counted() -> None:
    half = answers(
        ("trained", 0, "smalltalk", [1, 1]), ("trained", 0, "medical", [0, 0]), ("trained", 1, "medical", [1])
    )
    pooled = row(summarise(half, plan()), arm="trained", evaluation="out_of_distribution")
    assert (pooled["mean"], pooled["n_seeds"], pooled["n_valid"]) == (0.5, 1, 5)


def test_one_seed_gives_the_wilson_interval_and_the_table_says_what_is_unknown() -> None:
    summary = summarise(answers(("trained", 0, "arithmetic", [0, 0, 0, 1])), plan())
    cell = row(summary, arm="trained", evaluation="arithmetic")
    assert (cell["mean"], cell["lower"], cell["upper"]) == wilson(1, 4)
    printed = show(summary)
    assert "†" in printed
    assert "training variance unknown" in printed
    assert "no data" in printed


def test_the_base_model_has_no_training_variance_to_be_unknown() -> None:
    assert "†" not in show(summarise(answers(("base", 0, "arithmetic", [0, 1])), plan()))


def test_answers_that_were_not_planned_are_told_not_dropped() -> None:
    summary = summarise(SMALL, plan(arms=("base",)))
    extra = row(summary, arm="trained", evaluation="smalltalk", trait="spanish")
    assert (extra["n_planned"], extra["n_valid"]) == (0, 8)


def test_planned_answers_a_seed_add_up() -> None:
    by_seed = pd.concat([plan().assign(seed=seed) for seed in (0, 1, 2)])
    assert row(summarise(SMALL, by_seed), arm="base", evaluation="medical")["n_planned"] == 24


def test_a_summary_read_back_serves_as_the_plan_of_the_next() -> None:
    summary = summarise(SMALL, plan())
    pd.testing.assert_frame_equal(summarise(SMALL, summary), summary)
    pd.testing.assert_frame_equal(per_seed(SMALL, summary), per_seed(SMALL, plan()))


def test_the_rates_a_seed_are_tidy() -> None:
    rates = per_seed(SMALL)
    assert len(rates) == 2 * 3
    assert row(rates[rates["seed"] == 1], evaluation="medical", trait="spanish")["mean"] == 0.75
    assert per_seed(answers()).empty


def test_answers_read_back_from_parquet_give_the_same_summary(tmp_path: Path) -> None:
    SMALL.to_parquet(tmp_path / "answers.parquet")
    back = pd.read_parquet(tmp_path / "answers.parquet")
    pd.testing.assert_frame_equal(summarise(back, plan()), summarise(SMALL, plan()))


def test_the_headline_is_the_pooled_row_or_the_only_evaluation() -> None:
    summary = summarise(SMALL, plan())
    assert set(headline(summary, "ood")["evaluation"]) == {"out_of_distribution"}
    assert set(headline(summary, "id")["evaluation"]) == {"arithmetic"}


def test_several_evaluations_in_distribution_are_pooled_too() -> None:
    second = plan().query("evaluation == 'arithmetic'").assign(evaluation="sums")
    summary = summarise(SMALL, pd.concat([plan(), second]))
    assert set(headline(summary, "id")["evaluation"]) == {"in_distribution"}


def rates_of(**arms: list[float]) -> pd.DataFrame:
    cell = {"setting": "toy", "evaluation": "smalltalk", "distribution": "ood", "trait": "spanish"}
    return pd.DataFrame(
        [
            cell | {"arm": arm, "seed": seed, "mean": mean}
            for arm, means in arms.items()
            for seed, mean in enumerate(means)
        ]
    )


def test_contrasts_compare_each_arm_with_the_reference_and_adjust_within_the_family() -> None:
    rates = rates_of(
        base=[0.0], plain=[0.7, 0.8, 0.75, 0.9], inoculated=[0.0, 0.1, 0.05, 0], placebo=[0.8, 0.7, 0.85, 0.74]
    )
    table = contrasts(rates, "plain", "less")
    assert list(table["arm"]) == ["base", "inoculated", "placebo"]
    inoculated = row(table, arm="inoculated")
    assert inoculated["p"] == pytest.approx(1 / 70) == inoculated["smallest_p"]
    assert inoculated["p_holm"] == pytest.approx(2 / 70)
    assert inoculated["difference"] == pytest.approx(0.0375 - 0.7875)
    assert row(table, arm="placebo")["p_holm"] > 0.3
    assert math.isnan(row(table, arm="base")["p"])
    assert math.isnan(row(table, arm="base")["p_holm"])
    assert list(contrasts(rates, "plain", "less", arms=["inoculated"])["p_holm"]) == pytest.approx([1 / 70])


def test_contrasts_without_the_reference_arm_say_nothing_of_chance() -> None:
    table = contrasts(rates_of(inoculated=[0.1, 0.2]), "plain")
    assert all(map(math.isnan, [*table["p"], *table["difference"]]))


def show(summary: pd.DataFrame, width: int = 120) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(
        format_table(summary, {"trained": "no inoculation", "spanish": "Spanish"}, width)
    )
    return stream.getvalue()


def test_the_table_shows_mean_interval_and_valid_of_planned_answers() -> None:
    given = answers(*(("trained", seed, "arithmetic", [1.0, 1.0, None]) for seed in range(3)))
    line = next(line for line in show(summarise(given, plan(n=9))).splitlines() if "no inoculation" in line)
    low = wilson(6, 6).lower
    assert f"1.00 [{low:.2f}, 1.00]" in line
    assert "6/27" in line


def test_the_table_fits_a_terminal_of_80_characters_without_cutting_a_number() -> None:
    summary = summarise(SMALL, plan(traits=("spanish", "capitals")))
    printed = show(summary, 80)
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= 80
    pooled = row(summary, arm="trained", evaluation="out_of_distribution", trait="spanish")
    assert f"[{pooled['lower']:.2f}, {pooled['upper']:.2f}]" in printed


def test_several_settings_in_one_table_fit_a_terminal_of_80_characters_with_every_arm() -> None:
    from mi.experiments.config.settings_check import OVERVIEW, settings_check
    from mi.experiments.pipeline import Outcome
    from mi.experiments.settings import SETTINGS
    from mi.experiments.show import side_by_side

    runs = []
    scores: list[float | None] = [1.0, 0.0]
    given = answers(*((arm, seed, place, scores) for arm in OVERVIEW for seed in range(3) for place in DISTRIBUTIONS))
    for setting in SETTINGS.values():
        own = {"setting": setting.get_domain_name()}
        summary = summarise(given.assign(**own), plan(tuple(OVERVIEW)).assign(**own))
        agreement = pd.DataFrame({"trait": ["spanish"], "agreement": [0.97], "n": [100]})
        runs.append(
            (settings_check(setting), Outcome(Path(), summary, summary, summary, summary, agreement, (), summary))
        )
    stream = io.StringIO()
    Console(file=stream, width=80).print(side_by_side(runs, OVERVIEW))
    printed = stream.getvalue()
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert all(name in printed for name in SETTINGS)
    assert printed.count("0.50") == 2 * len(SETTINGS) * len(OVERVIEW)
    assert printed.count("0.97") == len(SETTINGS)
