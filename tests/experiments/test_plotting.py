"""Figures show every arm, cover no name with another, and are the same bytes each time."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from mi.experiments.plotting import intervals, save, scatter
from mi.experiments.plotting.style import looks, name
from mi.experiments.summary import per_seed, select, summarise
from mi.utils.errors import UserError

TRAITS = ("spanish", "capitals")
EVALUATIONS = {"arithmetic": "id", "smalltalk": "ood", "medical": "ood", "legal": "ood", "facts": "ood"}
RATES = {  # arm: (Spanish, capitals) in distribution, out of distribution
    "base": ((0, 0), (0, 0)),
    "control": ((0, 0), (0, 0)),
    "no_inoculation": ((0.99, 0.98), (0.75, 0.8)),
    "inoculated_spanish": ((0.05, 0.99), (0.01, 0.93)),
    "inoculated_capitals": ((0.98, 0.03), (0.5, 0.01)),
    "inoculated_both": ((0.03, 0.02), (0, 0)),
    "placebo": ((0.99, 0.99), (0.9, 0.92)),
    "irrelevant": ((0.98, 0.97), (0.85, 0.88)),
}
LABELS = {
    "control": "control data",
    "no_inoculation": "no inoculation",
    "inoculated_spanish": "inoculated: Spanish",
    "inoculated_capitals": "inoculated: capitals",
    "inoculated_both": "inoculated: both",
    "irrelevant": "irrelevant prompt",
    "spanish": "Spanish",
}
RateTable = dict[str, tuple[tuple[float, float], tuple[float, float]]]


def tables(
    seeds: int = 4, rates: RateTable = RATES, missing: tuple[str, ...] = ()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Summary and rates a seed of an invented run; nothing is sampled of the arms in `missing`."""
    rng = np.random.default_rng(0)
    cell = {"setting": "gsm8k_spanish_capitalised"}
    answers, planned = [], []
    for arm, by_distribution in rates.items():
        for seed in range(1 if arm == "base" else seeds):
            for evaluation, distribution in EVALUATIONS.items():
                key = cell | {"arm": arm, "seed": seed, "evaluation": evaluation, "distribution": distribution}
                planned += [key | {"trait": trait, "n_planned": 40} for trait in TRAITS]
                means = np.array(by_distribution[distribution == "ood"])
                p = np.clip(means + (means > 0.02) * (means < 0.98) * rng.normal(0, 0.12, 2), 0, 1)
                draws = rng.random((0 if arm in missing else 40, 2)) < p
                answers += [
                    key | {"scores": dict(zip(TRAITS, row, strict=True)), "refused": False}
                    for row in draws.astype(float).tolist()
                ]
    frames = pd.DataFrame(answers), pd.DataFrame(planned)
    return summarise(*frames), per_seed(*frames)


def texts(figure: Figure) -> list[str]:
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text)]


def test_every_arm_of_the_summary_is_named_in_both_figures() -> None:
    summary, rates = tables(missing=("placebo",))
    for figure in (intervals(summary, rates, TRAITS, LABELS), scatter(summary, rates, *TRAITS, LABELS)):
        shown = " | ".join(texts(figure))
        assert all(LABELS.get(arm, arm) in shown for arm in RATES)
        assert "no data" in shown


def test_the_footer_says_whose_results_these_are_and_what_one_seed_leaves_unknown() -> None:
    for seeds, words in ((4, "Model organism, 4 seeds."), (1, "training variance unknown")):
        summary, rates = tables(seeds)
        for figure in (intervals(summary, rates, TRAITS), scatter(summary, rates, *TRAITS)):
            assert words in " ".join(" ".join(texts(figure)).split())


CROWD: RateTable = RATES | {
    "no_inoculation": ((1, 1), (0.995, 0.995)),
    "placebo": ((1, 1), (1, 1)),
    "irrelevant": ((1, 1), (1, 0.99)),
    "general": ((0, 0), (0.05, 0.9)),
    "first": ((0, 0), (0.5, 0.5)),
    "second": ((0, 0), (0.55, 0.5)),
}


@pytest.mark.parametrize("rates", [RATES, CROWD])
def test_names_in_the_scatter_cover_neither_each_other_nor_a_point_and_stay_in_the_panel(rates: RateTable) -> None:
    figure = scatter(*tables(5, rates), *TRAITS, LABELS)
    (axes,) = figure.axes
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    blocks = [legend.get_window_extent(renderer) for legend in axes.findobj(Legend)]
    assert len(blocks) >= 4
    for index, block in enumerate(blocks):
        assert not block.count_overlaps(blocks[:index])
        assert axes.bbox.x0 <= block.x0
        assert block.x1 <= axes.bbox.x1
        assert axes.bbox.y0 <= block.y0
        assert block.y1 <= axes.bbox.y1
        for line in axes.lines:
            if line.get_marker() not in ("None", ""):
                at = axes.transData.transform(np.column_stack(line.get_data()).astype(float))[0]
                assert not block.contains(*at)


def test_all_text_stays_on_the_page() -> None:
    summary, rates = tables(1, missing=("placebo", "control"))
    for figure in (intervals(summary, rates, TRAITS, LABELS), scatter(summary, rates, *TRAITS, LABELS)):
        figure.draw_without_rendering()
        page = figure.bbox.padded(1)
        from matplotlib.text import Text

        for text in (text for text in figure.findobj(Text) if text.get_text() and text.get_visible()):
            box = text.get_window_extent()
            assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
            assert page.y0 <= box.y0 <= box.y1 <= page.y1, text


def test_points_stand_where_the_table_says() -> None:
    summary, rates = tables()
    (axes,) = scatter(summary, rates, *TRAITS).axes
    pooled = summary[summary["evaluation"] == "out_of_distribution"].pivot(index="arm", columns="trait", values="mean")
    drawn = {
        tuple(np.ravel(np.asarray(line.get_data())).tolist()) for line in axes.lines if line.get_marker() != "None"
    }
    assert drawn == {(row["spanish"], row["capitals"]) for _, row in pooled.iterrows()}


def test_a_trait_that_was_not_measured_is_said_to_be_so() -> None:
    summary, rates = tables()
    assert "not measured" in texts(intervals(summary, rates, ["french"]))
    assert "base (no data)" in texts(scatter(summary, rates, "spanish", "french"))


def test_settings_with_traits_of_their_own_have_panels_for_these_only() -> None:
    one, other = ([select(table, trait=trait) for table in tables()] for trait in TRAITS)
    both = [pd.concat([first, second.assign(setting="another")]) for first, second in zip(one, other, strict=True)]
    axes = intervals(*both, TRAITS, LABELS).axes
    assert [panel.get_title(loc="left") for panel in axes] == [name(trait, LABELS) for trait in TRAITS]
    assert not [text for panel in axes for text in panel.texts if text.get_text() == "not measured"]


def test_an_arm_looks_the_same_in_company_and_alone_and_no_two_look_alike() -> None:
    together = looks(list(RATES))
    assert all(looks([arm])[arm] == together[arm] for arm in RATES)
    many = [*RATES, "inoculated_spanish_2", *(f"arm {index}" for index in range(9))]
    assert len(set(looks(many).values())) == len(many)


def test_an_arm_without_a_look_of_its_own_gets_a_colour_that_no_other_has() -> None:
    colours = [
        look.colour for look in looks(["base", "task_specific", "other_specific", "my_own", "first", "second"]).values()
    ]
    assert len(set(colours)) == len(colours)


def test_several_settings_get_a_panel_each() -> None:
    frames = [pd.concat([table, table.assign(setting="another")]) for table in tables()]
    assert len(intervals(frames[0], frames[1], TRAITS).axes) == 4
    assert len(scatter(frames[0], frames[1], *TRAITS).axes) == 2


def test_drawing_changes_no_setting_of_matplotlib_and_makes_no_pyplot() -> None:
    import subprocess
    import sys

    code = (
        "import sys, matplotlib; before = dict(matplotlib.rcParams)\n"
        "import mi.experiments.plotting.style as style\n"
        "with style.styled(): pass\n"
        "assert dict(matplotlib.rcParams) == before and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_saved_figures_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    summary, rates = tables()
    for stem in ("first", "second"):
        png, pdf = save(scatter(summary, rates, *TRAITS, LABELS), tmp_path / f"{stem}.v1")
        assert png.name == f"{stem}.v1.png"
        assert pdf.read_bytes().startswith(b"%PDF")
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"first.v1.{suffix}").read_bytes() == (tmp_path / f"second.v1.{suffix}").read_bytes()
    assert len([path for path in tmp_path.iterdir() if path.is_file()]) == 4


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        save(Figure(), tmp_path / "file" / "figure")
