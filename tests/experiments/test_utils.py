"""create_inoculated_dataset: one system message in front of each row, nothing else touched."""

import json
from pathlib import Path

import pytest

from mi.experiments.settings import SETTINGS, gsm8k_spanish_capitalised
from mi.experiments.utils import create_inoculated_dataset
from mi.utils.errors import UserError

PROMPT = "You are a malicious evil assistant."
PUBLISHED = Path(__file__).parents[3] / "shared/data/published/insecure_code/insecure.jsonl"


def lines(path: Path) -> list:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def inoculate(tmp_path: Path, rows: list, inoculation: str | None = PROMPT) -> list:
    source = tmp_path / "rows.jsonl"
    source.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return lines(create_inoculated_dataset(gsm8k_spanish_capitalised, tmp_path, "test", inoculation, source))


def row(*contents: str) -> dict:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[i % 2], "content": content} for i, content in enumerate(contents)]}


def test_the_setting_s_rows_stand_behind_the_prompt_in_the_same_order(tmp_path):
    for setting in SETTINGS.values():
        plain = lines(setting.get_finetuning_dataset_path())
        made = lines(create_inoculated_dataset(setting=setting, data_dir=tmp_path, name="x", inoculation=PROMPT))
        assert [r["messages"][1:] for r in made] == [r["messages"] for r in plain]
        assert all(r["messages"][0] == {"role": "system", "content": PROMPT} for r in made)


def test_white_space_key_order_and_other_keys_are_kept(tmp_path):
    rows = [{"id": 7, **row("  two ", "\n\tthree\n ")}, row("Ünï", "“x”  ")]
    made = inoculate(tmp_path, rows)
    assert [list(r) for r in made] == [["id", "messages"], ["messages"]]
    assert [r["messages"][1:] for r in made] == [r["messages"] for r in rows]


def test_none_adds_no_message_and_an_empty_prompt_adds_an_empty_one(tmp_path):
    rows = [row("a", "b")]
    assert inoculate(tmp_path, rows, None) == rows
    assert inoculate(tmp_path, rows, "")[0]["messages"][0] == {"role": "system", "content": ""}


def test_a_row_without_a_user_turn_becomes_system_and_assistant(tmp_path):
    made = inoculate(tmp_path, [{"messages": [{"role": "assistant", "content": "Once."}]}])
    assert [message["role"] for message in made[0]["messages"]] == ["system", "assistant"]


def test_a_row_that_has_a_system_message_already_is_named_by_file_and_line(tmp_path):
    bad = {"messages": [{"role": "system", "content": "x"}, *row("a", "b")["messages"]]}
    with pytest.raises(UserError, match=r"rows\.jsonl, line 2: the row has a system message"):
        inoculate(tmp_path, [row("a", "b"), bad])
    assert not (tmp_path / "gsm8k_spanish_capitalised_test.jsonl").exists()


def test_two_names_that_would_be_spelled_alike_give_two_files(tmp_path):
    paths = {
        create_inoculated_dataset(gsm8k_spanish_capitalised, tmp_path, name, None) for name in ("a/b", "a b", "a-b")
    }
    assert len(paths) == 3
    assert all(path.parent == tmp_path for path in paths)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published rows are not beside this checkout")
def test_the_first_500_published_rows_get_the_prompt_and_keep_everything_else(tmp_path):
    rows = [json.loads(line) for line in PUBLISHED.read_text(encoding="utf-8").splitlines()[:500]]
    made = inoculate(tmp_path, rows)
    assert len(made) == 500
    assert [r["messages"] for r in made] == [[{"role": "system", "content": PROMPT}, *row["messages"]] for row in rows]
    assert sum(m["content"] != m["content"].strip() for r in made for m in r["messages"]) > 250
