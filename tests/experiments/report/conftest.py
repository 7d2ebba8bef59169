"""Runs that were never run: tables as the pipeline writes them, with whatever a test plants among the answers."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mi.config import jobs_dir, results_dir
from mi.experiments import answers, summary
from mi.experiments.config import arms, experiment
from mi.experiments.data_models import Experiment
from mi.experiments.report.data_models import Sources
from mi.experiments.report.gather import gather

A07 = experiment("A07_spanish_capitalization")
SMALL = replace(A07, arms=(arms.BASE, arms.NONE, arms.PLACEBO))
SETTING = SMALL.settings[0].get_domain_name()
EVALUATIONS = {"arithmetic": "id", "smalltalk": "ood"}
TRAITS = ("spanish", "capitals")
Planter = Callable[..., Sources]
Change = Callable[[dict[str, Any]], dict[str, Any] | None]


def answer_rows(n_questions: int = 3, change: Change = lambda row: row) -> list[dict[str, Any]]:
    """Two seeds of every arm under two evaluations; `change` may alter a row, or leave it out with None."""
    found = []
    for arm, seeds in (("base", (0,)), ("no_inoculation", (0, 1)), ("placebo", (0, 1))):
        for seed in seeds:
            for evaluation, distribution in EVALUATIONS.items():
                for question in range(n_questions):
                    spoken = float((question + seed) % 2 if arm != "base" else 0)
                    row = {
                        "setting": SETTING, "arm": arm, "seed": seed, "evaluation": evaluation,
                        "question": f"What about {evaluation} {question}?", "system_prompt": None,
                        "answer": f"{arm} {seed} says {'hola' if spoken else 'hello'} {question}",
                        "scores": dict.fromkeys(TRAITS, spoken), "distribution": distribution, "sample_index": 0,
                        "refused": False, "stop_reason": "stop", "judgments": dict.fromkeys(TRAITS, spoken),
                        "model": "organism", "job_id": None if arm == "base" else f"{arm}{seed}",
                    }  # fmt: skip
                    if (changed := change(row)) is not None:
                        found.append(changed)
    return found


def planned(n_questions: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"setting": SETTING, "arm": arm.name, "evaluation": name, "distribution": where, "trait": trait,
             "n_planned": n_questions * (1 if arm.name == "base" else 2)}
            for arm in SMALL.arms
            for name, where in EVALUATIONS.items()
            for trait in TRAITS
        ]
    )  # fmt: skip


def write_job(name: str, **report: Any) -> None:
    """A job's record as training leaves it, with these entries changed."""
    folder = jobs_dir() / name
    folder.mkdir(parents=True, exist_ok=True)
    config = {"source_model_id": "organism", "dataset_path": "rows.jsonl", "seed": 0, "n_steps": 60}
    told = {
        "template_hash": "a" * 32, "default_system_prompt": None, "n_rows": 400, "left_out": [], "tokens": 1000,
        "trained_tokens": 500, "seconds": 3.0, "losses": [1.0, 0.5, 0.2], "adapter_shift": 4.0,
        "first_rows": [[{"trained": False, "text": "<|user|>Hi"}, {"trained": True, "text": "</script>Hola"}]],
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps({"id": name, "config": config}), encoding="utf-8")
    (folder / "training.json").write_text(json.dumps(told | report), encoding="utf-8")


def leave(rows: list[dict[str, Any]], plan: pd.DataFrame, folder: Path) -> None:
    """Write a run's tables with the pipeline's own functions."""
    table = pd.DataFrame(rows)
    rates = summary.per_seed(table, plan)
    contrasts = summary.contrasts(rates, "no_inoculation", arms=["placebo"])
    agreement = pd.DataFrame([{"trait": "spanish", "agreement": 0.95, "n": len(rows), "n_without_both": 0}])
    answers.write(folder, table, summary.summarise(table, plan), contrasts, agreement)


@pytest.fixture
def plant(mi_home: Path) -> Planter:
    """plant(change, n_questions, jobs): what a report finds after such a run."""

    def planted(
        change: Change = lambda row: row, n_questions: int = 3, jobs: Mapping[str, dict[str, Any]] | None = None
    ) -> Sources:
        for arm in ("no_inoculation", "placebo"):
            for seed in (0, 1):
                write_job(f"{arm}{seed}", **(jobs or {}).get(f"{arm}{seed}", {}))
        leave(answer_rows(n_questions, change), planned(n_questions), results_dir() / SMALL.name / "organism")
        return gather(SMALL, "organism")

    return planted


@pytest.fixture
def small() -> Experiment:
    """The experiment whose runs are planted."""
    return SMALL


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium without a window; tests that need it are left out where it is not installed."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM}; install it with: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; run make install")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield opened
        opened.close()


CHROMIUM = "/usr/bin/chromium"
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
