"""`mi power` plans a study: from a guess, from given deviations, or from a pilot's answers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from mi.cli import app
from mi.utils.errors import UserError
from mi.utils.stats.simulate import Design, Variances, studies


def planned(*words: str) -> str:
    result = CliRunner().invoke(app, ["power", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return " ".join(result.output.split())


def refused(*words: str) -> str:
    with pytest.raises(UserError) as error:
        CliRunner().invoke(app, ["power", *words], catch_exceptions=False)
    return str(error.value)


def pilot(path: Path, seeds: int = 3) -> Path:
    """Answers of one arm, as an experiment writes them."""
    (rates,) = studies((0.4,), Design(seeds, 12, 10), Variances(seed=0.8), 1, np.random.default_rng(0))
    cell = {"setting": "toy", "arm": "plain", "evaluation": "talk", "distribution": "ood", "refused": False}
    rows = [
        cell | {"seed": s, "question": f"q{q}", "system_prompt": None, "scores": {"bad": float(i < round(rate * 10))}}
        for s, row in enumerate(rates[0])
        for q, rate in enumerate(row)
        for i in range(10)
    ]
    pd.DataFrame(rows).to_parquet(path)
    return path


def test_more_seeds_show_more_and_the_table_says_on_what_it_rests() -> None:
    said = planned(".4", ".15", "--seeds", "2,5", "--questions", "24")
    few, many = (float(part) for part in said.split("24 × 10 ")[1].replace("%", "").split()[0:3:2])
    assert few < many
    assert "a guess" in said
    assert "seeds 0.35" in said


def test_deviations_may_be_given_and_questions_fixed() -> None:
    said = planned(".4", ".15", "--seeds", "3", "--questions", "8", "--deviations", "1,0.5,0.2", "--fixed")
    assert "seeds 1.00, questions 0.50, a seed on a question 0.20" in said
    assert "these questions" in said


def test_a_pilot_gives_the_deviations_and_names_what_it_cannot_tell(tmp_path: Path) -> None:
    sizes = ("--seeds", "3", "--questions", "8")
    said = planned(".4", ".15", *sizes, "--pilot", str(pilot(tmp_path / "three.parquet")))
    assert "estimated from plain, bad, 3 seeds" in said
    alone = planned(".4", ".15", *sizes, "--pilot", str(pilot(tmp_path / "one.parquet", 1)))
    assert "guessed: seed, seed by question" in alone


def test_the_power_curve_is_drawn_beside(tmp_path: Path) -> None:
    planned(".4", ".15", "--seeds", "2,3", "--questions", "8", "--figure", str(tmp_path / "power"))
    assert (tmp_path / "power.png").exists()
    assert (tmp_path / "power.pdf").exists()


def test_what_cannot_be_planned_is_refused_with_the_mend(tmp_path: Path) -> None:
    assert "0.01" in refused(".4", "0")
    assert "from 2 on" in refused(".4", ".1", "--seeds", "1,3")
    assert "--samples" in refused(".4", ".1", "--samples", "0")
    assert "three numbers" in refused(".4", ".1", "--deviations", "1,2")
    assert "answers.parquet" in refused(".4", ".1", "--pilot", str(tmp_path / "none.parquet"))
    path = pilot(tmp_path / "pilot.parquet")
    assert "plain/bad" in refused(".4", ".1", "--pilot", str(path), "--arm", "other")
