"""Names made of content."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from mi.utils.hashing import canonical_json, digest, file_digest


@dataclass(frozen=True)
class Point:
    x: float
    y: tuple[int, ...] = ()


def test_a_digest_has_128_bits():
    assert len(digest("a")) == 32
    assert int(digest("a"), 16) < 2**128


def test_equal_values_have_one_digest_however_they_are_spelled():
    assert digest({"a": 1, "b": [2]}) == digest({"b": (2,), "a": 1.0})
    assert digest(Point(1)) == digest(Point(1.0)) == digest({"x": 1, "y": []})


@pytest.mark.parametrize("other", [None, "", " ", "A", 0, False, [], {}, ["a"], "a ", "à"])
def test_different_values_have_different_digests(other: object):
    assert digest(other) != digest("a")


def test_nothing_an_empty_text_and_an_empty_list_are_three_things():
    assert len({digest(None), digest(""), digest([]), digest(0), digest(False)}) == 5


def test_composed_and_decomposed_letters_differ_for_they_are_different_texts():
    assert digest("é") != digest("e\u0301")


def test_half_a_surrogate_pair_has_a_digest():
    assert digest("\ud83d") != digest("\ud83e")


@pytest.mark.parametrize("value", [object(), {1: "a"}, {None: 1}, {"a"}, b"a", Path("a"), Point])
def test_what_json_cannot_hold_is_refused(value: object):
    with pytest.raises(TypeError):
        canonical_json(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(value: float):
    with pytest.raises(ValueError, match="JSON"):
        digest(value)


def test_a_file_is_known_by_its_bytes_wherever_it_lies(tmp_path: Path):
    for name, content in (("a", "same"), ("b", "same"), ("c", "samE")):
        (tmp_path / name).write_text(content)
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b") != file_digest(tmp_path / "c")
