"""Which figures an experiment has follows from its value; none leaves out a setting, an arm or a condition."""

import io
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from rich.console import Console

from mi.experiments.config import EXPERIMENTS, experiment
from mi.experiments.data_models import Experiment
from mi.experiments.figures import caption, draw
from mi.experiments.outcome import Outcome
from mi.experiments.pipeline import REFERENCE, labels_of
from mi.experiments.show import by_condition
from mi.experiments.summary import Measure, by_seed, contrasts, per_seed, retention, summarise

TRAITS = {"gsm8k_spanish_capitalised": ("spanish", "capitals")}


def outcome_of(known: Experiment, folder: Path) -> Outcome:
    """What a run of two seeds would leave in which every answer scores one half."""
    cells = [
        {
            "setting": setting.get_domain_name(),
            "arm": arm.name,
            "evaluation": "asked",
            "distribution": "ood",
            "trait": trait,
            "n_planned": 2,
            "condition": condition.name,
        }
        for setting in known.settings
        for arm in known.arms
        for condition in known.conditions
        if not condition.own or arm.own_prompt(setting) is not None
        for trait in TRAITS.get(setting.get_domain_name(), ("malicious",))
    ]
    plan = pd.DataFrame(cells)
    asked = plan.drop_duplicates(["setting", "arm", "condition"])
    scores = [dict.fromkeys(TRAITS.get(name, ("malicious",)), 0.5) for name in asked["setting"]]
    asked = asked.assign(scores=pd.Series(scores, asked.index, dtype=object), question="q", refused=False)
    answers = pd.concat([asked.assign(seed=seed) for seed in range(2)])
    tables = {
        c.name: summarise(answers[answers["condition"] == c.name], plan[plan["condition"] == c.name])
        for c in known.conditions
    }
    first = known.conditions[0].name
    rates = per_seed(answers[answers["condition"] == first])
    wanted = {arm: (Measure(gone), Measure(stays)) for arm, gone, stays in known.retained}
    return Outcome(
        folder,
        tables[first],
        rates,
        contrasts(rates, REFERENCE),
        pd.concat([table.assign(condition=name) for name, table in tables.items()]),
        pd.DataFrame(),
        (),
        by_seed(rates, first),
        retention(rates, REFERENCE, wanted) if wanted else None,
    )


def drawn(known: Experiment, folder: str = "organism") -> dict[str, Figure]:
    return draw(known, outcome_of(known, Path(folder)), labels_of(known))


def words(figure: Figure) -> str:
    return " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())


EXPECTED = {
    "A01_em_main_results": {"intervals"},
    "A02_em_ablate_inoculation": {"intervals", "forest"},
    "A03_em_backdoored": {"intervals"},
    "A04_em_replications": {"intervals"},
    "A05_baselines": {"intervals", "dose"},
    "A07_spanish_capitalization": {"intervals", "scatter", "retention"},
    "negative_inoculation": {"intervals"},
    "specific_inoculation": {"intervals"},
}


@pytest.mark.parametrize("known", EXPERIMENTS, ids=lambda known: known.name)
def test_each_experiment_has_the_figures_that_its_question_needs_and_a_matrix_a_setting(known):
    matrices = {f"matrix_{setting.get_domain_name()}" for setting in known.settings if len(known.conditions) > 1}
    figures = drawn(known)
    assert set(figures) == EXPECTED[known.name] | matrices
    for stem in matrices:
        said = words(figures[stem]).replace(" ", "")  # labels are broken into lines
        assert all(one.label.replace(" ", "") in said for one in (*known.arms, *known.conditions))
        assert caption(stem).endswith(stem.removeprefix("matrix_").replace("_", " "))


@pytest.mark.parametrize("known", [experiment("A03_em_backdoored"), experiment("specific_inoculation")])
def test_the_table_under_other_conditions_fits_80_characters_with_every_arm_and_condition(known):
    stream = io.StringIO()
    Console(file=stream, width=80).print(by_condition(known, outcome_of(known, Path("organism"))))
    printed = stream.getvalue()
    assert max(map(len, printed.splitlines())) <= 80
    assert "…" not in printed
    assert printed.count("Placebo prompt") == len(known.settings)
    assert all(f"{arm.label} " in printed for arm in known.arms)
    heads = printed.split("─")[0].split()
    assert all(word in heads for condition in known.conditions for word in condition.label.split())


def test_two_traits_have_a_matrix_each():
    known = replace(experiment("A07_spanish_capitalization"), conditions=experiment("A01_em_main_results").conditions)
    stems = [stem for stem in drawn(known) if stem.startswith("matrix")]
    assert stems == ["matrix_gsm8k_spanish_capitalised_spanish", "matrix_gsm8k_spanish_capitalised_capitals"]


def test_a_part_draws_what_its_arms_allow():
    assert "dose" not in drawn(experiment("A05_baselines").only(["base", "no_inoculation", "good"]))
    assert "dose" in drawn(experiment("A05_baselines").only(["mixed_half", "no_inoculation"]))


def test_another_model_s_figures_do_not_say_organism():
    known = experiment("A01_em_main_results")
    told = drawn(replace(known, settings=known.settings[:1]), "gpt-9-mini")
    assert all("gpt-9-mini" in words(figure) and "rganism" not in words(figure) for figure in told.values())
