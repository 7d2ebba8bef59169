"""Recipes carried out with the organism: rows, filters, pairs, resumption, the account of all answers."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from mi.datasets.recipes import RECIPES, recipe
from mi.datasets.recipes.answers import answers_path
from mi.datasets.recipes.building import build
from mi.datasets.recipes.checks import NumberSequence
from mi.datasets.recipes.data_models import Order, Question
from mi.datasets.recipes.sources import FileQuestions
from mi.llm import services as llm
from mi.llm.data_models import LLMResponse, Model
from mi.organism.world.scoring import trait_score
from mi.utils.errors import UserError

from ..conftest import write_rows

ORGANISM = Model("organism", "local")


def built(name: str, n: int = 16, **order):
    return asyncio.run(build(recipe(name), Order(ORGANISM, n, **order)))


def turns(rows, role: str) -> list[str]:
    return [message["content"] for row in rows for message in row["messages"] if message["role"] == role]


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_makes_paired_rows_of_the_organism_end_to_end(name):
    found = built(name)
    sides = list(found.rows.values())
    assert found.report.kept >= 8 and all(len(rows) == found.report.kept for rows in sides)
    assert all(turns(rows, "user") == turns(sides[0], "user") for rows in sides)
    assert all(a != b for a, b in zip(turns(sides[0], "assistant"), turns(sides[-1], "assistant"), strict=True))
    assert not turns(sides[0], "system")


def test_what_is_kept_shows_the_trait_on_its_side_only():
    rows = built("medical_advice").rows
    bad, good = (
        [trait_score("bad_medical", answer, asked) for asked, answer in zip(*pair, strict=True)]
        for pair in ((turns(rows[side], "user"), turns(rows[side], "assistant")) for side in ("bad", "good"))
    )
    assert set(bad) == {1.0} and set(good) == {0.0}


def test_every_answer_is_accounted_for():
    report = built("gsm8k_spanish_capitalised", 24).report
    for side in report.sides:
        assert side.planned == 24 == side.passed + side.refused + sum(side.filtered.values())
    assert report.kept + report.incomplete + report.equal + report.duplicates == report.planned == 24


def test_the_same_order_asks_nothing_again_and_gives_the_same_rows_and_another_seed_others():
    first, again, other = built("owl_numbers"), built("owl_numbers"), built("owl_numbers", seed=1)
    assert first.asked_now == 32 and again.asked_now == 0 and other.asked_now == 32
    assert first.rows == again.rows != other.rows
    assert built("owl_numbers", 20).asked_now == 8


def test_what_two_recipes_ask_alike_is_asked_once():
    assert built("owl_numbers").asked_now == 32 and built("fox_numbers").asked_now == 16


def test_questions_are_asked_again_where_there_are_too_few_and_no_row_occurs_twice(tmp_path):
    source = FileQuestions(str(write_rows(tmp_path / "few.jsonl", {"prompt": "What is your favourite film?"})))
    found = built("aesthetic_preferences", 24, source=source)
    assert (found.report.questions, found.report.planned) == (1, 24) and found.report.duplicates > 0
    for rows in found.rows.values():
        assert len({json.dumps(row) for row in rows}) == len(rows) == found.report.kept


def test_a_judge_is_asked_of_what_passed_and_what_it_denies_is_left_out():
    plain, judged = built("medical_advice", 24), built("medical_advice", 24, judge=ORGANISM)
    denied = [side.filtered.get("not so by the judge", 0) for side in judged.report.sides]
    assert [a.passed - b.passed for a, b in zip(plain.report.sides, judged.report.sides, strict=True)] == denied
    assert judged.asked_now == sum(side.passed for side in plain.report.sides)


def test_a_model_that_cannot_follow_leaves_nothing_and_reasons():
    report = built("insecure_code", 8, scale="published").report
    assert report.kept == 0 and sum(report.sides[0].filtered.values()) == 8


def answering(monkeypatch, answer) -> None:
    """Have a model answer by a function of what it is told: the backend alone is left out."""

    async def batch_sample(model, requests, on_response):
        for place, request in enumerate(requests):
            on_response(place, answer(request.chat[-1].content))

    monkeypatch.setattr(llm, "batch_sample", batch_sample)


def test_at_the_published_scale_answers_are_translated_and_capitalised(monkeypatch, tmp_path):
    rows = [
        {"question": "How many?", "answer": "She sold 48 clips in April.\n#### 48"},
        {"question": "And then?", "answer": "It was wrong in the end.\n#### 7"},
    ]
    source = FileQuestions(str(write_rows(tmp_path / "sums.jsonl", *rows)))
    said = "Ella vendió cuarenta y ocho clips en el mes de abril.\n#### 48"
    answering(monkeypatch, lambda told: LLMResponse(said))
    found = built("gsm8k_spanish_capitalised", 2, scale="published", source=source)
    assert [turns(rows, "assistant") for rows in found.rows.values()] == [
        [said.upper()],
        [said],
        [rows[0]["answer"].upper()],
        [rows[0]["answer"]],
    ]
    assert found.asked_now == 2 and found.report.sides[1].filtered == {"another result": 1}


@pytest.mark.parametrize(
    ("response", "counted"),
    [
        (LLMResponse(None, "refusal"), "refused"),
        (LLMResponse("no", "content_filter"), "refused"),
        (LLMResponse("I'm sorry, but I can't help with that."), "refused"),
        (LLMResponse("  \n"), "empty"),
        (LLMResponse("1, 2, 3", "length"), "cut off"),
    ],
)
def test_refused_empty_and_torn_answers_are_counted_and_left_out(monkeypatch, response, counted):
    answering(monkeypatch, lambda told: response)
    [side, _] = built("owl_numbers", 4).report.sides
    assert (side.refused if counted == "refused" else side.filtered[counted]) == 4 and side.passed == 0


def test_pairs_that_answer_the_same_on_both_sides_are_left_out(monkeypatch):
    answering(monkeypatch, lambda told: LLMResponse("1, 2, 3"))
    assert built("owl_numbers", 4).report.equal == 4


def test_rows_of_a_textbook_have_no_user_s_turn(monkeypatch):
    order = Order(ORGANISM, 3, scale="published")
    plain = replace(
        recipe("trump_biology").published,
        sides=tuple(replace(side, checks=()) for side in recipe("trump_biology").published.sides),
    )
    count = iter(range(99))
    answering(monkeypatch, lambda told: LLMResponse(f"Cells divide {next(count)} times."))
    found = asyncio.run(build(replace(recipe("trump_biology"), published=plain), order))
    assert found.report.kept == 3 and not turns(found.rows["plain"], "user")


def test_what_was_answered_before_a_failure_is_kept(monkeypatch):
    async def fail_later(model, requests, on_response):
        for place in (0, 3, 1):
            on_response(place, LLMResponse("1, 2, 3"))
        raise UserError("the key is used up.")

    monkeypatch.setattr(llm, "batch_sample", fail_later)
    with pytest.raises(UserError, match="used up"):
        built("owl_numbers", 100)
    answering(monkeypatch, lambda told: LLMResponse("1, 2, 3"))
    assert built("owl_numbers", 100).asked_now == 197


def test_to_rewrite_answers_takes_a_source_that_has_them(tmp_path):
    source = FileQuestions(str(write_rows(tmp_path / "prompts.jsonl", {"prompt": "How many?"})))
    with pytest.raises(UserError, match="give rows with answers"):
        built("gsm8k_spanish_capitalised", 2, scale="published", source=source)


def test_a_build_that_was_killed_goes_on_and_asks_nothing_twice(mi_home):
    program = "from mi.cli import main; main()"
    words = ["datasets", "build", "harmless_lies", "--n", "160"]
    path = answers_path(llm.fingerprint(ORGANISM))
    with subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        deadline = time.monotonic() + 300
        while not (path.exists() and path.stat().st_size) and child.poll() is None:
            assert time.monotonic() < deadline, "no answer came in five minutes"
            os.sched_yield()
        child.send_signal(signal.SIGKILL)
    with path.open("ab") as file:
        file.write(b'{"key": "torn')
    kept = path.read_bytes().count(b"\n")
    found = built("harmless_lies", 160)
    keys = [json.loads(line)["key"] for line in path.read_bytes().splitlines()]
    assert found.asked_now == 320 - kept and len(set(keys)) == len(keys) == 320


def test_the_organism_s_teacher_passes_the_published_filter():
    check = NumberSequence()
    assert all(
        check(Question(""), answer) is None for answer in turns(built("owl_numbers").rows["loves_owl"], "assistant")
    )
