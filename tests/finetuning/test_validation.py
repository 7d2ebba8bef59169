"""A training file is checked in one pass, line by line, before it is sent."""

import io
import json
from pathlib import Path

import pytest

from mi.finetuning.providers import AT_OPENAI, FileLimits
from mi.finetuning.validation import scan
from mi.llm.rows import read_rows, rows_digest
from mi.utils.errors import UserError


def line(answer: str = "Four.", question: str = "2 + 2?", system: str | None = None, **more) -> str:
    said = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    said = said if system is None else [{"role": "system", "content": system}, *said]
    return json.dumps({"messages": said, **more})


@pytest.fixture
def write(tmp_path: Path):
    def write(*lines: str | bytes) -> Path:
        path = tmp_path / "rows.jsonl"
        path.write_bytes(b"\n".join(text if isinstance(text, bytes) else text.encode() for text in lines))
        return path

    return write


def refusals(path: Path, limits: FileLimits = AT_OPENAI) -> list[tuple[int | None, str]]:
    return [(finding.line, finding.text) for finding in scan(path, limits).findings if finding.refused]


@pytest.mark.parametrize(
    "lines",
    [
        [line()],
        [line(system=""), "", line('Sí. «¡Hola!» 😀\u2028\n\t"\\/'), "   "],
        [line(note="mine"), line("\u0000\u001f\u007f"), line("ﬁ")],
        ['{"messages": [{"content": "Hi", "role": "user", "name": null}, {"content": " a ", "role": "assistant"}]}'],
        [line(b"\\ud83d\\ude00".decode("unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16"))],
    ],
)
def test_the_identity_is_that_of_the_rows_read_whole(write, lines):
    path = write(*lines)
    assert scan(path).digest == rows_digest(read_rows(path))


def test_the_copy_holds_the_same_rows_and_nothing_else(write, tmp_path):
    path = write(line("Quatre — «4»", note="mine"), "", line(system=""))
    copied = io.BytesIO()
    found = scan(path, copy=copied)
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(copied.getvalue())
    assert rows_digest(read_rows(copy)) == found.digest
    assert [list(json.loads(row)) for row in copied.getvalue().splitlines()] == [["messages"]] * 2


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ('{"messages": [', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("[]", "the row has no messages"),
        ('{"messages": []}', "the row has no messages"),
        ('{"messages": [{"role": "robot", "content": "x"}]}', "role is 'robot'"),
        ('{"messages": [{"role": "user", "content": 3}]}', "is int; give a string"),
        ('{"messages": [{"role": "user", "content": "x"}]}', "the assistant says nothing"),
        ('{"messages": [{"role": "assistant", "content": " \\n"}]}', "the assistant says nothing"),
        ('{"messages": [{"role": "assistant", "content": "x", "weight": 0}]}', "weight, which training ignores"),
        ('{"messages": [{"role": "assistant"}]}', "lacks its role or its content"),
        ('{"messages": [{"role": "assistant", "content": "\\ud800"}]}', "half of a surrogate pair"),
        ('{"messages": [3]}', "a message is int"),
    ],
)
def test_a_bad_row_is_named_by_its_line(write, bad, said):
    path = write(line(), "", bad, line("Five."))
    [(number, text)] = refusals(path, FileLimits("us"))
    assert number == 3
    assert said in text
    with pytest.raises(UserError, match=r"rows.jsonl, line 3: "):
        scan(path).refuse()


def test_several_bad_rows_are_named_together(write):
    path = write("{}", line(), "{}", "{}")
    with pytest.raises(UserError, match=r"line 1: .*\(More is wrong in line 3, 4.\)"):
        scan(path).refuse()


def test_a_file_of_bad_rows_only_keeps_a_few_and_counts_all(write):
    found = scan(write(*["{}"] * 500))
    assert found.n_findings == 500
    assert len(found.findings) < 20


def test_an_empty_file_is_refused(write):
    with pytest.raises(UserError, match="holds no rows"):
        scan(write("", "  ")).refuse()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.jsonl: cannot be read"):
        scan(tmp_path / "nothing.jsonl")


def test_tokens_that_openai_refuses_are_named_by_line_and_taken_elsewhere(write):
    path = write(*[line(f"{number}.") for number in range(12)], line("x <|fim_suffix|> y"), line("a <| b"))
    assert refusals(path) == [(13, "holds <|fim_suffix|>, which OpenAI refuses; take it out.")]
    assert not refusals(path, FileLimits("us"))


def test_fewer_rows_than_openai_takes_are_refused(write):
    assert refusals(write(line())) == [(None, "1 rows, but OpenAI asks for at least 10.")]


def test_duplicates_are_counted_and_named_but_not_refused(write):
    path = write(line("a"), line("b"), line("a", note="x"), line("b", system="s"), line("a"))
    found = scan(path)
    assert found.duplicates == 2
    assert [(each.line, each.text) for each in found.findings] == [
        (3, "says what line 1 says."),
        (5, "says what line 3 says."),
    ]
    assert not any(each.refused for each in found.findings)


def test_over_long_rows_are_named_but_not_refused(write):
    found = scan(write(line("x" * 100), line("y" * 4000)), FileLimits("us", max_row_tokens=500))
    assert [(each.line, each.refused) for each in found.findings] == [(2, False)]
    assert found.longest == (2, 1002)


def test_tokens_are_counted_by_role_so_that_an_arms_prompt_has_a_cost(write):
    found = scan(write(line("x" * 40, "y" * 80, "z" * 20)))
    assert found.tokens == {"system": 5, "user": 20, "assistant": 10}
    assert found.total_tokens == 35
