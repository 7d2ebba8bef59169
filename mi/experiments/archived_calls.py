"""Which calls of the store belong to an experiment's answers, and how an archive's calls are put back."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mi.evaluation.store import Kind
from mi.experiments import pipeline
from mi.experiments.data_models import Experiment
from mi.llm.data_models import Chat, Judgment, Model, chat
from mi.llm.judging import judge_chat
from mi.llm.services import fingerprint
from mi.utils.errors import UserError
from mi.utils.hashing import digest

if TYPE_CHECKING:
    import pandas as pd


def of(experiment: Experiment, path: Path) -> Iterator[tuple[Kind, str, set[str]]]:
    """For each file of the store: its kind, its model's fingerprint, and digests of the conversations that count.

    `path` is answers.parquet. Models that are not here any more have no fingerprint, and are passed over.
    """
    import pandas as pd

    answers: Any = pd.read_parquet(path)
    wanted: dict[tuple[Kind, Model], set[str]] = defaultdict(set)
    judges = {
        (setting.get_domain_name(), evaluation.id): list(evaluation.judgment_map.values())
        for setting in experiment.settings
        for _, evaluation in pipeline.evaluations_of(setting)
    }
    for row in _records(answers):
        model = Model(row["model"], "local", row["job_id"])
        wanted["answers", model].add(digest(chat(row["question"], row["system_prompt"])))
        for judgment in judges.get((row["setting"], row["evaluation"]), ()):
            wanted["judgements", judgment.model] |= _hearing(judgment, row["question"], row["answer"])
    for (kind, model), chats in wanted.items():
        try:
            yield kind, fingerprint(model), chats
        except UserError:
            continue


def jobs_of(path: Path) -> list[str]:
    """The jobs whose answers a table (answers.parquet) holds."""
    import pandas as pd

    return sorted(pd.read_parquet(path, columns=["job_id"])["job_id"].dropna().unique())


def lines(store: bytes, wanted: Container[str]) -> bytes:
    """The lines of a store file whose conversation is wanted, in their order; a torn last one is left out."""
    whole = store[: store.rfind(b"\n") + 1].splitlines(keepends=True)
    return b"".join(line for line in whole if digest(json.loads(line)["messages"]) in wanted)


def is_store(name: str) -> bool:
    """Whether a member of an archive is a file of the store, to which lines can be added."""
    return PurePosixPath(name).parts[:2] == ("results", "store")


def merged(here: bytes, added: bytes, path: Path | None = None) -> bytes:
    """A store file with the lines of another that it lacks. Raises UserError where both have one call and differ."""
    whole = here[: here.rfind(b"\n") + 1]
    known = {json.loads(line)["key"]: line for line in whole.splitlines(keepends=True)}
    fresh = []
    for line in added.splitlines(keepends=True):
        key = json.loads(line)["key"]
        if key not in known:
            fresh.append(line)
        elif known[key] != line:
            raise UserError(
                f"{path}: has another answer to call {key} than the archive; set MI_HOME to another folder."
            )
    return whole + b"".join(fresh) if fresh else here


def _hearing(judgment: Judgment, question: str, answer: str | None) -> set[str]:
    asked: Chat | None = None if answer is None else judge_chat(judgment, question, answer)
    return set() if asked is None else {digest(asked)}


def _records(answers: pd.DataFrame) -> list[dict[str, Any]]:
    columns = ["setting", "evaluation", "question", "system_prompt", "answer", "model", "job_id"]
    plain = answers[columns].astype(object).where(answers[columns].notna(), None)
    return plain.drop_duplicates().to_dict("records")  # type: ignore[return-value]
