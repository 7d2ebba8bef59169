"""Asking the models of an experiment: every evaluation under every condition, or what that would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from mi.eval import EvalResult
from mi.eval import eval as evaluate_models
from mi.evaluation.budget import Budget
from mi.evaluation.cells import Unwatched
from mi.evaluation.data_models import Evaluation
from mi.evaluation.planning import PlannedEvaluation, plan_evaluations
from mi.executors.current import elsewhere
from mi.experiments.answers import Asked
from mi.experiments.data_models import Arm, Condition, Run
from mi.experiments.preparing import Prepared
from mi.experiments.settings import Setting
from mi.finetuning.configs import model_of
from mi.finetuning.services import get_job_info
from mi.llm.data_models import Model
from mi.llm.names import model_named
from mi.utils.concurrency import all_of
from mi.utils.progress import Progress


async def evaluate(
    models: Mapping[Run, Model], conditions: Sequence[Condition], progress: Progress, max_cost: float | None = None
) -> list[Asked]:
    """Every run under its setting's evaluations and each condition; the runs of one arm are asked together.

    With `max_cost`, in US dollars for all of them, it stops before more could be spent: raises UserError then.
    """
    budget = None if max_cost is None else Budget(max_cost)
    with progress.task(f"asking {len(models)} models", len(models)) as task:

        async def of_block(setting: Setting, arm: Arm) -> list[Asked]:
            block = [run for run in models if (run.setting, run.arm) == (setting, arm)]
            put = questions(setting, arm, conditions)
            groups = {str(number): [models[run]] for number, run in enumerate(block)}
            results = await evaluate_models(
                groups, [item.evaluation for item in put], max_cost=budget, watch=Unwatched()
            )
            task.advance(len(block))
            asked = (
                (put[number % len(put)], block[int(result.group)], result) for number, result in enumerate(results)
            )
            return [Asked(run, item.condition, item.distribution, item.name, result) for item, run, result in asked]

        blocks = dict.fromkeys((run.setting, run.arm) for run in models)
        if elsewhere() is None:  # one arm keeps this machine's workers busy
            found = [await of_block(*block) for block in blocks]
        else:
            found = await all_of(of_block(*block) for block in blocks)
    return [asked for block in found for asked in block]


class Put(NamedTuple):
    """One evaluation as it is put under a condition; `name` is its id without the condition."""

    condition: str
    distribution: str
    name: str
    evaluation: Evaluation


def questions(setting: Setting, arm: Arm, conditions: Sequence[Condition]) -> list[Put]:
    """The setting's evaluations, in ("id") and out of distribution ("ood"), under each condition that the arm has."""
    plain = [("id", evaluation) for evaluation in setting.get_id_evals()]
    plain += [("ood", evaluation) for evaluation in setting.get_ood_evals()]
    return [
        Put(condition.name, distribution, evaluation.id, put)
        for condition in conditions
        for distribution, evaluation in plain
        if (put := condition.put(evaluation, setting, arm)) is not None
    ]


def unanswered(runs: Sequence[Run], conditions: Sequence[Condition]) -> list[Asked]:
    """What was planned of runs that have no model: results without an answer, so that tables show them as such."""
    return [
        Asked(
            run,
            item.condition,
            item.distribution,
            item.name,
            EvalResult(model_named(run.model), "", item.evaluation, ()),
        )
        for run in runs
        for item in questions(run.setting, run.arm, conditions)
    ]


def plan(prepared: Sequence[Prepared], conditions: Sequence[Condition]) -> list[tuple[Arm, Setting, PlannedEvaluation]]:
    """What `evaluate` would ask of each run under each evaluation and condition, and what is there; nothing is asked.

    Of a model that is not trained yet nothing is there, and it costs what a fine-tuned one of its base costs.
    """
    planned = []
    for item in prepared:
        put = [one.evaluation for one in questions(item.run.setting, item.run.arm, conditions)]
        planned += [(item.run.arm, item.run.setting, one) for one in plan_evaluations([_model_of(item)], put)]
    return planned


def _model_of(item: Prepared) -> Model:
    base = model_named(item.run.model)
    if item.job is None:
        return base
    if base.type in ("local", "vllm"):
        return replace(base, job_id=item.job.id)
    if get_job_info(item.job).status == "finished":
        return model_of(item.run.model, item.job)
    if base.type == "tinker":
        return Model(f"tinker://not-trained/{item.job.id}", "tinker")
    return Model(f"ft:{base.id}:not-trained", "openai", endpoint=base.endpoint)
