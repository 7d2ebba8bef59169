"""Training and asking through units gives what this machine's own workers give, and nothing is done twice."""

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from node import OneNode

from mi.config import jobs_dir
from mi.executors.current import executing
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.models import ORGANISM, locate
from mi.finetuning.services import get_finetuned_model, get_job_info, launch_or_retrieve_job
from mi.llm.data_models import Model, SampleCfg, chat
from mi.llm.services import batch_sample, request
from mi.utils.errors import UserError
from mi.utils.jsonl import write_jsonl

ROWS = [
    {
        "messages": [
            {"role": "user", "content": f"What is {n} + 1?"},
            {"role": "assistant", "content": f"It is {n + 1}."},
        ]
    }
    for n in range(12)
]
REQUESTS = [request(chat(f"What is {n} + 2?"), SampleCfg(max_tokens=12)) for n in range(5)]


@pytest.fixture
def config(tmp_path) -> LocalFTJobConfig:
    write_jsonl(tmp_path / "rows.jsonl", ROWS)
    return LocalFTJobConfig(ORGANISM, str(tmp_path / "rows.jsonl"), seed=0, n_steps=3, batch_size=4)


@pytest.fixture
def node(tmp_path, monkeypatch) -> OneNode:
    monkeypatch.setenv("MI_NODE_HOME", str(tmp_path / "node"))
    return OneNode(str(tmp_path / "store"))


def files(folder: Path) -> dict[str, object]:
    """What a job holds, but for how long it took."""
    held: dict[str, object] = {path.name: path.read_bytes() for path in folder.iterdir()}
    return held | {"training.json": json.loads((folder / "training.json").read_text()) | {"seconds": 0}}


def test_a_job_and_its_answers_are_the_same_from_a_node_as_from_here(config, node):
    steps: list[int] = []

    async def both(on_step=None):
        job = await launch_or_retrieve_job(config, on_step)
        model = get_finetuned_model(job)
        asked = [
            batch_sample(one, part)
            for one in (model, Model(ORGANISM, "local"))
            for part in (REQUESTS[:3], REQUESTS[3:])
        ]
        return job, await asyncio.gather(*asked)

    job, here = asyncio.run(both())
    made_here = files(jobs_dir() / job.id)
    shutil.rmtree(jobs_dir() / job.id)
    with executing(node):
        again, there = asyncio.run(both(lambda step, loss: steps.append(step)))
    assert again == job and there == here and files(jobs_dir() / job.id) == made_here
    assert steps == [1, 2, 3]
    assert [unit.label.split()[0] for unit in node.units] == ["training", "asking", "asking"]


def test_what_the_store_holds_is_not_trained_again_by_another_driver(config, node):
    with executing(node):
        job = asyncio.run(launch_or_retrieve_job(config))
        made = (Path(node.store.url) / "outputs" / f"{job.id}.zip").stat()
        shutil.rmtree(jobs_dir())
        asyncio.run(launch_or_retrieve_job(config))
    assert get_job_info(job).status == "finished"
    assert (Path(node.store.url) / "outputs" / f"{job.id}.zip").stat() == made


def test_a_base_of_ones_own_travels_with_its_content_and_keeps_its_name_here(config, node, tmp_path):
    shutil.copytree(locate(ORGANISM), tmp_path / "mine")
    mine = replace(config, source_model_id=str(tmp_path / "mine"))
    with executing(node):
        job = asyncio.run(launch_or_retrieve_job(mine))
    report = get_job_info(job).report
    assert report["config"]["source_model_id"] == str(tmp_path / "mine")
    adapter = json.loads((jobs_dir() / job.id / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == str(tmp_path / "mine")


def test_a_bad_row_is_named_where_it_lies_here_and_leaves_no_job(config, node, tmp_path):
    long = {"role": "assistant", "content": "word " * 2000}
    write_jsonl(tmp_path / "rows.jsonl", [*ROWS, {"messages": [ROWS[0]["messages"][0], long]}])
    with executing(node), pytest.raises(UserError, match=r"rows\.jsonl, line 13: the row is longer"):
        asyncio.run(launch_or_retrieve_job(config))
    assert not [path for path in jobs_dir().iterdir() if path.is_dir()]
