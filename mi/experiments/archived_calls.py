"""Which calls of the store and which jobs belong to an experiment's answers, and how archived calls are put back."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, cast, get_args

from mi.evaluation.data_models import Evaluation
from mi.evaluation.records import key_of, response_of
from mi.evaluation.running import slots_of
from mi.evaluation.store import Call, Kind, call_key, exclusively, write_version
from mi.experiments import pipeline
from mi.experiments.data_models import Experiment
from mi.finetuning.records import read_record, remote_job_ids
from mi.llm.judging import judge_chat
from mi.llm.names import model_named
from mi.llm.services import fingerprint
from mi.utils.errors import UserError
from mi.utils.files import make_folder, whole_file

_PUT = ["setting", "arm", "condition", "evaluation"]


def put(experiment: Experiment) -> dict[tuple[str, str, str, str], Evaluation]:
    """(setting, arm, condition, evaluation's name without the condition) -> the evaluation as it is put there."""
    return {
        (setting.get_domain_name(), arm.name, asked.condition, asked.name): asked.evaluation
        for setting in experiment.settings
        for arm in experiment.arms
        for asked in pipeline.questions(setting, arm, experiment.conditions)
    }


def put_where_known(experiment: Experiment) -> dict[tuple[str, str, str, str], Evaluation]:
    """As `put`, without the settings whose evaluations cannot be made here, for data that were not fetched."""
    found: dict[tuple[str, str, str, str], Evaluation] = {}
    for setting in experiment.settings:
        with contextlib.suppress(UserError):
            found |= put(replace(experiment, settings=(setting,)))
    return found


def of(experiment: Experiment, model: str, path: Path) -> Iterator[tuple[Kind, str, set[str]]]:
    """For each file of the store: its kind, its model's fingerprint, and the keys of the calls that count.

    `path` is the answers.parquet of a run on the base `model`. Calls that the experiment would not make any more are
    left out, and so are those of models that are not here any more.
    """
    import pandas as pd

    answers: Any = pd.read_parquet(path, columns=[*_PUT, "question", "system_prompt", "answer", "model", "job_id"])
    answers = answers.astype(object).where(answers.notna(), None).drop_duplicates()
    evaluations, wanted = put(experiment), defaultdict(set)
    for row in answers[[*_PUT, "model", "job_id"]].drop_duplicates().to_dict("records"):
        asked = replace(model_named(model), id=row["model"], job_id=row["job_id"])
        evaluation = evaluations.get(tuple(row[name] for name in _PUT))
        wanted["answers", asked] |= {slot.call for slot in slots_of([evaluation] if evaluation else [])}
    for row in answers[answers["answer"].notna()].to_dict("records"):
        evaluation = evaluations.get(tuple(row[name] for name in _PUT))
        for judgment in evaluation.judgment_map.values() if evaluation else ():
            hearing = judge_chat(judgment, row["question"], row["answer"], row["system_prompt"])
            wanted["judgements", judgment.model].add(Call(hearing, judgment.sample_cfg))
    for (kind, asked), calls in wanted.items():
        try:
            name = fingerprint(asked)
        except UserError:
            continue
        yield kind, name, {call_key(name, call) for call in calls}


def jobs_of(path: Path) -> list[str]:
    """The jobs whose answers a table (answers.parquet) holds, those at a server among them."""
    import pandas as pd

    answers = pd.read_parquet(path, columns=["job_id", "model"])
    made = made_at_servers()
    remote = {made[model] for model in answers["model"].dropna().unique() if model in made}
    return sorted({*answers["job_id"].dropna().unique(), *remote})


def made_at_servers() -> dict[str, str]:
    """The name that a server gave to a fine-tuned model -> its job, of all records that can be read."""
    found: dict[str, str] = {}
    for job in remote_job_ids():
        with contextlib.suppress(UserError):
            record = read_record(job)
            if record is not None and record.current is not None and record.current.model is not None:
                found[record.current.model] = job
    return found


def lines(store: bytes, wanted: Container[str]) -> bytes:
    """The lines of a store file whose key is wanted, in their order; what is torn or damaged is left out."""
    return b"".join(_calls(store, wanted).values())


def _calls(store: bytes, wanted: Container[str] | None = None) -> dict[str, bytes]:
    """Key -> line of a store file; of two lines of one call the last counts, as where the store is read."""
    found: dict[str, bytes] = {}
    for line in store.splitlines(keepends=True):
        key = key_of(line) if line.endswith(b"\n") else None
        if key is not None and (wanted is None or key in wanted) and response_of(line) is not None:
            found[key] = line
    return found


def is_store(name: str) -> bool:
    """Whether a member of an archive is a file of the store, to which lines can be added."""
    match PurePosixPath(name).parts:
        case ("results", "store", kind, file):
            return kind in get_args(Kind) and file.endswith(".jsonl") and not file.startswith(".")
    return False


def merged(here: bytes, added: bytes, path: Path) -> bytes:
    """A store file with the lines of another that it lacks. Raises UserError where both have one call and differ."""
    known, fresh = _calls(here), []
    for key, line in _calls(added).items():
        if key not in known:
            fresh.append(line)
        elif known[key] != line and response_of(known[key]) != response_of(line):
            raise UserError(
                f"{path}: has another answer to call {key} than the archive; set MI_HOME to another folder."
            )
    return here[: here.rfind(b"\n") + 1] + b"".join(fresh) if fresh else here


def put_back(path: Path, added: bytes) -> None:
    """Add the lines of an archive to a file of the store. Raises UserError while anybody asks its model."""
    make_folder(path.parent)
    write_version()
    with exclusively(cast(Kind, path.parent.name), path.stem):
        content = merged(path.read_bytes(), added, path)
        with whole_file(path, "wb") as file:
            file.write(content)
