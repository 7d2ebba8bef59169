"""Running evaluations in three stages that are replayed apart: sampling, judging, scoring.

Judging begins with the first answer, and nothing is scored before all answers and verdicts are on the disk.
"""

from collections.abc import Sequence

from mi.evaluation.budget import Budget
from mi.evaluation.cells import Unwatched, Watch
from mi.evaluation.data_models import Evaluation, EvaluationResultRow
from mi.evaluation.running import Run
from mi.evaluation.scoring import score
from mi.llm.data_models import Model
from mi.utils.memory import collector_paused, collector_slowed

__all__ = ["Rows", "recall_evaluations", "run_all", "run_evaluations", "score"]

Rows = tuple[EvaluationResultRow, ...]


async def run_evaluations(model: Model, evaluations: Sequence[Evaluation]) -> list[Rows]:
    """The rows of each evaluation, in order. Only what the store does not hold is asked."""
    return (await run_all([model], evaluations))[0]


async def run_all(
    models: Sequence[Model],
    evaluations: Sequence[Evaluation],
    watch: Watch | None = None,
    budget: Budget | None = None,
) -> list[list[Rows]]:
    """`run_evaluations` for several models at once: what two of them answered alike is judged once.

    Raises UserError for two evaluations of one id, for a score function that gives what it should not, for a full disk,
    and where the budget would be exceeded; what came back until then is kept.
    """
    with collector_paused():
        run = Run(models, evaluations, budget or Budget())
        run.load()
    with (watch or Unwatched()).watching(run.cells), collector_slowed():
        await run.ask()
    with collector_paused():
        return [run.rows(place) for place in range(len(models))]


def recall_evaluations(model: Model, evaluations: Sequence[Evaluation]) -> list[Rows]:
    """The rows of each evaluation that the store holds, in order; nothing is asked.

    A row that was never judged has None for its verdicts; a call that was never answered has no row.
    """
    with collector_paused():
        run = Run([model], evaluations, Budget())
        run.load()
        return run.rows(0)
