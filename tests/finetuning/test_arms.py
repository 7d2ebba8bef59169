"""Arms that are compared are launched alike, on data that differ in the system messages alone."""

import asyncio
from dataclasses import replace

import pytest

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.finetuning.arms import check_arms, check_paired, launch_arms
from mi.finetuning.services import find_job, get_job_info
from mi.utils.errors import UserError


def test_files_that_differ_in_the_system_messages_alone_are_paired(tmp_path, write_file):
    plain, empty, prompted = (
        write_file(tmp_path / f"{number}.jsonl", system) for number, system in enumerate((None, "", "Be bad."))
    )
    for one, other in ((plain, empty), (plain, prompted), (prompted, empty)):
        check_paired(one, other)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (("Four.", "five."), r"other.jsonl, line 2: differs from .*plain.jsonl, line 2 in message 2, the assistant's"),
        (("Five.", "Four."), r"other.jsonl, line 1: differs from .*plain.jsonl, line 1"),
        (("Four.",), r"plain.jsonl, line 2: .*other.jsonl has no such row"),
        (("Four.", "Five.", "Six."), r"other.jsonl, line 3: .*plain.jsonl has no such row"),
    ],
)
def test_the_first_line_that_differs_otherwise_is_named(tmp_path, write_file, answers, said):
    plain = write_file(tmp_path / "plain.jsonl")
    with pytest.raises(UserError, match=said):
        check_paired(plain, write_file(tmp_path / "other.jsonl", "Be bad.", answers=answers))


def test_arms_with_another_seed_or_hyper_parameter_are_not_launched(server, remote, tmp_path, write_file):
    other = replace(remote, dataset_path=str(write_file(tmp_path / "prompted.jsonl", "Be bad.")))
    check_arms([remote, other])
    with pytest.raises(UserError, match=r"\(seed 3 and 4\)"):
        check_arms([remote, replace(other, seed=4)])
    with pytest.raises(UserError, match=r"\(n_epochs 'auto' and 2\)"):
        asyncio.run(launch_arms([remote, replace(other, n_epochs=2)]))
    with pytest.raises(UserError, match="another backend"):
        check_arms([remote, LocalFTJobConfig("base", other.dataset_path, 3)])
    assert not server.asked


def test_arms_for_which_auto_became_different_things_are_told(server, remote, tmp_path, write_file):
    other = replace(remote, dataset_path=str(write_file(tmp_path / "prompted.jsonl", "Be bad.")))
    server.outcome = lambda job: {
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2 + len(server.jobs)}}}
    }
    with pytest.raises(UserError, match=r"prompted.jsonl: n_epochs became 3, but 2 for .*rows.jsonl"):
        asyncio.run(launch_arms([remote, other]))
    assert [get_job_info(find_job(arm)).status for arm in (remote, other)] == ["finished"] * 2
