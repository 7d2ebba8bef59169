"""Jobs are trained once, known by their content, and never taken for finished before they are."""

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mi.config import jobs_dir
from mi.external.local_driver import services as driver
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.openai_driver.data_models import OpenAIFTJobConfig
from mi.finetuning import local
from mi.finetuning.services import (
    find_job,
    get_finetuned_model,
    get_job_info,
    launch_or_retrieve_job,
    launch_sequentially,
)
from mi.llm.data_models import Model
from mi.utils.errors import UserError

IN_ANOTHER_PROCESS = """
import asyncio, json, os, sys
from mi.external.local_driver import services as driver
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.finetuning import local, services
async def train(config, folder, on_step=None):
    (folder / "weights").write_text("half")
    print("training", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    (folder / "training.json").write_text("{}")
driver.train_job = train
local.fingerprint = lambda model: "base"
print(asyncio.run(services.launch_or_retrieve_job(LocalFTJobConfig("base", sys.argv[1], 0))).id, flush=True)
"""


class Trainer:
    """Stands for the driver: writes what it was given, or fails."""

    def __init__(self) -> None:
        self.trained: list[LocalFTJobConfig] = []
        self.fails = False
        self.base = "base"

    async def train_job(self, config: LocalFTJobConfig, folder: Path, on_step=None) -> None:
        assert not list(folder.iterdir())
        self.trained.append(config)
        (folder / "weights").write_text("half")
        await asyncio.sleep(0)
        if self.fails:
            raise UserError("the disk is full.")
        if on_step:
            on_step(1, 0.5)
        (folder / "training.json").write_text(json.dumps({"n_rows": 1}))

    async def train_grid(self, configs, folders, on_event) -> None:
        for place, (config, folder) in enumerate(zip(configs, folders, strict=True)):
            await self.train_job(config, folder, lambda *step, place=place: on_event(place, step))
            on_event(place, None)

    async def stacks_at_once(self) -> int:
        return 1


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    trainer = Trainer()
    for verb in ("train_job", "train_grid", "stacks_at_once"):
        monkeypatch.setattr(driver, verb, getattr(trainer, verb))
    monkeypatch.setattr(local, "fingerprint", lambda model: trainer.base)
    return trainer


@pytest.fixture
def config(tmp_path: Path) -> LocalFTJobConfig:
    return LocalFTJobConfig("base", str(write_rows(tmp_path / "rows.jsonl")), 0)


def write_rows(path: Path, answer: str = "Four.") -> Path:
    messages = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": answer}]
    path.write_text(json.dumps({"messages": messages}) + "\n")
    return path


def launch(config: LocalFTJobConfig | OpenAIFTJobConfig):
    return asyncio.run(launch_or_retrieve_job(config))


def test_a_job_is_trained_once_and_found_again(trainer: Trainer, config: LocalFTJobConfig):
    job = launch(config)
    assert launch(config) == job == find_job(config)
    assert trainer.trained == [config]
    assert get_finetuned_model(job) == Model("base", "local", job_id=job.id)
    info = get_job_info(job)
    assert (info.status, info.folder, info.report) == ("finished", jobs_dir() / job.id, {"n_rows": 1})
    record = json.loads((info.folder / "job.json").read_text())
    assert record["config"]["n_steps"] == config.n_steps


def test_moving_the_data_or_the_base_changes_nothing(trainer: Trainer, config: LocalFTJobConfig, tmp_path: Path):
    job = launch(config)
    moved = Path(config.dataset_path).rename(tmp_path / "moved.jsonl")
    assert launch(replace(config, dataset_path=str(moved), source_model_id="elsewhere/base")).id == job.id
    assert len(trainer.trained) == 1


def test_a_changed_letter_seed_setting_or_base_is_another_job(
    trainer: Trainer, config: LocalFTJobConfig, tmp_path: Path
):
    changed = [
        replace(config, dataset_path=str(write_rows(tmp_path / "other.jsonl", "four."))),
        *(replace(config, seed=1), replace(config, n_steps=101), replace(config, max_length=100)),
        *(replace(config, lora_rank=4), replace(config, method="full")),
    ]
    ids = {find_job(each).id for each in [config, *changed]}
    trainer.base = "another"
    assert len({*ids, find_job(config).id}) == len(changed) + 2


def test_full_training_does_not_depend_on_what_an_adapter_would_be(trainer: Trainer, config: LocalFTJobConfig):
    full = replace(config, method="full")
    assert find_job(full).id == find_job(replace(full, lora_rank=4)).id


def test_looking_for_a_job_makes_nothing(trainer: Trainer, config: LocalFTJobConfig, mi_home: Path):
    job = find_job(config)
    assert get_job_info(job).status == "unknown"
    with pytest.raises(UserError, match="not finished"):
        get_finetuned_model(job)
    assert not list(mi_home.iterdir())


def test_calls_for_one_job_at_once_train_it_once(trainer: Trainer, config: LocalFTJobConfig):
    async def thrice() -> list:
        return await asyncio.gather(*(launch_or_retrieve_job(config) for _ in range(3)))

    assert len({job.id for job in asyncio.run(thrice())}) == len(trainer.trained) == 1


def test_jobs_come_in_the_order_of_their_configurations_and_are_trained_once(
    trainer: Trainer, config: LocalFTJobConfig
):
    configs = [replace(config, seed=seed) for seed in (2, 0, 2)]
    jobs = asyncio.run(launch_sequentially(configs))
    assert [job.config for job in jobs] == configs
    assert sorted(each.seed for each in trainer.trained) == [0, 2]


def test_steps_are_told_to_the_caller(trainer: Trainer, config: LocalFTJobConfig):
    steps = []
    asyncio.run(launch_or_retrieve_job(config, on_step=lambda *step: steps.append(step)))
    assert steps == [(1, 0.5)]


def test_a_training_that_fails_leaves_no_folder(trainer: Trainer, config: LocalFTJobConfig):
    trainer.fails = True
    with pytest.raises(UserError, match="disk is full"):
        launch(config)
    assert [path.suffix for path in jobs_dir().iterdir()] == [".lock"]
    trainer.fails = False
    assert get_job_info(launch(config)).status == "finished"


def test_data_that_change_under_the_training_make_no_job(trainer: Trainer, config: LocalFTJobConfig, monkeypatch):
    async def train(config: LocalFTJobConfig, folder: Path, on_step=None) -> None:
        await trainer.train_job(config, folder)
        write_rows(Path(config.dataset_path), "Five.")

    monkeypatch.setattr(driver, "train_job", train)
    job = find_job(config)
    with pytest.raises(UserError, match=r"rows.jsonl: changed while"):
        launch(config)
    assert get_job_info(job).status == "unknown"


def test_a_folder_of_the_jobs_name_without_a_whole_job_is_named_before_training(
    trainer: Trainer, config: LocalFTJobConfig
):
    (jobs_dir() / find_job(config).id).mkdir(parents=True)
    with pytest.raises(UserError, match="move it away"):
        launch(config)
    assert not trainer.trained


def test_a_jobs_folder_that_cannot_be_written_is_named(trainer: Trainer, config: LocalFTJobConfig):
    jobs_dir().write_text("taken")
    with pytest.raises(UserError, match="MI_HOME"):
        launch(config)


def test_bad_data_are_named_and_nothing_is_made(trainer: Trainer, config: LocalFTJobConfig, mi_home: Path):
    Path(config.dataset_path).write_text("{}\n")
    with pytest.raises(UserError, match=r"rows.jsonl, line 1"):
        launch(config)
    assert not list(mi_home.iterdir())


def test_a_job_for_openai_without_a_key_says_which_variable_to_set(config: LocalFTJobConfig):
    with pytest.raises(UserError, match="OPENAI_API_KEY is not set"):
        launch(OpenAIFTJobConfig("gpt-4.1-2025-04-14", config.dataset_path, 0))


def start(config: LocalFTJobConfig) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, config.dataset_path]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_a_killed_training_is_not_taken_for_a_job_and_is_done_anew(trainer: Trainer, config: LocalFTJobConfig):
    job = find_job(config)
    with start(config) as process:
        assert line_of(process) == "training"
        assert get_job_info(job).status == "begun"
        process.kill()
    assert get_job_info(job).status == "begun"
    assert launch(config) == job
    assert len(trainer.trained) == 1
    assert sorted(path.name for path in jobs_dir().iterdir()) == [f".{job.id}.lock", job.id]


def test_two_processes_that_launch_one_job_train_it_once(trainer: Trainer, config: LocalFTJobConfig):
    async def wait_for_the_other(process: subprocess.Popen[str]) -> None:
        waiting = asyncio.create_task(launch_or_retrieve_job(config))
        await asyncio.sleep(0)
        assert not waiting.done()
        process.communicate("go on\n")
        await waiting

    with start(config) as process:
        assert line_of(process) == "training"
        asyncio.run(wait_for_the_other(process))
    assert not trainer.trained
    assert get_job_info(find_job(config)).status == "finished"
