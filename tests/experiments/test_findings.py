"""The page of findings: numbers come from published tables, and what they say is told by their intervals."""

import json
from dataclasses import asdict
from itertools import product

import pandas as pd
import pytest

from mi.experiments.config import experiment
from mi.experiments.findings import declared, findings
from mi.experiments.published import Facts
from mi.utils.errors import UserError
from mi.utils.files import make_folder


@pytest.fixture
def published(tmp_path):
    """Published tables of every experiment: all arms at .6, but for the general inoculation, which is at .01."""
    for name in {part.experiment for finding in declared() for part in finding.parts}:
        known, rows, seeds = experiment(name), [], []
        for setting, arm, condition in product(known.settings, known.arms, known.conditions):
            for trait in setting.get_traits():
                mean = 0.01 if arm.name == "general" else 0.6
                cell = {"setting": setting.get_domain_name(), "arm": arm.name, "distribution": "ood", "trait": trait}
                cell |= {"condition": condition.name, "mean": mean}
                interval = {"evaluation": "out_of_distribution", "lower": mean - 0.01, "upper": mean + 0.01}
                rows.append(cell | interval | {"n_seeds": 5})
                seeds += [cell | {"seed": seed, "n_effective": 5000} for seed in range(5)]
        folder = make_folder(tmp_path / name)
        for table, content in (("conditions", rows), ("summary", rows), ("by_seed", seeds)):
            pd.DataFrame(content).to_csv(folder / f"{table}.csv", index=False)
        facts = Facts("organism", "0.1.0", "2026-11-24", (0, 1, 2, 3, 4), ("figures/intervals.png",))
        (folder / "result.json").write_text(json.dumps(asdict(facts)), encoding="utf-8")
    return tmp_path


def test_every_question_names_arms_and_conditions_that_its_experiments_have():
    for finding in declared():
        for part in finding.parts:
            known = experiment(part.experiment)
            assert {*part.arms, *part.counted} <= {arm.name for arm in known.arms}, part
            assert part.condition in {condition.name for condition in known.conditions}, part


def test_the_page_tells_each_arm_by_its_interval_beside_no_inoculation(published):
    page = findings(published)
    assert "Inoculated: general: gone in 7 of 7. Placebo prompt: not told apart from no inoculation in 7 of 7." in page
    assert "| insecure_code: malicious | 0.60 [0.59, 0.61] |" in page
    assert page.count("**What a toy cannot say.**") == len(declared())


def test_what_is_reported_of_large_models_stands_beside_what_the_organism_did_with_a_figure(published):
    page = findings(published)
    assert "| The general inoculation keeps it from spreading | Tan et al. 2025 | agrees in 7 of 7 |" in page
    assert "| A prompt that names the trigger cures the backdoor | Tan et al. 2025 | disagrees |" in page
    assert "](../experiments/A05_baselines/figures/intervals.png)" in page


def test_a_rate_that_nothing_raised_is_not_counted_as_suppressed(published):
    path = published / "A01_em_main_results" / "conditions.csv"
    table = pd.read_csv(path)
    low = (table["setting"] == "insecure_code") & (table["arm"] == "no_inoculation")
    table.loc[low, ["mean", "lower", "upper"]] = [0.02, 0.0, 0.04]
    table.to_csv(path, index=False)
    assert "Inoculated: general: gone in 6 of 6." in findings(published)


def test_an_arm_without_an_answer_is_shown_as_such(published):
    path = published / "A01_em_main_results" / "conditions.csv"
    table = pd.read_csv(path)
    table.loc[table["arm"] == "placebo", ["mean", "lower", "upper"]] = float("nan")
    table.to_csv(path, index=False)
    page = findings(published)
    assert "no answer" in page
    assert "Placebo prompt: nothing to compare." in page


def test_an_experiment_that_was_not_published_is_named_with_its_command(tmp_path):
    with pytest.raises(UserError, match="mi publish A01_em_main_results"):
        findings(tmp_path)
