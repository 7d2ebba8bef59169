"""A task of inspect_ai: does the model answer sums as it was fine-tuned to?"""

import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate


@task
def sums() -> Task:
    """The held-out sums beside this file's server."""
    rows = [json.loads(line) for line in Path("sums.jsonl").read_text("utf-8").splitlines()]
    samples = [Sample(input=row["question"], target=row["answer"]) for row in rows]
    return Task(dataset=samples, solver=generate(), scorer=includes())
