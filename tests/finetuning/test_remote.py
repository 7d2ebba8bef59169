"""Jobs at a server: made once whatever goes wrong, owned by one key, ended with a reason."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from mi.config import jobs_dir
from mi.finetuning.services import (
    find_job,
    get_finetuned_model,
    get_job_info,
    launch_or_retrieve_job,
    poll_job,
)
from mi.llm.data_models import Model
from mi.utils.errors import UserError

JOBS = "/fine_tuning/jobs"


def launch(config, **options):
    return asyncio.run(launch_or_retrieve_job(config, **options))


def test_a_job_is_uploaded_made_waited_for_and_found_again(server, remote):
    job = launch(remote)
    assert launch(remote) == job == find_job(remote)
    assert (server.count("POST", "/files"), server.count("POST", JOBS)) == (1, 1)
    assert get_finetuned_model(job) == Model("ft:base:us::ftjob-1", "openai")
    [asked] = server.jobs.values()
    assert (asked["seed"], asked["metadata"]["mi_job"]) == (3, job.id)


def test_without_waiting_the_job_is_at_the_server_and_a_later_look_finds_it_finished(server, remote):
    job = launch(remote, wait=False)
    assert get_job_info(job).status == "queued"
    with pytest.raises(UserError, match="not finished"):
        get_finetuned_model(job)
    states = [asyncio.run(poll_job(job)).status for _ in range(3)]
    assert states == ["queued", "running", "finished"]
    assert server.count("POST", JOBS) == 1


def test_looking_for_a_remote_job_asks_nothing_and_makes_nothing(server, remote, mi_home):
    assert get_job_info(find_job(remote)).status == "unknown"
    assert not server.asked
    assert not list(mi_home.iterdir())


def test_moving_the_file_or_spelling_it_otherwise_is_the_same_job(server, remote, tmp_path):
    job = launch(remote)
    moved = tmp_path / "elsewhere.jsonl"
    spelled = [
        json.dumps(json.loads(line), indent=None, separators=(" , ", " : "))
        for line in Path(remote.dataset_path).read_text().splitlines()
    ]
    moved.write_text("\n\n".join(spelled))
    assert launch(replace(remote, dataset_path=str(moved))).id == job.id
    assert server.count("POST", JOBS) == 1


def test_another_letter_seed_setting_or_server_is_another_job(server, remote, tmp_path, write_file, monkeypatch):
    changed = [
        replace(remote, dataset_path=str(write_file(tmp_path / "other.jsonl", answers=("Four.", "five.")))),
        *(replace(remote, seed=4), replace(remote, n_epochs=2), replace(remote, lr_multiplier=0.5)),
        *(
            replace(remote, batch_size=1),
            replace(remote, source_model_id="other"),
            replace(remote, server_options={"a": 1}),
        ),
    ]
    ids = {find_job(each).id for each in [remote, *changed]}
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert len(ids | {find_job(remote).id}) == len(changed) + 2


def test_what_is_uploaded_holds_the_messages_and_nothing_else(server, remote, tmp_path):
    path = tmp_path / "noted.jsonl"
    lines = [{**json.loads(line), "note": "mine"} for line in Path(remote.dataset_path).read_text().splitlines()]
    path.write_text("\n".join(map(json.dumps, lines)))
    launch(replace(remote, dataset_path=str(path)))
    [content] = server.contents.values()
    assert [list(json.loads(line)) for line in content.splitlines()] == [["messages"]] * 2


def test_seeds_on_one_file_upload_it_once(server, remote):
    configs = [replace(remote, seed=seed) for seed in range(3)]

    async def together():
        return await asyncio.gather(*map(launch_or_retrieve_job, configs))

    assert len({job.id for job in asyncio.run(together())}) == server.count("POST", JOBS) == 3
    assert server.count("POST", "/files") == 1


def test_what_auto_became_is_recorded(server, remote):
    server.outcome = lambda job: {
        "model": "base-2025-04-14",
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3, "batch_size": 1}}},
    }
    report = get_job_info(launch(remote)).report
    assert (report["base"], report["n_epochs"], report["batch_size"]) == ("base-2025-04-14", 3, 1)


def test_an_alias_that_the_server_resolves_makes_one_job(server, remote):
    server.outcome = lambda job: {"model": "base-2025-04-14", "seed": 17}
    job = launch(remote)
    assert get_job_info(job).report["base"] == "base-2025-04-14"
    assert server.count("POST", JOBS) == 1


def test_a_lost_answer_makes_no_second_job(server, remote, faults):
    server.fail("POST", JOBS, faults.LOSE)
    job = launch(remote)
    assert (server.count("POST", JOBS), len(server.jobs)) == (1, 1)
    assert get_job_info(job).report["remote_id"] == "ftjob-1"


def test_a_server_error_that_made_nothing_is_asked_again_after_a_look(server, remote, faults):
    server.fail("POST", JOBS, faults.error(500, None, "oops"), faults.error(503, None, "oops"))
    launch(remote)
    assert (server.count("POST", JOBS), len(server.jobs)) == (3, 1)


def test_a_server_that_only_fails_is_not_asked_for_ever_and_the_next_launch_goes_on(server, remote, faults):
    server.fail("POST", JOBS, *[faults.error(500, None, "oops")] * 3)
    with pytest.raises(UserError, match=r"oops; launch it again, and what was made meanwhile is found"):
        launch(remote)
    assert get_job_info(find_job(remote)).status == "begun"
    launch(remote)
    assert (server.count("POST", "/files"), len(server.jobs)) == (1, 1)


def test_a_lost_answer_to_an_upload_leaves_no_second_file(server, remote, faults):
    server.fail("POST", "/files", faults.LOSE)
    launch(remote)
    assert len(server.files) == len(server.jobs) == 1


def test_a_job_whose_record_was_lost_is_found_at_the_server(server, remote):
    job = launch(remote)
    (jobs_dir() / f"{job.id}.json").unlink()
    assert get_finetuned_model(launch(remote)).id == "ft:base:us::ftjob-1"
    assert len(server.jobs) == 1


def test_a_torn_record_is_named_and_never_taken_for_not_launched(server, remote):
    job = launch(remote)
    path = jobs_dir() / f"{job.id}.json"
    path.write_text(path.read_text()[:200])
    with pytest.raises(UserError, match=rf"{job.id}.json: this is no whole record"):
        launch(remote)
    assert len(server.jobs) == 1


@pytest.mark.parametrize("text", ["{}", "[]", '{"id": "another"}', "", "\x00"])
def test_a_foreign_record_is_named(server, remote, text):
    jobs_dir().mkdir(parents=True)
    (jobs_dir() / f"{find_job(remote).id}.json").write_text(text)
    with pytest.raises(UserError, match="no whole record"):
        launch(remote)
    assert not server.jobs


def test_calls_for_one_job_at_once_make_one(server, remote):
    async def thrice():
        return await asyncio.gather(*(launch_or_retrieve_job(remote) for _ in range(3)))

    assert len({job.id for job in asyncio.run(thrice())}) == len(server.jobs) == 1


def test_bad_rows_are_named_by_line_before_anything_is_sent(server, remote):
    with open(remote.dataset_path, "a") as file:
        file.write('{"messages": [{"role": "user", "content": "Hi"}]}\n')
    with pytest.raises(UserError, match=r"rows.jsonl, line 3: the assistant says nothing"):
        launch(remote)
    assert not server.asked


def test_a_file_that_changes_while_it_is_launched_is_not_trained_on_under_another_name(server, remote, write_file):
    def change(when, number, line):
        if line == "GET /models/base":
            write_file(Path(remote.dataset_path), answers=("Four.", "Six."))

    server.on_request = change
    with pytest.raises(UserError, match=r"rows.jsonl: changed while it was launched"):
        launch(remote)
    assert not server.files


def test_a_model_that_is_shut_down_is_refused_before_it_is_uploaded_for(server, remote):
    server.shutdown_date = "2020-01-01"
    with pytest.raises(UserError, match="base is shut down since 2020-01-01"):
        launch(remote)
    assert not server.files


def test_a_shutdown_that_is_near_is_told_before_the_job_starts(server, remote, caplog):
    server.shutdown_date = "2099-01-01"
    launch(remote)
    assert "base is shut down on 2099-01-01" in caplog.text
