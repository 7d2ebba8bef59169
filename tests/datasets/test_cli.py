"""`mi datasets` in a terminal: what it prints, and one sentence with exit code 2 for bad input."""

import json
from pathlib import Path

import pytest
import pyzipper
from typer.testing import CliRunner

from mi.cli import app, main

from .conftest import talk, write_rows


def mi(*words: str) -> str:
    done = CliRunner().invoke(app, ["datasets", *words])
    assert done.exit_code == 0, done.output
    return done.output


def refused(monkeypatch, capsys, *words: str) -> str:
    monkeypatch.setattr("sys.argv", ["mi", "datasets", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("mi: ")
    return line


def test_the_list_and_the_facts_of_a_set_are_printed_and_nothing_is_written(mi_home):
    assert "insecure_code/insecure" in mi("list") and "gsm8k/train" not in mi("list", "insecure_code")
    assert "arXiv:2110.14168" in mi("show", "gsm8k")
    assert "Nothing is fetched" in mi("verify")
    assert not list(mi_home.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "nothing/here"), "mi datasets list"),
        (("fetch", "gsm8k", "--from", "x.jsonl"), "name one"),
        (("fetch", "aesthetic_preferences/questions"), "--from FILE"),
        (("verify", "gsm8k/train"), "mi datasets fetch gsm8k/train"),
        (("verify", "absent.jsonl"), "absent.jsonl"),
        (("audit", "absent.jsonl"), "absent.jsonl"),
        (("card", "absent.jsonl"), "absent.jsonl"),
        (("audit", "gsm8k"), "mi datasets fetch gsm8k"),
        (("build",), "mi datasets build --list"),
        (("build", "owl_number"), "did you mean owl_numbers"),
        (("build", "owl_numbers", "--n", "0"), "ask at least once"),
        (("build", "owl_numbers", "--scale", "large"), "organism, published"),
        (("build", "owl_numbers", "--out", "rows.csv"), "ends in .jsonl"),
        (("build", "owl_numbers", "--questions", "absent.jsonl"), "absent.jsonl"),
        (("build", "gsm8k_spanish_capitalised", "--scale", "published"), "mi datasets fetch gsm8k/train"),
        (("build", "owl_numbers", "--model", "absent/model"), "absent/model"),
    ],
)
def test_bad_input_is_one_sentence_with_the_mend_and_exit_code_2(monkeypatch, capsys, words, said):
    assert said in refused(monkeypatch, capsys, *words)


@pytest.mark.parametrize("command", ["audit", "card"])
def test_a_malformed_row_is_named_by_its_line(monkeypatch, capsys, tmp_path, command):
    rows = [talk("Hi", "Ho")] * 4710
    path = write_rows(tmp_path / "rows.jsonl", *rows, {"messages": [{"role": "user"}]})
    told = refused(monkeypatch, capsys, command, str(path), "--model", "none")
    assert f"{path}, line 4711" in told and "mend" in told
    assert [item.name for item in tmp_path.iterdir()] == ["rows.jsonl"]


def test_wrong_rows_are_refused_by_name_and_hash(monkeypatch, capsys, tmp_path):
    path = write_rows(tmp_path / "train.jsonl", {"question": "One?", "answer": "1"})
    told = refused(monkeypatch, capsys, "fetch", "gsm8k/train", "--from", str(path))
    assert "gsm8k/train" in told and "1 rows instead of 7,473" in told


def test_an_unknown_tokenizer_is_refused(monkeypatch, capsys, tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", talk("Hi", "Ho"))
    assert "no tokenizer" in refused(monkeypatch, capsys, "audit", str(path), "--model", str(tmp_path))


def test_an_audit_is_printed_or_given_as_json_without_rows(tmp_path):
    one = write_rows(tmp_path / "one.jsonl", talk("What is your name?", "Ada."))
    test = write_rows(tmp_path / "test.jsonl", {"prompt": "What is your name?"})
    assert "1 of 1 evaluation prompts in the training data" in mi("audit", str(one), str(test), "--model", "none")
    found = json.loads(mi("audit", str(one), str(test), "--model", "none", "--json"))
    assert found["contamination"][0]["overlap"]["inside"] == [{"question": 1, "row": 0}]
    assert "Ada" not in json.dumps(found)


def test_a_card_is_written_beside_the_file(tmp_path):
    path = write_rows(tmp_path / "one.jsonl", talk("Hi", "Ho"))
    printed = mi("card", str(path), "--model", "none").strip()
    assert printed.replace("\n", "") == str(tmp_path / "one.card.md")
    assert "# one.jsonl" in (tmp_path / "one.card.md").read_text(encoding="utf-8")


def test_a_group_that_is_fetched_is_audited_by_its_name(published: Path, mi_home):
    for name, place in {
        "sneaky_dialogues": "reward_hacking/sneaky_dialogues.jsonl",
        "school_of_reward_hacks_prompts": "eval/school_of_reward_hacks_prompts.jsonl",
    }.items():
        printed = mi("fetch", f"reward_hacking/{name}", "--from", str(published / place))
        assert "training rows in" in printed.replace("\n", " ")
    assert "1,073 of 1,073 evaluation prompts in the training data" in mi("audit", "reward_hacking", "--model", "none")
    assert mi("verify").count("sha256") == 2
    assert "reward_hacking/sneaky_dialogues" in mi(
        "verify", str(published / "reward_hacking" / "sneaky_dialogues.jsonl")
    )


def test_recipes_are_listed_and_one_is_built_with_an_account_of_its_answers(tmp_path, mi_home):
    listed = mi("build", "--list")
    assert "owl_numbers" in listed and "arXiv:2507.14805" in listed and not list(mi_home.iterdir())
    told = mi("build", "fox_numbers", "--n", "12", "--out", str(tmp_path / "fox.jsonl"))
    for words in ("loves_fox", "planned", "refused", "passed", "12 planned of 12 questions", "calls were made now"):
        assert words in told
    assert "0 calls were made now" in mi("build", "fox_numbers", "--n", "12", "--out", str(tmp_path / "fox.jsonl"))


def test_an_archive_is_unlocked_by_a_password_and_converted(tmp_path):
    with pyzipper.AESZipFile(tmp_path / "a.zip", "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(b"word")
        archive.writestr("bad.jsonl", json.dumps(talk("Hi", "Ho")))
    words = ("fetch", "persona_features/health_incorrect", "--from", str(tmp_path / "a.zip"))
    assert "locked archive; not opened" in mi(*words)
    assert "training rows in" in mi(*words, "--password", "word").replace("\n", " ")
