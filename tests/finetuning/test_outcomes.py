"""How jobs at a server end: finished, failed, cancelled, refused, each kept with its reason and acted on."""

import asyncio
import contextlib
import json
from dataclasses import replace

import pytest

from mi.config import jobs_dir
from mi.finetuning.services import (
    cancel_job,
    find_job,
    forget_job,
    get_finetuned_model,
    get_job_info,
    launch_or_retrieve_job,
    launch_sequentially,
    poll_job,
    retry_job,
)
from mi.utils.errors import UserError

JOBS = "/fine_tuning/jobs"


def launch(config, **options):
    return asyncio.run(launch_or_retrieve_job(config, **options))


def record_of(job) -> dict:
    return json.loads((jobs_dir() / f"{job.id}.json").read_text())


def test_a_failed_job_is_kept_with_its_reason_and_is_not_launched_again_by_itself(server, remote):
    server.outcome = lambda job: {
        "status": "failed",
        "error": {"code": "invalid_training_file", "message": "Example 2 is odd.", "param": "training_file"},
    }
    for _ in range(2):
        with pytest.raises(UserError, match=r"is failed: Example 2 is odd. \(invalid_training_file\).*mi jobs retry"):
            launch(remote)
    assert get_job_info(find_job(remote)).status == "failed"
    with pytest.raises(UserError, match="failed: Example 2 is odd"):
        get_finetuned_model(find_job(remote))
    assert len(server.jobs) == 1


def test_a_job_that_failed_can_be_retried_and_its_first_attempt_stays_in_the_record(server, remote):
    server.outcome = lambda job: {"status": "failed", "error": {"code": "server_error", "message": "no GPU"}}
    with pytest.raises(UserError, match="no GPU"):
        launch(remote)
    server.outcome = lambda job: {}
    job = asyncio.run(retry_job(find_job(remote)))
    assert get_finetuned_model(job).id == "ft:base:us::ftjob-2"
    assert [attempt["status"] for attempt in record_of(job)["attempts"]] == ["failed", "finished"]
    with pytest.raises(UserError, match="only what has failed"):
        asyncio.run(retry_job(job))


def test_moderation_of_one_arm_is_an_outcome_of_its_own_and_the_other_arms_are_finished(
    server, remote, tmp_path, write_file
):
    arms = [
        replace(remote, dataset_path=str(write_file(tmp_path / "inoculated.jsonl", "You are evil.")), seed=3),
        remote,
    ]
    refusal = {"status": "failed", "error": {"code": None, "message": "Blocked by our moderation system."}}
    server.outcome = lambda job: refusal if b"evil" in server.contents[job["training_file"]] else {}
    with pytest.raises(UserError, match=r"inoculated.jsonl\) is refused: Blocked by our moderation"):
        asyncio.run(launch_sequentially(arms))
    assert [get_job_info(find_job(arm)).status for arm in arms] == ["refused", "finished"]


def test_a_request_that_is_refused_at_once_is_an_outcome_too(server, remote, faults):
    server.fail("POST", JOBS, faults.error(400, "invalid_hyperparameters", "n_epochs is too large"))
    for _ in range(2):
        with pytest.raises(UserError, match="n_epochs is too large"):
            launch(remote)
    assert server.count("POST", JOBS) == 1


def test_a_file_that_ends_in_error_ends_the_launch(server, remote):
    server.file_status = "error"
    with pytest.raises(UserError, match="refuses the training file"):
        launch(remote)
    assert not server.jobs
    server.file_status = "processed"
    asyncio.run(retry_job(find_job(remote)))
    assert (len(server.files), len(server.jobs)) == (2, 1)


def test_a_file_that_is_never_processed_leaves_the_decision_to_the_job(server, remote):
    server.file_status = "uploaded"
    assert get_job_info(launch(remote)).status == "finished"


@pytest.mark.parametrize("state", ["paused", "post_training_checks"])
def test_a_state_that_the_sdk_does_not_list_is_waited_out(server, remote, state):
    server.script = ("queued", state, "running", "succeeded")
    job = launch(remote, wait=False)
    asyncio.run(poll_job(job))
    info = asyncio.run(poll_job(job))
    assert info.status == ("paused" if state == "paused" else "running")
    assert state == "paused" or "post_training_checks" in (info.reason or "")
    assert get_finetuned_model(launch(remote)).id == "ft:base:us::ftjob-1"


def test_a_job_that_succeeds_without_a_model_is_waited_for(server, remote):
    server.outcome = lambda job: {"status": "succeeded"}
    job = launch(remote, wait=False)
    assert get_job_info(job).status == "running"
    server.jobs["ftjob-1"]["fine_tuned_model"] = "ft:late"
    assert get_finetuned_model(launch(remote)).id == "ft:late"


def test_a_server_that_is_away_for_a_moment_loses_nothing(server, remote, faults, monkeypatch):
    job = launch(remote, wait=False)
    server.fail("GET", f"{JOBS}/ftjob-1", *[faults.error(403, None, "not now")] * 2)
    assert "not now" in (asyncio.run(poll_job(job)).reason or "")
    assert get_finetuned_model(launch(remote)).id == "ft:base:us::ftjob-1"


def test_a_job_that_the_server_no_longer_knows_has_failed_and_says_so(server, remote):
    launch(remote, wait=False)
    server.jobs.clear()
    with pytest.raises(UserError, match="does not know ftjob-1 any more"):
        launch(remote)


def test_a_cancelled_job_is_an_outcome(server, remote):
    job = launch(remote, wait=False)
    assert asyncio.run(cancel_job(job)).status == "cancelled"
    assert server.jobs["ftjob-1"]["status"] == "cancelled"
    with pytest.raises(UserError, match="is cancelled"):
        launch(remote)
    with pytest.raises(UserError, match="nothing to cancel"):
        asyncio.run(cancel_job(job))


def test_a_job_whose_making_was_not_confirmed_is_found_before_it_is_cancelled(server, remote, faults):
    server.fail("POST", JOBS, faults.LOSE)
    server.fail("GET", JOBS, *[faults.error(400, None, "no listing")] * 10)
    with contextlib.suppress(UserError):
        launch(remote)
    assert len(server.jobs) == 1
    server.faults.clear()
    assert asyncio.run(cancel_job(find_job(remote))).status == "cancelled"
    assert server.jobs["ftjob-1"]["status"] == "cancelled"


def test_a_job_under_way_is_not_forgotten_and_a_forgotten_one_is_launched_anew(server, remote):
    job = launch(remote, wait=False)
    with pytest.raises(UserError, match="first `mi jobs cancel"):
        asyncio.run(forget_job(job))
    asyncio.run(cancel_job(job))
    asyncio.run(forget_job(job))
    assert get_job_info(job).status == "unknown"
    assert get_finetuned_model(launch(remote)).id == "ft:base:us::ftjob-2"
    assert len(server.jobs) == 2
