"""Marked places of a page are filled anew, and nothing else of it is touched."""

from mi.utils.blocks import block, fill, places, without

PAGE = (
    "# Title\n\n"
    + block("table a", "old")
    + "\n\nA model of <!-- generated: size -->1<!-- end of generated --> letters.\n"
)


def test_each_place_is_made_of_what_it_names_and_the_rest_stays():
    filled = fill(PAGE, lambda what: f"new {what}")
    assert places(filled) == places(PAGE) == ["table a", "size"]
    assert filled == PAGE.replace("old", "new table a").replace(">1<", ">new size<")
    assert fill(filled, lambda what: f"new {what}") == filled


def test_an_empty_place_on_lines_of_its_own_is_filled_on_lines_of_its_own():
    empty = "<!-- generated: x -->\n<!-- end of generated -->"
    assert fill(empty, lambda _: "| a |\n| b |") == block("x", "| a |\n| b |")


def test_what_was_typed_is_the_page_without_its_places():
    assert without(PAGE) == "# Title\n\n\n\nA model of  letters.\n"
