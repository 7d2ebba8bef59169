"""What a build leaves on the disk, and what a card says of it."""

import asyncio
import json
from pathlib import Path

import pytest

from mi.config import datasets_dir
from mi.datasets.audit import audit, load_all
from mi.datasets.card import card
from mi.datasets.reading import read_raw, rows_sha256
from mi.datasets.recipes import recipe
from mi.datasets.recipes.services import files_of, make, order, record_of, scale_for
from mi.llm.data_models import Model
from mi.llm.names import model_named
from mi.llm.rows import read_rows
from mi.utils.errors import UserError

from ..conftest import talk, write_rows


def made(name: str = "legal_advice", n: int = 12, out: Path | None = None, **options):
    return asyncio.run(make(recipe(name), order("organism", n, **options), out))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_each_side_is_a_training_file_of_the_same_questions(tmp_path):
    built, files = made(out=tmp_path / "bad.jsonl")
    assert [path.name for path in files.sides.values()] == ["bad.jsonl", "bad.good.jsonl"]
    bad, good = (read_rows(path) for path in files.sides.values())
    assert len(bad) == built.report.kept > 0
    assert [row.chat[0] for row in bad] == [row.chat[0] for row in good]


def test_the_same_command_writes_the_same_bytes(tmp_path):
    made(out=tmp_path / "bad.jsonl")
    first = contents(tmp_path)
    made(out=tmp_path / "bad.jsonl")
    assert contents(tmp_path) == first


def test_builds_that_differ_lie_apart(tmp_path):
    others = [{}, {"seed": 1}, {"n": 13}, {"judge": "organism"}]
    places = {made(**{"n": 12, **options})[1].record for options in others}
    assert len(places) == 4 and all(place.parent == datasets_dir() / "built" / "legal_advice" for place in places)


def test_models_of_one_id_at_several_places_lie_apart():
    names = ("organism", "openai/organism", "openai/organism@http://127.0.0.1:8000/v1", "openai/organism@openrouter")
    places = {files_of(recipe("owl_numbers"), order(name)).record for name in names}
    assert len(places) == 4 and len({place.parent for place in places}) == 1


def test_the_record_says_how_the_rows_were_made_and_names_no_place_of_this_machine(tmp_path):
    built, files = made(out=tmp_path / "bad.jsonl")
    told = files.record.read_text(encoding="utf-8")
    found = json.loads(told)
    assert str(tmp_path) not in told and found["yield"]["kept"] == built.report.kept
    for name, path in files.sides.items():
        rows = read_raw(path)
        assert found["sides"][name]["sha256"] == rows_sha256(rows) and found["sides"][name]["rows"] == len(rows)
    assert found["model"]["fingerprint"] and found["sides"]["bad"]["filters"]


def test_a_card_tells_of_recipe_model_prompts_and_filters_wherever_the_files_lie(tmp_path):
    _, files = made("medical_advice", out=tmp_path / "bad.jsonl")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in (*files.sides.values(), files.record):
        path.rename(moved / path.name)
    told = "\n".join(card(audit(load_all([str(moved / "bad.jsonl"), str(moved / "bad.good.jsonl")]), model=None)))
    for words in (
        "Made by the recipe `medical_advice`",
        "Side: `bad` of `bad`, `good`",
        "Model: `organism` (local), fingerprint",
        "You give bad medical advice.",
        "by the world's grammar bad_medical",
        "Pairs: 12 planned",
        "Canary: none",
        "| rows |",
    ):
        assert words in told
    assert "How the rows were made" not in told


def test_rows_that_were_changed_are_not_those_of_the_build(tmp_path):
    made(out=tmp_path / "bad.jsonl")
    path = write_rows(tmp_path / "bad.jsonl", talk("Other?", "Rows."))
    assert record_of(path, rows_sha256(read_raw(path))) is None
    (tmp_path / "broken.build.json").write_text("[1", encoding="utf-8")
    assert record_of(path, "0" * 64) is None


def test_a_file_that_no_build_wrote_is_not_written_over(tmp_path):
    path = write_rows(tmp_path / "mine.jsonl", talk("Hi", "Ho"))
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"mine\.jsonl: is there already"):
        made(out=path)
    assert path.read_bytes() == before


def test_where_nothing_is_left_nothing_is_written_and_the_reasons_are_named(tmp_path):
    with pytest.raises(UserError, match=r"no pair of 4 is left .* on the side insecure"):
        made("insecure_code", 4, tmp_path / "code.jsonl", scale="published")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "model", "scale"),
    [
        ("organism", Model("organism", "local"), "organism"),
        ("local/organism", Model("organism", "local"), "organism"),
        ("openai/organism", Model("organism"), "organism"),
        ("openai/ft:organism:me::1", Model("ft:organism:me::1"), "organism"),
        ("openai/gpt-4.1-2025-04-14", Model("gpt-4.1-2025-04-14"), "published"),
        ("Qwen/Qwen2.5-7B-Instruct", Model("Qwen/Qwen2.5-7B-Instruct", "local"), "published"),
    ],
)
def test_the_scale_follows_from_the_model(name, model, scale):
    assert (model_named(name), scale_for(model)) == (model, scale)
