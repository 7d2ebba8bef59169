"""Arms that are compared are paired row by row before anything is trained."""

from pathlib import Path

import pytest

from mi.experiments.config import experiment
from mi.experiments.pairing import check_before, paired
from mi.experiments.pipeline import prepare
from mi.utils.errors import UserError


def test_the_arms_of_an_experiment_are_paired_for_each_seed():
    prepared = prepare(experiment("A07_spanish_capitalization"), "organism", [0, 1])
    groups = paired(prepared)
    assert len(groups) == 2
    assert len({job.id for group in groups for job in group}) == sum(map(len, groups)) >= 10
    check_before(groups)


def test_a_training_file_that_was_touched_is_named_by_its_first_line():
    groups = paired(prepare(experiment("A07_spanish_capitalization"), "organism", [0]))
    path = Path(groups[0][-1].config.dataset_path)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], *lines[2:]]), encoding="utf-8")
    with pytest.raises(UserError, match=rf"{path.name}, line 2: differs from .*, line 2"):
        check_before(groups)
