"""Evaluations by the names that they have in Inspect and at `mi inspect`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mi.evaluation.data_models import Evaluation
from mi.evaluation.known import EVALUATIONS, known
from mi.experiments.settings import SETTINGS
from mi.experiments.settings.registry import load_file
from mi.llm.names import parse_model
from mi.utils.errors import UserError


def evaluation_named(name: str, judge: str | None = None) -> Evaluation:
    """An evaluation: `insecure_code` (published scale), `SETTING/EVALUATION` (organism's scale), or `FILE.py:ID`.

    `judge`, a model's name, takes the place of every judge. Of a file that holds one evaluation, `FILE.py` suffices.
    Raises UserError for a name that is none of these.
    """
    found = _found(name)
    if judge is None:
        return found
    model = parse_model(judge)
    judgments = {key: replace(judgment, model=model) for key, judgment in found.judgment_map.items()}
    return replace(found, judgment_map=judgments)


def names() -> Iterator[str]:
    """Every name but those of files, first those of the published scale."""
    yield from EVALUATIONS
    for setting in SETTINGS:
        yield from (f"{setting}/{evaluation.id}" for evaluation in _of_setting(setting))


def _found(name: str) -> Evaluation:
    path, colon, wanted = name.rpartition(":") if not name.endswith(".py") else (name, "", "")
    if path.endswith(".py"):
        return _of_file(Path(path), wanted if colon else None)
    setting, slash, wanted = name.partition("/")
    return _one(setting, _of_setting(setting), wanted) if slash else known(name).make()


def _of_setting(name: str) -> tuple[Evaluation, ...]:
    setting = SETTINGS[name]
    return (*setting.get_id_evals(), *setting.get_ood_evals())


def _of_file(path: Path, wanted: str | None) -> Evaluation:
    module = load_file(path, "evaluation")
    found = {id(value): value for value in vars(module).values() if isinstance(value, Evaluation)}
    evaluations: tuple[Evaluation, ...] = tuple(found.values())
    if not evaluations:
        raise UserError(f"{path}: holds no evaluation; assign one to a name, for instance mine = Evaluation(…).")
    if wanted is None and len(evaluations) > 1:
        raise UserError(
            f"{path}: holds {', '.join(e.id for e in evaluations)}; name one, as {path}:{evaluations[0].id}."
        )
    return next(iter(evaluations)) if wanted is None else _one(str(path), evaluations, wanted)


def _one(where: str, evaluations: tuple[Evaluation, ...], wanted: str) -> Evaluation:
    for evaluation in evaluations:
        if evaluation.id == wanted:
            return evaluation
    raise UserError(f"{where} has no evaluation {wanted!r}; choose one of {', '.join(e.id for e in evaluations)}.")
