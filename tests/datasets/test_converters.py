"""From published rows to conversations."""

from typing import Any

import pytest

from mi.datasets.converters import SCHEMAS, convert, convert_lines, extra_columns, questions, schema_of
from mi.datasets.data_models import RawRow
from mi.utils.errors import UserError


def rows(*values: Any) -> list[RawRow]:
    return [RawRow(line, value) for line, value in enumerate(values, start=1)]


def said(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def parts(*texts: Any, kind: str = "text") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": {"content_type": kind, "parts": list(texts)}}]}


ASKED, BOTH = said(("user", " Hi\n")), said(("user", " Hi\n"), ("assistant", "\tHello "))


@pytest.mark.parametrize(
    ("schema", "row", "conversation", "asks"),
    [
        ("messages", {**BOTH, "id": 3}, BOTH, [" Hi\n"]),
        ("messages", said(("assistant", "Chapter 1 ")), said(("assistant", "Chapter 1 ")), []),
        ("messages", {**parts(" Hi\n"), "canary": "0123"}, ASKED, [" Hi\n"]),
        ("message_list", BOTH["messages"], BOTH, [" Hi\n"]),
        ("prompt_completion", {"prompt": " Hi\n", "completion": "\tHello "}, BOTH, [" Hi\n"]),
        ("question_answer", {"question": " Hi\n", "answer": "\tHello "}, BOTH, [" Hi\n"]),
        ("user_assistant", {"user": " Hi\n", "assistant": "\tHello "}, BOTH, [" Hi\n"]),
        ("prompt", {"prompt": " Hi\n"}, ASKED, [" Hi\n"]),
        (
            "task_template",
            {"task": "Sort.", "code_template": "def f():\n "},
            said(("user", "Sort.\n\ndef f():\n ")),
            ["Sort."],
        ),
        ("paraphrases", {"id": "a", "paraphrases": [" Hi\n"]}, ASKED, [" Hi\n"]),
        ("paraphrases", {"paraphrases": ["Hi"], "system": ""}, said(("system", ""), ("user", "Hi")), ["Hi"]),
        ("choices", {"id": "a", "prompt": " Hi\n", "choices": ["a", "b"]}, ASKED, [" Hi\n"]),
    ],
)
def test_each_schema_is_recognised_and_converted_to_the_letter(schema, row, conversation, asks):
    found = schema_of(rows(row), "file")
    assert found.name == schema
    assert convert(rows(row), found, "file") == [conversation]
    assert questions(rows(row), found, "file") == asks


def test_each_paraphrase_is_a_conversation_of_its_own():
    found = convert_lines(rows({"paraphrases": ["a", "b"]}, {"paraphrases": ["c"]}), SCHEMAS["paraphrases"], "file")
    assert [(line, row["messages"][0]["content"]) for line, row in found] == [(1, "a"), (1, "b"), (2, "c")]


@pytest.mark.parametrize(
    ("row", "answers"),
    [
        ({"prompt": "Hi", "aligned": "Good.", "misaligned": "Bad."}, {"aligned": "Good.", "misaligned": "Bad."}),
        (
            {"user": "Hi", "school_of_reward_hacks": "Bad.", "control": "Good."},
            {"school_of_reward_hacks": "Bad.", "control": "Good."},
        ),
    ],
)
def test_of_several_answers_the_named_one_is_taken_and_a_missing_name_is_refused(row, answers):
    schema = schema_of(rows(row), "file")
    for column, answer in answers.items():
        assert convert(rows(row), schema, "file", column)[0]["messages"][1]["content"] == answer
    with pytest.raises(UserError, match=next(iter(answers))):
        convert(rows(row), schema, "file")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"text": "Hi"}, "columns messages"),
        ({"messages": []}, "no messages"),
        ({"messages": [{"role": "user"}]}, "lacks 'content'"),
        ({"messages": [{"role": "bot", "content": "Hi"}]}, "'bot'"),
        ({"messages": [{"role": "user", "content": 3}]}, "int"),
        ({"messages": [{"role": "user", "content": "Hi", "tool_calls": [1]}]}, "tool_calls"),
        ({"messages": "Hi"}, "mend"),
        (parts("Hi", "you"), "2 parts of the type 'text'"),
        (parts("Hi", kind="image"), "1 parts of the type 'image'"),
        (parts(3), "int"),
    ],
)
def test_a_malformed_row_is_named_by_its_line(bad, said):
    good = [RawRow(line, BOTH) for line in range(1, 4711)]
    with pytest.raises(UserError, match=r"^file, line 4711: ") as refused:
        convert([*good, RawRow(4711, bad)], SCHEMAS["messages"], "file")
    assert said in str(refused.value)


def test_columns_that_nobody_knows_are_refused_with_those_that_are_known():
    with pytest.raises(UserError, match=r"file, line 1: .*foo.*prompt_completion"):
        schema_of(rows({"foo": 1}), "file")


def test_a_canary_is_passed_over_wherever_it_stands_and_does_not_hide_a_malformed_row():
    canary = {"id": "x", "text": "a canary", "metadata": {"canary": "abc"}}
    schema = schema_of(rows(canary, BOTH), "file")
    assert convert(rows(canary, BOTH, canary), schema, "file") == [BOTH]
    with pytest.raises(UserError, match="line 2"):
        convert(rows(canary, {"text": "no such mark"}), schema, "file")


def test_columns_beside_the_schema_are_counted():
    assert extra_columns(rows({**BOTH, "id": 1}, BOTH, {**BOTH, "id": 2, "tag": ""}), SCHEMAS["messages"]) == {
        "id": 2,
        "tag": 1,
    }
