"""The cells of an experiment, each with the training file and the job that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mi.config import datasets_dir
from mi.experiments.data_models import Arm, Experiment, Run
from mi.experiments.settings import Setting
from mi.experiments.utils import create_inoculated_dataset
from mi.finetuning.configs import config_for
from mi.finetuning.data_models import FinetuningJob
from mi.finetuning.services import find_job
from mi.utils.errors import UserError
from mi.utils.jsonl import write_jsonl_if_changed
from mi.utils.memory import collector_paused


@dataclass(frozen=True)
class Prepared:
    """A run with the training file and hyper-parameters that it needs; the base model needs neither."""

    run: Run
    job: FinetuningJob | None


@collector_paused()
def prepare(experiment: Experiment, model: str, seeds: Sequence[int]) -> list[Prepared]:
    """One run for each setting, arm and seed, its training file written; the base model is one run, not one a seed."""
    prepared = []
    for setting in experiment.settings:
        for arm in experiment.arms:
            if arm.dataset is None:
                prepared.append(Prepared(Run(experiment.name, setting, arm, model, seeds[0]), None))
                continue
            folder = datasets_dir() / experiment.name
            rows = None if arm.dataset == "finetuning" else rows_of(setting, arm, folder)
            path = create_inoculated_dataset(setting, folder, arm.name, arm.inoculation(setting), dataset_path=rows)
            shared = replace(experiment.training, source_model_id=model, dataset_path=str(path))
            for seed in seeds:
                job = find_job(config_for(model, replace(arm.config(shared), seed=seed)))
                prepared.append(Prepared(Run(experiment.name, setting, arm, model, seed), job))
    return prepared


def rows_of(setting: Setting, arm: Arm, folder: Path) -> Path:
    """The file of the arm's rows before they are put behind its prompt; rows made for it are written to `folder`."""
    if arm.dataset == "finetuning":
        return setting.get_finetuning_dataset_path()
    if arm.dataset == "control":
        return setting.get_control_dataset_path()
    if not callable(arm.dataset):
        raise UserError(f"{arm.name}: its dataset is {arm.dataset!r}; give finetuning, control, or a function of rows.")
    path = folder / "rows" / f"{setting.get_domain_name()}_{arm.name}.jsonl"
    write_jsonl_if_changed(path, arm.dataset(setting))
    return path
