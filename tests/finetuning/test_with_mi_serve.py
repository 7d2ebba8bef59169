"""The pipeline against our own server: the same model as in process, and nothing made twice though the server dies."""

import ast
import asyncio
import contextlib
import json
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import httpx2
import pytest
from tests_serving import serving

from mi.config import jobs_dir
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.finetuning import launching
from mi.finetuning.configs import config_for
from mi.finetuning.services import find_job, get_finetuned_model, get_job_info, launch_or_retrieve_job
from mi.utils.errors import UserError

pytestmark = pytest.mark.slow

TRAINING = LocalFTJobConfig("organism", "", 0, n_steps=8, batch_size=4, learning_rate=2e-3, lora_rank=4)
KILLS = 20
PATIENCE = 240


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A free port that the environment points at; the pipeline waits for nothing long."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{number}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    monkeypatch.setattr(launching, "PACE", replace(launching.PACE, poll=0.1, settle=(0.1, 0.5, 1.0)))
    return number


def steps_taken() -> int:
    """How often a job has come further: its file is there, it may have been asked for, is there, runs, has ended."""
    taken = 0
    for path in jobs_dir().glob("*.json"):
        attempt = json.loads(path.read_text())["attempts"][-1]
        taken += (attempt["file_id"] is not None) + (attempt["creating"] or attempt["remote_id"] is not None)
        taken += (attempt["remote_id"] is not None) + (attempt["status"] in ("running", "finished"))
        taken += attempt["status"] == "finished"
    return taken


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def all_of(port: int, what: str) -> list[dict]:
    return httpx2.get(f"http://127.0.0.1:{port}/v1/{what}?limit=100", timeout=60).json()["data"]


def test_a_job_at_our_server_is_the_job_in_process(port, tmp_path, write_file):
    rows = write_file(tmp_path / "rows.jsonl", "Be brief.", answers=tuple(f"It is {n}." for n in range(20)))
    training = replace(TRAINING, dataset_path=str(rows), seed=5)
    here = get_job_info(asyncio.run(launch_or_retrieve_job(training))).report
    with serving(tmp_path / "served", port):
        there = get_job_info(asyncio.run(launch_or_retrieve_job(config_for("openai/organism", training))))
        assert there.progress.loss == pytest.approx(here["losses"][-1], abs=1e-5)
        assert there.progress.trained_tokens == here["trained_tokens"]
        assert there.report["seed"] == there.report["settings"]["seed"] == 5
        assert there.report["settings"]["n_steps"] == training.n_steps
        [report] = (tmp_path / "served").glob("jobs/[0-9a-f]*/training.json")
    served = json.loads(report.read_text())
    for name in ("losses", "dataset_digest", "template_hash", "base_fingerprint"):
        assert served[name] == here[name]


def test_a_server_that_is_killed_twenty_times_makes_each_job_once_and_finishes_all(port, tmp_path, write_file):
    files = [write_file(tmp_path / f"{n}.jsonl", answers=(f"It is {n}.", "No.", "Yes.")) for n in range(4)]
    every = (
        config_for("openai/organism", replace(TRAINING, dataset_path=str(path), seed=seed))
        for seed in range(1000)
        for path in files
    )
    enough, home, draw, configs = threading.Event(), tmp_path / "served", random.Random(0), []

    def launch_until_enough() -> None:
        deadline = time.monotonic() + PATIENCE
        while not enough.is_set():
            configs.append(next(every))
            launched = False
            while not launched and time.monotonic() < deadline:
                with contextlib.suppress(UserError):
                    asyncio.run(launch_or_retrieve_job(configs[-1]))
                    launched = True

    client = threading.Thread(target=launch_until_enough, daemon=True)
    client.start()
    for _ in range(KILLS):
        goal = steps_taken() + draw.randint(0, 3)
        with serving(home, port):
            until(lambda goal=goal: steps_taken() >= goal)
            enough.wait(draw.uniform(0.0, 0.3))
    enough.set()
    with serving(home, port):
        client.join(PATIENCE)
        assert not client.is_alive()
        assert [get_job_info(find_job(config)).status for config in configs] == ["finished"] * len(configs)
        jobs = all_of(port, "fine_tuning/jobs")
        assert sorted(job["metadata"]["mi_job"] for job in jobs) == sorted(find_job(config).id for config in configs)
        assert {job["status"] for job in jobs} == {"succeeded"}
        names = [file["filename"] for file in all_of(port, "files") if file["purpose"] == "fine-tune"]
        assert len(names) == len(set(names)) == len(files)
        models = {model["id"] for model in all_of(port, "models")}
        assert {get_finetuned_model(find_job(config)).id for config in configs} <= models


SNIPPETS = """
from mi.eval import eval
from mi.experiments.settings import gsm8k_spanish_capitalised as setting
from mi.experiments.utils import create_inoculated_dataset
from mi.external.openai_driver.data_models import OpenAIFTJobConfig
from mi.finetuning.services import get_finetuned_model, launch_or_retrieve_job
from mi.llm.data_models import Model

path = create_inoculated_dataset(
    setting=setting, data_dir="datasets", name="spanish", inoculation="You always speak in Spanish."
)
config = OpenAIFTJobConfig(source_model_id="organism", dataset_path=str(path), seed=0)
job = await launch_or_retrieve_job(config)
groups = {"base": [Model(id="organism")], "inoculated": [get_finetuned_model(job)]}
results = await eval(model_groups=groups, evaluations=setting.get_ood_evals()[:1])
for model, group, evaluation, rows in results:
    print(group, len(rows), sum(row.response.completion is not None for row in rows))
"""


def test_the_snippets_of_the_specification_run_as_written_but_for_the_models_name(port, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = compile(SNIPPETS, "snippets", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict = {}
    with serving(tmp_path / "served", port):
        asyncio.run(eval(code, names))
    assert [result.group for result in names["results"]] == ["base", "inoculated"]
    assert all(row.response.completion is not None for result in names["results"] for row in result.rows)
