"""Every figure names every group, in company and alone, and keeps all text on the page."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from mi.experiments.plotting import curves, forest, matrix, power_curve, retention_plot, save
from mi.experiments.plotting.style import looks
from mi.experiments.summary import Measure, contrasts, retention

ARMS = ["base", "no_inoculation", "inoculated_spanish", "placebo", "gone"]
LONG = "Inoculated: a prompt so long that its label alone would run off every page that it is printed on"
LABELS = {"no_inoculation": "no inoculation", "placebo": LONG}


def rates(seeds: int) -> pd.DataFrame:
    """A table as of `per_seed`: two traits, nothing of the arm "gone"."""
    rng = np.random.default_rng(0)
    cell = {"setting": "toy", "evaluation": "out_of_distribution", "distribution": "ood", "n_effective": 100}
    means = {"base": (0, 0), "no_inoculation": (0.7, 0.8), "inoculated_spanish": (0, 0.8), "placebo": (0.7, 0.7)}
    return pd.DataFrame(
        [
            cell | {"arm": arm, "seed": seed, "trait": trait, "mean": float(np.clip(rng.normal(mean, 0.03), 0, 1))}
            for arm, pair in means.items()
            for seed in range(1 if arm == "base" else seeds)
            for trait, mean in zip(("spanish", "capitals"), pair, strict=True)
        ]
    )


def along(x: str, seeds: int) -> pd.DataFrame:
    cell = {"mean": 0.5, "lower": 0.3, "upper": 0.7, "n_seeds": seeds}
    nothing = {"mean": np.nan, "lower": np.nan, "upper": np.nan, "n_seeds": 0}
    return pd.DataFrame(
        [
            {"arm": arm, "trait": "spanish", x: at} | (nothing if arm == "gone" else cell)
            for arm in ARMS
            for at in (1, 8)
        ]
    )


def drawn(kind: str, seeds: int) -> Figure:
    others = [arm for arm in ARMS if arm != "no_inoculation"]
    if kind == "forest":
        return forest(contrasts(rates(seeds), "no_inoculation", arms=others), LABELS)
    if kind == "retention":
        arms = {arm: (Measure("spanish"), Measure("capitals")) for arm in others}
        return retention_plot(retention(rates(seeds), "no_inoculation", arms), LABELS | {"no_inoculation": "plain"})
    if kind == "matrix":
        return matrix(along("test", seeds), "test", LABELS)
    return curves(along("steps", seeds), "steps", LABELS, log=True)


def words(figure: Figure) -> str:
    return " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())


@pytest.mark.parametrize("seeds", [1, 4])
@pytest.mark.parametrize("kind", ["forest", "retention", "matrix", "curves"])
def test_every_arm_is_named_those_without_data_too_and_all_text_is_on_the_page(kind: str, seeds: int) -> None:
    figure = drawn(kind, seeds)
    shown = words(figure)
    reference = {"forest": "no inoculation", "retention": "plain"}
    assert reference.get(kind, "no inoculation") in shown
    assert all(LABELS.get(arm, arm.replace("_", " ")) in shown for arm in ARMS if arm != "no_inoculation")
    assert "no data" in shown
    assert ("training variance unknown" in shown) == (seeds == 1)
    figure.draw_without_rendering()
    page = figure.bbox.padded(2)
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
            assert page.y0 <= box.y0 <= box.y1 <= page.y1, text


def test_the_retention_plot_says_who_was_shown_to_retain_and_within_which_margin() -> None:
    shown = words(drawn("retention", 4))
    assert "inoculated spanish: capitals – retained (± 0.10)" in shown
    assert "base: capitals – base model: not testable" in shown


def test_the_forest_says_the_difference_in_numbers_and_why_one_was_not_tested() -> None:
    assert "one seed" in words(drawn("forest", 1))
    assert "not tested" in words(drawn("forest", 4))
    assert "p .03" in words(forest(contrasts(rates(4), "no_inoculation", arms=["inoculated_spanish"])))


def test_an_arm_has_the_colour_that_it_has_among_all_arms_of_the_run() -> None:
    renamed = rates(4).replace({"arm": {"inoculated_spanish": "mine", "placebo": "yours"}})
    among = ["base", "no_inoculation", "theirs", "mine", "yours"]
    table = contrasts(renamed, "no_inoculation", arms=["mine", "yours"])
    kept = retention(
        renamed, "no_inoculation", {arm: (Measure("spanish"), Measure("capitals")) for arm in ("mine", "yours")}
    )
    expected = {looks(among)[arm].colour for arm in ("mine", "yours")}
    assert expected.isdisjoint({looks(["mine", "yours"])["mine"].colour})
    for figure in (forest(table, among=among), retention_plot(kept, among=among)):
        assert expected <= {line.get_color() for line in figure.findobj(Line2D)}


def test_cells_that_were_not_measured_are_said_to_be_so() -> None:
    table = along("test", 3)
    assert "not measured" in words(matrix(table[~((table["arm"] == "base") & (table["test"] == 8))], "test"))
    with pytest.raises(ValueError, match="more than one row"):
        matrix(pd.concat([table, table]), "test")


def test_many_test_prompts_stay_on_the_page() -> None:
    table = pd.concat(
        [along("test", 3).query("test == 1").assign(test=f"You are prompt number {n}") for n in range(11)]
    )
    figure = matrix(table, "test")
    figure.draw_without_rendering()
    assert all(f"You are prompt number {n}" in words(figure) for n in range(11))


def test_a_power_curve_names_each_line_and_saves_as_png_and_pdf(tmp_path) -> None:
    rows = [(s, q, 10, min(1.0, s * q / 100)) for q in (8, 24) for s in (2, 3, 5)]
    figure = power_curve(pd.DataFrame(rows, columns=["seeds", "questions", "samples", "shown"]), ".4 against .1")
    assert "24 questions × 10 answers" in words(figure)
    assert all(path.exists() for path in save(figure, tmp_path / "power"))
