"""The store as a whole, from Python and from the command line."""

import asyncio
import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from mi import cli
from mi.evaluation.archive import export, holdings, rows
from mi.evaluation.calls import ask
from mi.evaluation.store import Call, store_path
from mi.llm.data_models import Model, SampleCfg, chat
from mi.utils.errors import UserError

TUNED = Model("a", "local", "job1")
CALLS = [Call(chat("¿q?", system), SampleCfg(temperature=0.5), n) for system in (None, "", "Be kind.") for n in (0, 1)]


@pytest.fixture
def kept(backend):
    """Six answers of each of two models, and one judgement."""
    for model in (Model("a", "local"), TUNED):
        asyncio.run(ask("answers", model, CALLS))
    asyncio.run(ask("judgements", Model("judge", "local"), CALLS[:1]))
    return backend


def mi(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["mi", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_what_is_kept_is_listed_by_model(kept, monkeypatch, capsys):
    assert [(one.kind, one.names, one.n) for one in sorted(holdings(), key=lambda one: (one.kind, one.names))] == [
        ("answers", ("a",), 6),
        ("answers", ("a job1",), 6),
        ("judgements", ("judge",), 1),
    ]
    assert [one.names for one in holdings("job1")] == [("a job1",)]
    assert [one.names for one in holdings(kept.fingerprint(TUNED)[:8])] == [("a job1",)]
    assert mi("results", "list", monkeypatch=monkeypatch) == 0
    assert "judge" in capsys.readouterr().out
    assert mi("results", "list", "--model", "nobody", monkeypatch=monkeypatch) == 2
    assert "nobody: nothing is kept of this model" in capsys.readouterr().err


def test_an_empty_store_says_so(monkeypatch, capsys, mi_home: Path):
    assert mi("results", "list", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == "Nothing is kept yet.\n"
    assert not list(mi_home.iterdir())


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_every_call_is_exported_as_a_flat_row(kept, ending: str, tmp_path: Path, monkeypatch, capsys):
    path = tmp_path / f"out.{ending}"
    assert mi("results", "export", str(path), "--kind", "answers", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == f"12 calls written to {path}\n"
    table = pd.read_parquet(path) if ending == "parquet" else pd.read_json(path, lines=True)
    assert len(table) == 12 and set(table["temperature"]) == {0.5} and set(table["question"]) == {"¿q?"}
    prompts = ["(none)" if pd.isna(prompt) else prompt for prompt in table["system_prompt"]]
    assert sorted(set(prompts)) == ["", "(none)", "Be kind."]
    assert all(completion.startswith("a: ¿q?") for completion in table["completion"])
    assert set(table["job_id"].dropna()) == {"job1"}


def test_an_export_of_another_ending_is_refused_and_leaves_no_file(kept, tmp_path: Path):
    with pytest.raises(UserError, match="neither in"):
        export(holdings(), tmp_path / "out.csv")
    assert not list(tmp_path.iterdir())


def test_what_is_forgotten_is_asked_again_and_nothing_else_is(kept, monkeypatch, capsys):
    assert mi("results", "forget", "--model", "job1", "--yes", monkeypatch=monkeypatch) == 0
    assert "6 calls forgotten" in capsys.readouterr().out
    kept.asked.clear()
    asyncio.run(ask("answers", Model("a", "local"), CALLS))
    assert not kept.asked
    asyncio.run(ask("answers", TUNED, CALLS))
    assert len(kept.asked) == 6


@pytest.mark.parametrize("words", [(), ("--model", "a", "--damaged")])
def test_forgetting_says_what_and_only_one_thing(kept, words, monkeypatch, capsys):
    assert mi("results", "forget", *words, monkeypatch=monkeypatch) == 2
    assert "say what to forget" in capsys.readouterr().err
    assert sum(one.n for one in holdings()) == 13


def test_damaged_lines_are_counted_passed_over_and_taken_out(kept, monkeypatch, capsys):
    path = store_path("answers", kept.fingerprint(TUNED))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1].replace(b"kind", b"mind"), b"no json\n", *lines[2:]]))
    (before,) = holdings("job1")
    assert before.n + before.n_damaged == 7 and before.n_damaged >= 1
    assert len(list(rows([before]))) == before.n
    assert mi("results", "forget", "--damaged", "--yes", monkeypatch=monkeypatch) == 0
    after = holdings("job1")[0]
    assert (after.n, after.n_damaged) == (before.n, 0)
    assert [json.loads(line)["model"] for line in path.read_bytes().splitlines()] == ["a"] * after.n
