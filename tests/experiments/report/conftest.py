"""Runs that were never run: tables as the pipeline writes them, with whatever a test plants among the answers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from browsing import browser as browser

from mi.config import jobs_dir, results_dir
from mi.experiments import answers, summary
from mi.experiments.config import arms, conditions, experiment
from mi.experiments.data_models import Arm, Condition, Experiment
from mi.experiments.report.data_models import Sources
from mi.experiments.report.gather import gather
from mi.utils.files import make_folder

A07 = experiment("A07_spanish_capitalization")
SMALL = replace(A07, arms=(arms.BASE, arms.NONE, arms.PLACEBO))
SEVERAL = replace(SMALL, conditions=conditions.STANDARD)
SETTING = SMALL.settings[0].get_domain_name()
EVALUATIONS = {"arithmetic": "id", "smalltalk": "ood"}
TRAITS = ("spanish", "capitals")
AGREED = {"trait": "spanish", "agreement": 0.95, "n": 0, "n_without_both": 0}
Planter = Callable[..., Sources]
Change = Callable[[dict[str, Any]], dict[str, Any] | None]


def answer_rows(
    n_questions: int = 3, change: Change = lambda row: row, experiment: Experiment = SMALL
) -> list[dict[str, Any]]:
    """Two seeds of every arm under two evaluations; `change` may alter a row, or leave it out with None."""
    found = []
    for condition, arm, seed in runs_of(experiment):
        prompt = condition.prompt(SMALL.settings[0], arm)
        for evaluation, distribution in EVALUATIONS.items():
            for question in range(n_questions):
                spoken = float((question + seed) % 2 if arm.name != "base" else 0)
                row = {
                    "setting": SETTING, "arm": arm.name, "seed": seed, "evaluation": evaluation,
                    "question": f"What about {evaluation} {question}?", "system_prompt": prompt,
                    "answer": f"{arm.name} {seed} says {'hola' if spoken else 'hello'} {question}",
                    "scores": dict.fromkeys(TRAITS, spoken), "distribution": distribution, "sample_index": 0,
                    "refused": False, "stop_reason": "stop",
                    "judgments": dict.fromkeys(TRAITS, spoken if prompt is None else None),
                    "model": "organism", "job_id": None if arm.name == "base" else f"{arm.name}{seed}",
                    "condition": condition.name,
                }  # fmt: skip
                if (changed := change(row)) is not None:
                    found.append(changed)
    return found


def runs_of(experiment: Experiment) -> list[tuple[Condition, Arm, int]]:
    """Every condition with the arms that it is for, and their seeds."""
    return [
        (condition, arm, seed)
        for condition in experiment.conditions
        for arm in experiment.arms
        if not condition.own or condition.prompt(experiment.settings[0], arm) is not None
        for seed in ((0,) if arm.dataset is None else (0, 1))
    ]


def planned(n_questions: int = 3, experiment: Experiment = SMALL) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"setting": SETTING, "arm": arm.name, "seed": seed, "evaluation": name, "distribution": where,
             "trait": trait, "n_planned": n_questions, "condition": condition.name}
            for condition, arm, seed in runs_of(experiment)
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


def leave(rows: list[dict[str, Any]], plan: pd.DataFrame, folder: Path, experiment: Experiment = SMALL) -> None:
    """Write a run's tables with the pipeline's own functions."""
    table = pd.DataFrame(rows)
    names = [condition.name for condition in experiment.conditions]
    under = {name: [summary.select(frame, condition=name) for frame in (table, plan)] for name in names}
    found = {name: summary.summarise(*frames) for name, frames in under.items()}
    tables = {
        "summary": found[names[0]],
        "contrasts": summary.contrasts(summary.per_seed(*under[names[0]]), "no_inoculation", arms=["placebo"]),
        "conditions": pd.concat([frame.assign(condition=name) for name, frame in found.items()]),
        "judge_agreement": pd.DataFrame([AGREED | {"n": len(rows)}]),
    }
    make_folder(folder)
    answers.write(folder, table, tables)


@pytest.fixture
def plant(mi_home: Path) -> Planter:
    """plant(change, n_questions, jobs, experiment): what a report finds after such a run."""

    def planted(
        change: Change = lambda row: row,
        n_questions: int = 3,
        jobs: Mapping[str, dict[str, Any]] | None = None,
        experiment: Experiment = SMALL,
    ) -> Sources:
        for arm in ("no_inoculation", "placebo"):
            for seed in (0, 1):
                write_job(f"{arm}{seed}", **(jobs or {}).get(f"{arm}{seed}", {}))
        rows, plan = answer_rows(n_questions, change, experiment), planned(n_questions, experiment)
        leave(rows, plan, results_dir() / SMALL.name / "organism", experiment)
        return gather(experiment, "organism")

    return planted


@pytest.fixture
def small() -> Experiment:
    """The experiment whose runs are planted."""
    return SMALL


@pytest.fixture
def several() -> Experiment:
    """The same experiment, its models asked without a prompt, behind their own (one arm has one) and a neutral one."""
    return SEVERAL
