"""Our own server behind a way on which everything goes wrong: one job a configuration, none orphaned, all told."""

import asyncio
import io
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from rich.console import Console
from tests_serving import error, lose, serving, told, way_to

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.finetuning import launching
from mi.finetuning.configs import config_for
from mi.finetuning.data_models import JobInfo
from mi.finetuning.services import find_job, get_job_info, launch_or_retrieve_job, list_jobs, poll_job
from mi.finetuning.show import status_table
from mi.utils.errors import UserError

pytestmark = pytest.mark.slow

JOBS, JOB = "/fine_tuning/jobs", "/fine_tuning/jobs/{}"
TRAINING = LocalFTJobConfig("organism", "", 0, n_steps=4, batch_size=4, learning_rate=2e-3, lora_rank=4)
NAMES = ("lost", "slowly", "used_up", "bad_file", "refused", "paused", "plain")
PATIENCE = 240
DAY = "Your organization has reached the maximum of 8 fine-tuning requests per day for the model 'organism'."


@pytest.fixture
def configs(tmp_path, write_file) -> dict[str, Any]:
    """A configuration each of which something else happens to; each has its own file."""
    files = {name: write_file(tmp_path / f"{name}.jsonl", answers=(name, "Four.")) for name in NAMES}
    return {
        name: config_for("openai/organism", replace(TRAINING, dataset_path=str(path))) for name, path in files.items()
    }


def until(what: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def launched(config: Any) -> JobInfo:
    """A job once it is at the server; it is asked for again and again, as a person would."""

    def there() -> bool:
        return get_job_info(asyncio.run(launch_or_retrieve_job(config, wait=False))).report["remote_id"] is not None

    until(there)
    return get_job_info(find_job(config))


def table() -> str:
    console = Console(file=io.StringIO(), width=400)
    console.print(status_table([get_job_info(job) for job in list_jobs()]))
    return console.file.getvalue()  # type: ignore[attr-defined]


def busy_server(http: httpx2.Client) -> str:
    """The path of a long job of somebody else, behind which all others wait."""
    row = b'{"messages": [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "Four."}]}\n'
    form = {"files": {"file": ("other.jsonl", row * 8)}, "data": {"purpose": "fine-tune"}}
    asked = {"model": "organism", "training_file": http.post("/files", **form).json()["id"], "n_steps": 1_000_000}
    path = JOB.format(http.post(JOBS, json=asked).json()["id"])
    until(lambda: http.get(path).json()["status"] == "running")
    return path


def test_whatever_goes_wrong_each_job_is_made_once_and_each_outcome_is_told(configs, tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pace = replace(launching.PACE, poll=0.1, settle=(0.1, 0.5, 1.0), back_off=0.05)
    monkeypatch.setattr(launching, "PACE", pace)
    real = f"http://127.0.0.1:{port}/v1"
    with serving(tmp_path / "served", port), way_to(real) as way, httpx2.Client(base_url=real, timeout=60) as http:
        monkeypatch.setenv("OPENAI_BASE_URL", way.url)
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        other = busy_server(http)
        way.fail("POST", "/files", told(status="error", status_details="line 1: no."))
        with pytest.raises(UserError, match="refuses the training file"):
            asyncio.run(launch_or_retrieve_job(configs["bad_file"]))
        way.fail("POST", "/files", lose)
        way.fail("POST", JOBS, lose)
        ids = {"lost": launched(configs["lost"]).report["remote_id"]}
        way.fail("POST", JOBS, error(429, "rate_limit_exceeded", "slowly", retry_after_ms="50"))
        ids["slowly"] = launched(configs["slowly"]).report["remote_id"]
        way.fail("POST", JOBS, error(429, "daily_rate_limit_exceeded", DAY, retry_after="1"))
        waiting = get_job_info(asyncio.run(launch_or_retrieve_job(configs["used_up"], wait=False)))
        assert waiting.status == "waiting" and "8 fine-tuning requests per day" in (waiting.reason or "")
        for name in ("used_up", "refused", "paused", "plain"):
            ids[name] = launched(configs[name]).report["remote_id"]
        unsafe = {"code": None, "message": "Blocked by our moderation system.", "param": None}
        way.fail("GET", JOB.format(ids["refused"]), told(status="failed", error=unsafe), always=True)
        assert http.post(JOB.format(ids["paused"]) + "/pause").json()["status"] == "paused"
        looked = {name: asyncio.run(poll_job(find_job(configs[name]))).status for name in ids}
        assert looked.pop("paused") == "paused" and looked.pop("refused") == "refused"
        assert set(looked.values()) == {"queued"}
        shown = table()
        assert all(word in shown for word in ("paused", "refused", "moderation", "queued", "failed", "censored"))

        http.post(other + "/cancel").raise_for_status()
        http.post(JOB.format(ids["paused"]) + "/resume").raise_for_status()
        good = [name for name in ids if name != "refused"]
        for name in good:
            asyncio.run(launch_or_retrieve_job(configs[name]))
        until(lambda: http.get(JOB.format(ids["refused"])).json()["status"] == "succeeded")
        made = [job for job in http.get(JOBS, params={"limit": 100}).json()["data"] if job["metadata"]]
    assert Counter(job["metadata"]["mi_job"] for job in made) == Counter(find_job(configs[name]).id for name in ids)
    assert {job["id"] for job in made} == set(ids.values())
    statuses = {name: get_job_info(find_job(config)).status for name, config in configs.items()}
    assert statuses == {**dict.fromkeys(good, "finished"), "refused": "refused", "bad_file": "failed"}
    assert len(list((tmp_path / "served" / "jobs").glob("[0-9a-f]*/training.json"))) == len(ids)
