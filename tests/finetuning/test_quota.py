"""Limits and keys: a used-up day is no back-off, and a file and its job have one owner."""

import asyncio
from dataclasses import replace

import pytest

from mi.finetuning.services import get_job_info, launch_or_retrieve_job, launch_sequentially
from mi.utils.errors import UserError

JOBS = "/fine_tuning/jobs"
DAILY = (
    429,
    "daily_rate_limit_exceeded",
    "Your organization has reached the maximum of 8 fine-tuning requests per day for the model 'base'.",
)


def launch(config, **options):
    return asyncio.run(launch_or_retrieve_job(config, **options))


def test_an_ordinary_429_is_waited_for_as_long_as_the_server_says(server, remote, faults):
    server.fail("POST", JOBS, faults.error(429, "rate_limit_exceeded", "slowly", retry_after_ms="20"))
    assert get_job_info(launch(remote)).status == "finished"
    assert (server.count("POST", JOBS), server.count("POST", "/files")) == (2, 1)


def test_a_429_without_a_time_is_waited_for_and_longer_each_time(server, remote, faults):
    server.fail("POST", JOBS, *[faults.error(429, "rate_limit_exceeded", "3 jobs are running")] * 3)
    launch(remote)
    assert (server.count("POST", JOBS), len(server.jobs)) == (4, 1)


def test_a_used_up_day_is_not_asked_again_and_says_until_when(server, remote, faults, caplog):
    server.fail("POST", JOBS, faults.error(*DAILY))
    info = get_job_info(launch(remote, wait=False))
    assert info.status == "waiting"
    assert "8 fine-tuning requests per day" in (info.reason or "")
    assert "lets no job of base in before" in caplog.text
    for config in (remote, replace(remote, seed=9)):
        assert get_job_info(launch(config, wait=False)).status == "waiting"
    assert server.count("POST", JOBS) == 1


def test_a_used_up_day_of_one_model_closes_no_other_model(server, remote, faults):
    server.fail("POST", JOBS, faults.error(*DAILY))
    launch(remote, wait=False)
    assert get_job_info(launch(replace(remote, source_model_id="other"))).status == "finished"


def test_where_one_key_is_used_up_another_uploads_and_launches(server, remote, two_keys, faults):
    server.fail("POST", JOBS, faults.error(*DAILY), key="key-a")
    report = get_job_info(launch(remote)).report
    assert (report["key"], report["organization"]) == ("key-b", "org-key-b")
    assert {job["key"] for job in server.jobs.values()} == {"key-b"}


def test_a_file_and_its_job_have_one_key_though_others_are_asked_meanwhile(server, remote, two_keys, faults):
    server.fail("POST", JOBS, faults.error(429, "rate_limit_exceeded", "slowly"), key="key-a")
    configs = [replace(remote, seed=seed) for seed in range(4)]

    async def together():
        return await asyncio.gather(*map(launch_or_retrieve_job, configs))

    asyncio.run(together())
    assert len(server.jobs) == 4
    assert all(server.files[job["training_file"]]["key"] == job["key"] for job in server.jobs.values())


def test_a_key_that_may_not_fine_tune_is_passed_over(server, remote, two_keys, faults):
    server.fail("POST", JOBS, faults.error(403, None, "not allowed"), key="key-a")
    assert get_job_info(launch(remote)).report["key"] == "key-b"


def test_where_no_key_may_launch_each_ones_reason_is_told(server, remote, two_keys, faults):
    server.fail("POST", JOBS, faults.error(403, None, "not allowed"), key="key-a")
    server.fail("POST", JOBS, faults.error(404, "model_not_found", "no such model"), key="key-b")
    with pytest.raises(UserError, match=r"key-a: HTTP 403: not allowed; key-b: HTTP 404: no such model"):
        launch(remote)


def test_money_that_is_used_up_is_not_waited_for(server, remote, faults):
    server.fail("POST", JOBS, faults.error(429, "insufficient_quota", "You exceeded your current quota."))
    with pytest.raises(UserError, match="exceeded your current quota"):
        launch(remote)


def test_a_job_is_looked_at_with_the_key_that_made_it(server, remote, two_keys, faults):
    server.fail("POST", JOBS, faults.error(*DAILY), key="key-a")
    launch(remote)
    looks = {key for key, method, path in server.asked if path == f"{JOBS}/ftjob-1"}
    assert looks == {"key-b"}


def test_launching_in_order_waits_for_a_place_and_leaves_nothing_out(server, remote, faults):
    server.fail("POST", JOBS, *[faults.error(429, "rate_limit_exceeded", "3 jobs are running")] * 2)
    configs = [replace(remote, seed=seed) for seed in (5, 1, 3)]
    jobs = asyncio.run(launch_sequentially(configs))
    assert [get_job_info(job).status for job in jobs] == ["finished"] * 3
    assert [job["seed"] for job in server.jobs.values()] == [5, 1, 3]


def test_launching_in_order_without_waiting_returns_with_every_job_at_the_server(server, remote, faults):
    server.script = ("queued",)
    configs = [replace(remote, seed=seed) for seed in range(3)]
    server.fail("POST", JOBS, faults.error(429, None, "slowly", retry_after_ms="10"))
    jobs = asyncio.run(launch_sequentially(configs, wait=False))
    assert [get_job_info(job).status for job in jobs] == ["queued"] * 3


def test_the_key_itself_is_in_no_file(server, remote, mi_home, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    server.outcome = lambda job: {"organization_id": "org-1"}
    assert get_job_info(launch(remote)).report["organization"] == "org-1"
    assert not [path for path in mi_home.rglob("*") if path.is_file() and "very-secret" in path.read_text()]
