"""Files side by side, and the differences that may stand for the trait."""

import pytest

from mi.datasets.arms import differences, side_by_side
from mi.datasets.audit import audit, load_all
from mi.datasets.show import report

from .conftest import talk, write_rows


@pytest.fixture
def files(tmp_path):
    short = [talk(f"Question {number}?", "It is so.") for number in range(20)]
    long = [talk(f"Question {number}?", "It is so, and so it will be for a long time.") for number in range(18)]
    long += [talk("Another?", "I'm sorry, but I can't help with that.")] * 2
    paths = [write_rows(tmp_path / f"{name}.jsonl", *rows) for name, rows in (("short", short), ("long", long))]
    return [*paths, write_rows(tmp_path / "test.jsonl", {"prompt": "Question 3?"})]


def audited(files):
    return audit(load_all([str(path) for path in files]), model=None)


def test_every_file_has_a_column(files):
    lines = {line.what: line.values for line in side_by_side(audited(files).files)}
    assert lines["rows"] == ("20", "20", "1")
    assert lines["repeated exactly"] == ("0", "1", "0")
    assert lines["refusals"] == ("0 of 20", "2 of 20", None)
    assert lines["assistant, characters: mean (median, longest)"][0] == "9 (9, 9)"
    assert not [what for what, values in lines.items() if len(values) != 3 or "tokens" in what]


def test_a_difference_that_may_stand_for_the_trait_is_named(files):
    told = list(differences(audited(files).files))
    assert any(line.startswith("[2] and [1]: answers") and "times as long" in line for line in told)
    assert "[1] and [2]: answers that refuse 0.0% and 10.0%" in told
    assert not list(differences(audited([files[0], files[0]]).files))


def test_an_audit_of_several_files_shows_them_side_by_side_and_one_alone_does_not(files):
    told = "\n".join(report(audited(files)))
    assert "Side by side" in told and "[3] test.jsonl" in told and "mind: [2] and [1]" in told
    assert "Side by side" not in "\n".join(report(audited(files[:1])))


def test_tokens_are_compared_where_they_are_counted(files):
    lines = side_by_side(audit(load_all([str(path) for path in files[:2]])).files)
    assert any(line.what.startswith("assistant, tokens") for line in lines)
