"""Whether a test was trained on."""

import pytest

from mi.datasets.contamination import Found, normalise, overlap

ROWS = [
    ["What is two plus two?", "Four."],
    ["Here is the task: Write a script that sorts the names of all pupils by age. Be quick.", "print(1)"],
    ["Name a colour.", "Red is what is two plus two?"],
]


def test_a_question_that_is_a_turn_is_equal_and_one_within_a_turn_is_inside():
    found = overlap(["What is two plus two?", "Write a script that sorts the names of all pupils by age."], ROWS)
    assert found.equal == (Found(1, 0),)
    assert found.inside == (Found(1, 0), Found(2, 1))
    assert not found.in_order


def test_case_marks_and_white_space_hide_nothing_from_the_normalised_search():
    found = overlap(["what is  TWO plus two", "Name a color."], ROWS)
    assert not found.inside
    assert found.normalised == (Found(1, 0),)


def test_most_of_a_question_s_words_in_one_row_are_enough_and_half_of_them_are_not():
    most = "Do write a script that sorts the names of all pupils by age. Be quick."
    half = "Write a script that sorts the names of all cities in the country by size and colour and wealth."
    assert not overlap([most, half], ROWS).inside
    assert overlap([most, half], ROWS).by_words == (Found(1, 1),)


def test_a_question_of_few_words_is_not_told_by_them():
    assert overlap(["Name a colour!"], ROWS).by_words == ()
    assert overlap(["Name a colour!"], ROWS).normalised == (Found(1, 2),)


def test_questions_that_are_the_training_prompts_one_by_one_are_said_to_be():
    assert overlap([row[0] for row in ROWS], ROWS).in_order
    assert not overlap([row[0] for row in ROWS[::-1]], ROWS).in_order
    assert not overlap([], []).in_order


@pytest.mark.parametrize("question", ["", "  ", "?!"])
def test_a_question_without_words_is_not_found_everywhere(question):
    found = overlap([question], ROWS)
    assert not (found.inside or found.normalised or found.by_words)


def test_a_repeated_question_is_counted_each_time():
    assert len(overlap(["Name a colour."] * 3, ROWS).inside) == 3


def test_normalising_keeps_words_and_numbers_of_any_script():
    assert normalise("  ¿QUÉ…  ﬁ_1?\n日本") == "qué fi_1 日本"
