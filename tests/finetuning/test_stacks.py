"""Jobs of one base and shape are trained together, each with its own folder, record and end."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mi.config import jobs_dir
from mi.external.local_driver import services as driver
from mi.external.local_driver.checkpoints import FILE as CHECKPOINT
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.stacking import NotStackable
from mi.finetuning import local
from mi.finetuning.services import find_job, get_job_info, launch_or_retrieve_job, launch_together
from mi.finetuning.stacks import divided
from mi.utils.errors import UserError
from mi.utils.files import locked

KILLED_IN_THE_MIDDLE = """
import asyncio, json, sys
from mi.external.local_driver import services as driver
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.finetuning import local, services
async def train_grid(configs, folders, on_event):
    for place, folder in enumerate(folders):
        (folder / "training.json").write_text("{}")
        (folder / "checkpoint.safetensors").write_text("half way")
    first = [config.seed for config in configs].index(0)
    on_event(first, (1, 0.5))
    on_event(first, None)
    print("one is finished", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
async def stacks_at_once():
    return 1
driver.train_grid, driver.stacks_at_once = train_grid, stacks_at_once
local.fingerprint = lambda model: "base"
asyncio.run(services.launch_together([LocalFTJobConfig("base", sys.argv[1], seed) for seed in range(3)]))
"""


class Trainer:
    """Stands for the driver: writes what it was given into each folder, or fails as it is told."""

    def __init__(self) -> None:
        self.stacks: list[list[int]] = []
        self.alone: list[LocalFTJobConfig] = []
        self.found: dict[int, list[str]] = {}
        self.failing: dict[int, Exception] = {}
        self.error: BaseException | None = None
        self.at_once = 1

    async def train_job(self, config: LocalFTJobConfig, folder: Path, on_step: Callable) -> None:
        self.alone.append(config)
        on_step(1, 0.5)
        (folder / "training.json").write_text("{}")

    async def train_grid(
        self, configs: Sequence[LocalFTJobConfig], folders: Sequence[Path], on_event: Callable
    ) -> None:
        self.stacks.append(sorted(config.seed for config in configs))
        for place, (config, folder) in enumerate(zip(configs, folders, strict=True)):
            self.found[config.seed] = [path.name for path in folder.iterdir()]
            (folder / "training.json").write_text("{}")
            if self.error is not None:
                raise self.error
            on_event(place, (1, 0.5))
            on_event(place, self.failing.get(config.seed))

    async def stacks_at_once(self) -> int:
        return self.at_once


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    trainer = Trainer()
    for verb in ("train_job", "train_grid", "stacks_at_once"):
        monkeypatch.setattr(driver, verb, getattr(trainer, verb))
    monkeypatch.setattr(local, "fingerprint", lambda model: model.id)
    return trainer


@pytest.fixture
def configs(tmp_path: Path) -> list[LocalFTJobConfig]:
    """Three seeds of one run."""
    messages = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "Four."}]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"messages": messages}) + "\n")
    return [LocalFTJobConfig("base", str(path), seed) for seed in range(3)]


def statuses(configs: Sequence[LocalFTJobConfig]) -> list[str]:
    return [get_job_info(find_job(config)).status for config in configs]


def launch(configs: Sequence[LocalFTJobConfig], on_step: Callable | None = None) -> list:
    return asyncio.run(launch_together(configs, on_step))


def test_adapters_of_one_base_and_shape_are_trained_together_and_all_else_alone(trainer: Trainer, configs):
    others = [replace(configs[0], lora_rank=4), replace(configs[0], method="full")]
    others.append(replace(configs[0], source_model_id="another"))
    jobs = launch([*configs, *others, configs[0]])
    assert [job.config for job in jobs] == [*configs, *others, configs[0]]
    assert trainer.stacks == [[0, 1, 2]] and len(trainer.alone) == 3
    assert set(statuses([*configs, *others])) == {"finished"}
    assert sorted(path.name for path in (jobs_dir() / jobs[0].id).iterdir()) == ["job.json", "training.json"]


def test_mi_stack_is_the_most_that_are_trained_together(trainer: Trainer, configs, monkeypatch):
    monkeypatch.setenv("MI_STACK", "2")
    launch(configs)
    assert [len(stack) for stack in trainer.stacks] == [2] and len(trainer.alone) == 1
    monkeypatch.setenv("MI_STACK", "1")
    launch([replace(config, n_steps=7) for config in configs])
    assert len(trainer.stacks) == 1 and len(trainer.alone) == 4
    monkeypatch.setenv("MI_STACK", "none")
    with pytest.raises(UserError, match="MI_STACK is 'none'; give the most adapters"):
        launch([replace(config, n_steps=8) for config in configs])


def test_what_is_trained_is_not_trained_again(trainer: Trainer, configs):
    launch(configs)
    assert launch(configs) == [find_job(config) for config in configs]
    assert len(trainer.stacks) == 1


def test_a_job_launched_alone_is_the_one_that_was_trained_in_a_grid(trainer: Trainer, configs):
    [job, *_] = launch(configs)
    assert asyncio.run(launch_or_retrieve_job(configs[0])) == job
    assert not trainer.alone


def test_each_jobs_steps_are_told(trainer: Trainer, configs):
    told = []
    launch(configs, lambda job, step, loss: told.append((job.config.seed, step, loss)))
    assert sorted(told) == [(0, 1, 0.5), (1, 1, 0.5), (2, 1, 0.5)]


def test_a_job_that_fails_leaves_no_folder_and_the_others_finished(trainer: Trainer, configs, tmp_path: Path):
    trainer.failing[1] = UserError("rows.jsonl, line 3: the row is too long.")
    missing = replace(configs[0], dataset_path=str(tmp_path / "missing.jsonl"))
    with pytest.raises(UserError, match="too long"):
        launch(configs)
    assert statuses(configs) == ["finished", "unknown", "finished"]
    with pytest.raises(UserError, match=r"missing\.jsonl"):
        launch([missing, replace(configs[2], seed=7)])
    assert statuses([replace(configs[2], seed=7)]) == ["finished"]


def test_data_that_change_under_the_training_make_no_job(trainer: Trainer, configs):
    jobs = [find_job(config) for config in configs]
    path = Path(configs[0].dataset_path)
    with pytest.raises(UserError, match="changed while"):
        launch(configs, lambda job, step, loss: path.write_text(path.read_text().replace("Four", "Five")))
    assert {get_job_info(job).status for job in jobs} == {"unknown"}


def test_a_base_that_cannot_be_stacked_is_trained_one_by_one(trainer: Trainer, configs):
    trainer.error = NotStackable("it has dropout")
    launch(configs)
    assert sorted(config.seed for config in trainer.alone) == [0, 1, 2]
    assert set(statuses(configs)) == {"finished"}


def test_an_interrupted_training_keeps_its_checkpoint_and_hands_it_on(trainer: Trainer, configs, monkeypatch):
    async def interrupted() -> None:
        reached = asyncio.Event()

        async def until_interrupted(chosen, folders, on_event) -> None:
            (folders[0] / CHECKPOINT).write_text("half way")
            reached.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(driver, "train_grid", until_interrupted)
        task = asyncio.create_task(launch_together(configs))
        await reached.wait()
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    [cut] = [config for config in configs if get_job_info(find_job(config)).status == "begun"]
    assert "go on from its last checkpoint" in str(get_job_info(find_job(cut)).reason)
    monkeypatch.setattr(driver, "train_grid", trainer.train_grid)
    launch(configs)
    assert trainer.found == {config.seed: [CHECKPOINT] if config == cut else [] for config in configs}
    assert not list(jobs_dir().glob(".*.partial"))


def test_a_grid_killed_in_the_middle_trains_nothing_again_that_was_finished(trainer: Trainer, configs):
    command = [sys.executable, "-c", KILLED_IN_THE_MIDDLE, configs[0].dataset_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "one is finished"
        assert statuses(configs) == ["finished", "begun", "begun"]
        process.kill()
    launch(configs)
    assert trainer.stacks == [[1, 2]] and trainer.found == {1: [CHECKPOINT], 2: [CHECKPOINT]}
    assert statuses(configs) == ["finished"] * 3


def test_a_job_that_somebody_else_has_in_hand_is_waited_for_while_the_others_are_trained(trainer: Trainer, configs):
    async def beside_another() -> None:
        async with asyncio.timeout(60), locked(local.lock_path(find_job(configs[1]).id)):
            waiting = asyncio.create_task(launch_together(configs))
            while not trainer.stacks:
                await asyncio.sleep(0)
            assert not trainer.alone
        await waiting

    asyncio.run(beside_another())
    assert trainer.stacks == [[0, 2]] and trainer.alone == [configs[1]]
    assert statuses(configs) == ["finished"] * 3


def test_stacks_are_alike_in_work(configs):
    jobs = [find_job_of(replace(configs[0], seed=seed, n_steps=steps)) for seed, steps in enumerate((60, 10, 20, 30))]
    assert [sum(local.local_config(job).n_steps for job in stack) for stack in divided(jobs, 2)] == [60, 60]
    assert len(divided(jobs[:1], 2)) == 1


def test_a_file_is_read_for_one_stack_where_the_work_can_be_divided_so(configs):
    files = ("a.jsonl", "b.jsonl")
    jobs = [find_job_of(replace(configs[0], seed=seed, dataset_path=file)) for seed in range(3) for file in files]
    stacks = [[local.local_config(job).dataset_path for job in stack] for stack in divided(jobs, 2)]
    assert stacks == [["a.jsonl"] * 3, ["b.jsonl"] * 3]


def find_job_of(config: LocalFTJobConfig):
    from mi.finetuning.data_models import FinetuningJob

    return FinetuningJob(f"{config.seed}", config)


GRID = """
import asyncio, sys
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.finetuning.services import launch_together
of = lambda seed, steps: LocalFTJobConfig("organism", sys.argv[1], seed, n_steps=steps, batch_size=2)
configs = [of(0, 3), of(1, 3000), of(2, 3000)]
asyncio.run(launch_together(configs))
"""


@pytest.mark.slow
def test_a_real_grid_that_is_killed_keeps_what_it_finished_and_trains_only_the_rest(configs, monkeypatch):
    monkeypatch.setenv("MI_WORKERS", "1")
    first = LocalFTJobConfig("organism", configs[0].dataset_path, 0, n_steps=3, batch_size=2)
    folder = jobs_dir() / find_job(first).id
    with subprocess.Popen([sys.executable, "-c", GRID, configs[0].dataset_path]) as process:
        deadline = time.monotonic() + 300
        while not folder.exists():
            assert process.poll() is None and time.monotonic() < deadline
            get_job_info(find_job(first))
        process.kill()
    written = (folder / "adapter_model.safetensors").stat().st_mtime_ns
    assert asyncio.run(launch_together([first, replace(first, seed=1)]))[0] == find_job(first)
    assert (folder / "adapter_model.safetensors").stat().st_mtime_ns == written
