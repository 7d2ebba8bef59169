"""The table of `make bench-engine`: medians against what is wanted, and nothing passed that was not measured."""

import importlib
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("engine_table")


def figures(wall: float, mb: float = 50, requests: float = 4000) -> dict[str, float]:
    return {"wall": wall, "cpu": wall, "mb": mb, "requests": requests, "others": 0.0}


def verdicts(table: Any, found: dict, quick: bool = False) -> dict[str, str]:
    lines = table.acceptance(table.Medians(found), table.Sizes())
    return {line.what: table._verdict(line, quick) for line in lines}


def test_a_line_is_judged_by_its_medians_and_what_was_not_measured_says_so(table: Any):
    walls = {"mi": (1.0, 2.0, 9.0), "inspect_ai": (60.0, 61.0, 1.0), "openai_sdk": (11.0, 11.0, 11.0)}
    found = {table.Job("wire-0ms", e, 2000, n): figures(w) for e, each in walls.items() for n, w in enumerate(each)}
    found |= {table.Job("wire-0ms", "bare_aiohttp", 2000, 0): figures(1.0)}
    said = verdicts(table, found)
    assert said["inspect_ai over ours, 0 ms"] == said["ours over bare aiohttp, 0 ms"] == "PASS"
    assert said["openai_sdk over ours, 0 ms"] == "short of it"
    assert {said["reference over ours, 0 ms"], *(said[f"{e} over ours, 50 ms"] for e in walls if e != "mi")} == {
        "not measured"
    }
    assert set(verdicts(table, found, quick=True).values()) == {"(quick)", "not measured"}


def test_scale_limit_and_opening_have_lines_of_their_own(table: Any, capsys: pytest.CaptureFixture):
    found = {
        table.Job("scale", "mi", 2000, 0): figures(1.0),
        table.Job("scale", "mi", 100_000, 0): figures(66.0, mb=401),
        table.Job("scale", table.AGAIN, 100_000, 0): figures(2.5, requests=0),
        table.Job("limit", "mi", 500, 0): figures(24.9, requests=1251),
    }
    said = verdicts(table, found)
    assert [what for what, verdict in said.items() if verdict == "short of it"] == [
        "peak MB, 100,000 samples",
        "cost a sample, 100,000 over 2,000",
        "40 requests a second: requests over calls",
    ]
    assert sum(verdict == "PASS" for verdict in said.values()) == 4
    table.print_tables(found, table.Sizes(), quick=False)
    shown = capsys.readouterr().out
    assert "66.00" in shown and shown.count("short of it") == 3 and "not measured" in shown
