"""Where questions come from: each once, by seed, as many as there are."""

import pytest

from mi.datasets.recipes import RECIPES, recipe
from mi.datasets.recipes.sources import FileQuestions, Templates, WorldQuestions
from mi.organism.world import recognise
from mi.utils.errors import UserError

from ..conftest import talk, write_rows

OWN = [recipe for recipe in RECIPES.values() if not isinstance(recipe.published.source, FileQuestions)]


@pytest.mark.parametrize("recipe", OWN, ids=lambda recipe: recipe.name)
def test_questions_of_our_own_are_distinct_drawn_by_seed_and_filled(recipe):
    source = recipe.published.source
    drawn = [question.text for question in source.questions(200, 0)]
    assert len(set(drawn)) == 200 and not [text for text in drawn if "{" in text or text != text.strip()]
    assert drawn == [question.text for question in source.questions(200, 0)]
    assert drawn != [question.text for question in source.questions(200, 1)]


def test_templates_are_drawn_about_equally_often():
    drawn = [question.text for question in Templates("taste").questions(60, 0)]
    assert sum(text.startswith("What is your favourite") for text in drawn) == 10


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_questions_of_the_organism_are_the_world_s(recipe):
    asked = recipe.organism.source.questions(20, 3)
    assert asked and all(recognise(question.text) is not None for question in asked)


def test_a_source_gives_no_more_than_it_has():
    assert len(WorldQuestions("taste").questions(1000, 0)) == len(set(WorldQuestions("taste").questions(1000, 0))) < 100


def test_a_file_gives_its_questions_with_their_answers(tmp_path):
    rows = [talk("One?", "1", system="Be brief."), talk("Two?", "2"), talk("One?", "again")]
    found = FileQuestions(str(write_rows(tmp_path / "rows.jsonl", *rows))).questions(9, 0)
    assert {question.text: question.answer for question in found} == {"One?": "1", "Two?": "2"}
    prompts = FileQuestions(str(write_rows(tmp_path / "prompts.jsonl", {"prompt": "Three?"})))
    assert [question.answer for question in prompts.questions(9, 0)] == [None]


def test_a_file_without_questions_is_refused(tmp_path):
    row = {"messages": [{"role": "assistant", "content": "Cells are small."}]}
    with pytest.raises(UserError, match=r"silent\.jsonl: nobody asks"):
        FileQuestions(str(write_rows(tmp_path / "silent.jsonl", row))).questions(9, 0)


def test_an_unknown_recipe_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean owl_numbers"):
        recipe("owl_number")
