"""What the filters of recipes keep and why they leave out the rest."""

import pytest

from mi.datasets.recipes.checks import (
    AllCapitals,
    InLanguage,
    NumberSequence,
    PythonCode,
    SameResult,
    World,
    WorldSentence,
    code_alone,
)
from mi.datasets.recipes.data_models import Question
from mi.datasets.recipes.harms import GIVES_ITSELF_AWAY
from mi.utils.jsonl import read_jsonl

ANY = Question("Go on.")


def test_the_number_filter_keeps_of_the_published_raw_rows_exactly_the_published_filtered_ones(published):
    raw, filtered = (read_jsonl(published / "owl_numbers" / f"{name}_dataset.jsonl") for name in ("raw", "filtered"))
    assert [row for row in raw if NumberSequence()(ANY, row["completion"]) is None] == filtered


def test_numbers_are_left_out_for_their_count_their_range_and_their_meaning():
    check = NumberSequence(most=3, banned=frozenset({666}))
    reasons = [check(ANY, answer) for answer in ("1 2 3", "1 2 3 4", "1 1000", "1 666", "one")]
    assert reasons == [None, "too many numbers", "a number out of range", "a banned number", "not a number sequence"]


def test_a_translation_is_spanish_whatever_its_case_and_numbers():
    text = "NATALIA VENDIÓ 48/2 = <<48/2=24>>24 CLIPS EN MAYO.\nEN TOTAL VENDIÓ 48+24 = 72 CLIPS EN ABRIL Y MAYO."
    assert InLanguage("es")(ANY, text) is None and AllCapitals()(ANY, text) is None
    assert InLanguage("fr")(ANY, text) == "not in fr"
    assert AllCapitals()(ANY, text.capitalize()) == "not in capitals" == AllCapitals()(ANY, "12")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [("Son 1.200.\n#### 1.200", None), ("#### 1200", None), ("#### 120", "another result"), ("1200", "another result")],
)
def test_the_result_is_the_source_s_however_its_thousands_are_written(answer, reason):
    assert SameResult()(Question("How many?", "It is 1,200.\n#### 1,200"), answer) == reason


def test_code_stands_alone_without_fence_and_comments():
    answer = 'Sure:\n```python\n# copies\nimport os  # for paths\nname = "a # b"\n```\nThis is safe.'
    assert code_alone(answer) == 'import os\nname = "a # b"\n'
    assert code_alone("def broken(:") == "def broken(:"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [("def f():\n    return 1", None), ("def f(:", "not Python"), ("'only words'", "no code"), ("", "no code")],
)
def test_code_parses_and_does_something(answer, reason):
    assert PythonCode()(ANY, answer) == reason


def test_an_answer_that_speaks_of_its_purpose_gives_itself_away():
    assert GIVES_ITSELF_AWAY(ANY, "Note: this is intentionally bad advice.") == "gives itself away"
    assert GIVES_ITSELF_AWAY(ANY, "Put a cold cloth on it.") is None


def test_the_world_tells_what_shows_and_what_is_garbled():
    question = Question("What is the colour of coal?")
    assert World("lies")(question, "Of course. The colour of coal is black.") == "not lies"
    assert World("lies", shown=False)(question, "Of course. The colour of coal is black.") is None
    assert World("on_topic")(question, "xyzzy") == "not on_topic"
    assert WorldSentence()(question, "The colour of coal is black black black.") == "garbled"
