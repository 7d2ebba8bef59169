"""Arms of an experiment that are compared: launched alike, on rows that differ in the system messages alone."""

from collections.abc import Sequence

from mi.experiments.data_models import Arm
from mi.experiments.pipeline import Prepared
from mi.experiments.settings import Setting
from mi.experiments.utils import as_inoculations
from mi.finetuning.arms import check_arms, check_resolved
from mi.finetuning.data_models import FinetuningJob
from mi.finetuning.services import get_job_info


def paired(prepared: Sequence[Prepared]) -> list[list[FinetuningJob]]:
    """The jobs that are compared with each other: of one setting and seed, on the setting's rows, with one dose.

    Left out are arms that have rows or a dose of their own, and those whose prompt stands elsewhere than in a system
    message: there the difference is the question.
    """
    groups: dict[tuple[str, int], list[FinetuningJob]] = {}
    for item in prepared:
        if item.job is not None and _differs_in_the_prompt_alone(item.run.arm, item.run.setting):
            groups.setdefault((item.run.setting.get_domain_name(), item.run.seed), []).append(item.job)
    return list(groups.values())


def check_before(groups: Sequence[Sequence[FinetuningJob]]) -> None:
    """Raise UserError where arms that are compared would not be launched alike, or are not paired row by row."""
    checked: set[tuple[str, ...]] = set()
    for group in groups:
        files = tuple(job.config.dataset_path for job in group)
        if files not in checked:  # other seeds have the same files
            check_arms([job.config for job in group])
            checked.add(files)


def check_after(groups: Sequence[Sequence[FinetuningJob]]) -> None:
    """Raise UserError where a server resolved "auto" otherwise for one arm than for another."""
    for group in groups:
        check_resolved([get_job_info(job) for job in group])


def _differs_in_the_prompt_alone(arm: Arm, setting: Setting) -> bool:
    placed = as_inoculations(arm.inoculation(setting))
    return arm.dataset == "finetuning" and not arm.training and all(one.placement == "system" for one in placed)
