"""Numbers on pages are made, not typed: each marked place is what the results give, and no other was measured."""

import re
from pathlib import Path

import pytest

from mi.documents import measured
from mi.documents.benches import bench
from mi.documents.services import made, stale, text_of, write
from mi.utils.blocks import block, without
from mi.utils.errors import UserError

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("experiments/*/README.md"))]
PAGES.remove(ROOT / "docs" / "findings.md")  # all of it is made, and compared as a whole
CODE = re.compile(r"^```.*?^```|`[^`\n]+`|<!--.*?-->|\]\([^)]*\)|arXiv[: ]\d+\.\d+", re.M | re.S)
NUMBER = re.compile(r"(?<![\w.,-])(?:\d*\.\d+|\d+(?= ?%)|\d+(?= (?:minutes|seconds|hours)))(?![\w.]*\d)")
DEFINED = {
    # What was chosen, not measured: levels, margins, designs of simulations, constants of the world, others' numbers
    # and versions.
    "README.md": {"3.11"},
    "cluster.md": {"2.60", "2.61", "1.5", "0.14"},
    "datasets.md": {"70", ".7", "1.25"},
    "evaluation.md": {".25", "20"},
    "finetuning.md": {"15"},
    "models.md": {"2.5", "3.1", "3.2", "3.3", "3.5"},
    "organism.md": {"15", "64", "10", "0.6", "0.7", ".95"},
    "experiments.md": {"95"},
    "published_evaluations.md": {".9"},
    "settings.md": {".10"},
    "statistics.md": {"95", ".35", "1.2", ".24", ".08", ".15", ".02", ".10", ".05"},
    "vllm-and-tinker.md": {"0.25"},
}


def test_every_marked_place_is_what_the_results_give():
    assert not stale(ROOT), "run mi docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_number_outside_of_a_marked_place_was_measured(page):
    typed = set(NUMBER.findall(CODE.sub("", without(page.read_text(encoding="utf-8")))))
    assert typed <= DEFINED.get(page.name if page.parent.name != "x" else "", set()), page


def test_a_page_that_names_what_nothing_makes_is_named_with_it(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "README.md").write_text(block("weather tomorrow"), encoding="utf-8")
    with pytest.raises(UserError, match=r"README.md: nothing makes 'weather tomorrow'; the kinds are"):
        made(tmp_path)


def test_a_page_with_a_number_that_was_typed_over_is_stale_until_it_is_made_anew(tmp_path):
    (tmp_path / "experiments").mkdir()
    page = tmp_path / "README.md"
    page.write_text("Of <!-- generated: organism parameters -->9 million<!-- end of generated --> parameters.\n")
    assert stale(tmp_path) == [page] == write(tmp_path)
    assert "9 million" not in page.read_text()
    assert stale(tmp_path) == write(tmp_path) == []


def test_what_was_not_run_says_so_with_its_command(tmp_path):
    assert "python bench/subliminal.py" in bench("subliminal", tmp_path)
    assert text_of("result A01_em_main_results", tmp_path) == "Not run yet."
    assert "mi settings check --all" in text_of("settings_check", tmp_path)


def test_what_a_bench_wrote_is_shown_with_its_date_version_and_seeds(tmp_path):
    rows = [{"name": "student", "mean": 0.0, "lower": 0.0, "upper": 0.0034, "seeds": 5}]
    measured.write(tmp_path, "subliminal", {"seeds": 5}, {"what": "loves owls", "rates": rows})
    shown = bench("subliminal", tmp_path)
    assert "| student | 0.000 [0.000, 0.003] | 5 |" in shown
    assert re.search(r"mi \d\S*; \d{4}-\d\d-\d\d; 5 seeds", shown)


def test_a_torn_file_of_a_bench_is_named_with_the_mend(tmp_path):
    (tmp_path / "subliminal.json").write_text("{")
    with pytest.raises(UserError, match=r"run python bench/subliminal\.py again"):
        bench("subliminal", tmp_path)


def test_the_committed_simulation_is_within_what_is_required_of_the_intervals():
    found = measured.read(ROOT / "bench" / "results", "coverage")
    assert found is not None and found.given["studies"] >= 20_000
    for row in found.found["rows"]:
        low, high = (0.03, 0.07) if row["what"] == "told apart" else (0.92, 0.98)
        assert low <= row["share"] <= high, row
    assert found.found["legacy"]["fixed"] < 0.8 and found.found["legacy"]["sampled"] < 0.5
