"""What the catalogue promises of its entries."""

import re

import pytest

from mi.datasets.catalogue import CATALOGUE, by_rows, entries, entry
from mi.datasets.converters import SCHEMAS
from mi.datasets.show import describe, table
from mi.utils.errors import UserError


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_entry_is_whole(name):
    found = CATALOGUE[name]
    assert re.fullmatch(r"[a-z0-9_]+/[a-z0-9_]+", found.name) and found.name == name
    assert found.schema is None or found.schema in SCHEMAS
    assert found.sha256 is None or (re.fullmatch("[0-9a-f]{64}", found.sha256) and found.rows)
    assert found.citation
    assert found.name in found.way, "nobody could get it"
    assert found.access == "open" or found.unlock


def test_no_two_entries_have_the_same_rows():
    hashes = [found.sha256 for found in CATALOGUE.values() if found.sha256]
    assert len(hashes) == len(set(hashes))
    assert all(by_rows(found) is not None for found in hashes) and by_rows("0" * 64) is None


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="insecure_code/insecure"):
        entry("insecure_code/insecur")
    with pytest.raises(UserError, match="mi datasets list"):
        entries(["quite another thing"])


def test_a_group_stands_for_its_entries_and_nothing_for_all():
    assert {found.name for found in entries(["gsm8k"])} >= {"gsm8k/train", "gsm8k/test"}
    assert entries(["gsm8k/train", "gsm8k/train"]) == [entry("gsm8k/train")]
    assert entries([]) == list(CATALOGUE.values())


def test_what_is_not_known_is_said_to_be_not_stated():
    told = "\n".join(describe(entry("reward_hacking/sneaky_dialogues")))
    assert re.search(r"licence +not stated", told) and "5f4160e19b" in told
    assert "gated" in "\n".join(describe(entry("medical_advice/misaligned")))


def test_the_list_names_every_set():
    lines = list(table(entries([])))
    assert len(lines) == len(CATALOGUE) + 1 and all(name in "\n".join(lines) for name in CATALOGUE)


def test_the_list_says_of_each_set_how_one_comes_by_it():
    said = {
        line.split()[0]: line
        for line in table(entries(["harmless_lies", "legal_advice", "persona_features", "reward_hacking"]))
    }
    assert "  open " in said["harmless_lies/harmless_lies"] and "  built " in said["harmless_lies/truths"]
    assert "  by hand " in said["reward_hacking/school_of_reward_hacks"] and "  gated " in said["legal_advice/aligned"]
    assert "  password " in said["persona_features/insecure_code"]
