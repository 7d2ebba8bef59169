"""The work of units, as a process on a node does it: train what a job says, or answer what one model is asked.

Names of files are relative to the folder that the process works in, which is its MI_HOME.
"""

import asyncio
import os
from pathlib import Path

import msgspec

from mi.executors.data_models import Tell
from mi.external.local_driver import grid, models, sampling, sharded
from mi.external.local_driver.chunks import chunks_of
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.llm.data_models import LLMResponse, Model, SampleRequest
from mi.utils.errors import UserError
from mi.utils.ranks import gpus_per_run

REQUESTS, ANSWERS = "requests.msgpack", "answers.msgpack"
"""Unlike JSON, msgpack keeps an infinite log-probability."""
Batches = list[list[SampleRequest]]
Answered = list[list[LLMResponse]]


class TrainingSpec(msgspec.Struct):
    """What a training unit is told."""

    config: LocalFTJobConfig
    base: str
    """The fingerprint of the base model that the job is named after."""


class SamplingSpec(msgspec.Struct):
    """What a sampling unit is told."""

    model: str
    job_id: str | None
    fingerprint: str
    requests: str
    """The file with the requests, in the batches that they came in."""


def train(spec: str, made: Path, tell: Tell) -> None:
    """Train a job into the folder `made`, but for its record. Raises UserError as `grid.train_one` does.

    MI_GPUS_PER_RUN of the node counts: so many of the GPUs that the unit was given train it together.
    """
    told = msgspec.json.decode(spec, type=TrainingSpec)
    _check(Model(told.config.source_model_id, "local"), told.base)
    if (n := gpus_per_run()) > 1:
        asyncio.run(sharded.train(told.config, made, n, tell))
    else:
        grid.train_one(told.config, made, tell)


def sample(spec: str, made: Path, tell: Tell) -> None:
    """Answer the requests of a file into ANSWERS in the folder `made`, batch by batch as this machine would."""
    told = msgspec.json.decode(spec, type=SamplingSpec)
    model = Model(told.model, "local", told.job_id)
    _check(model, told.fingerprint)
    batches = msgspec.msgpack.decode(Path(told.requests).read_bytes(), type=Batches)
    (made / ANSWERS).write_bytes(msgspec.msgpack.encode([_answers(model, requests) for requests in batches]))


def spec_of(spec: TrainingSpec | SamplingSpec) -> str:
    """A unit's spec as its work takes it."""
    return msgspec.json.encode(spec).decode()


def _answers(model: Model, requests: list[SampleRequest]) -> list[LLMResponse]:
    answers: dict[int, LLMResponse] = {}
    for chunk in chunks_of(requests):
        answers.update(zip(chunk, sampling.sample(model, [requests[place] for place in chunk]), strict=True))
    return [answers[place] for place in range(len(requests))]


def _check(model: Model, fingerprint: str) -> None:
    """Raise UserError where the node has another model under the name, or no GPU where it gave one."""
    if models.fingerprint(model) != fingerprint:
        raise UserError(
            f"{model.id}: this node holds other weights under that name than the machine that sent the work; remove "
            "them from the hub's cache on the node, or name a folder with the weights."
        )
    if float(os.environ.get("MI_UNIT_GPUS", "0")) > 0:
        import torch

        if not torch.cuda.is_available():
            raise UserError(
                f"the node gave a GPU, and torch, built for {torch.version.cuda or 'processors only'}, finds none; "
                "install a torch that is not newer than the node's driver, or ask for --gpus 0."
            )
