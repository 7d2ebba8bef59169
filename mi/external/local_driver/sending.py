"""Training and sampling on an executor's nodes: what is to be done becomes units, what they made becomes files here."""

import asyncio
import json
import tempfile
import weakref
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from mi.config import jobs_dir
from mi.executors.data_models import Executor, Files, Tell, Unit
from mi.executors.store import files_under
from mi.external.local_driver import models, units
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.units import SamplingSpec, TrainingSpec, spec_of
from mi.llm.data_models import LLMResponse, Model, SampleRequest
from mi.utils.files import whole_file
from mi.utils.hashing import digest, file_digest

SAMPLING = 1
"""Raised whenever the same requests would be answered otherwise, so that no older answers are taken for them."""


async def train_elsewhere(
    executor: Executor, job_id: str, config: LocalFTJobConfig, folder: Path, on_step: Tell | None = None
) -> None:
    """As `services.train_job`, on a node. The folder's files name what they name here."""
    rows = Path(config.dataset_path)
    name = f"datasets/{file_digest(rows)}"
    source, inputs = _model_there(config.source_model_id)
    there = replace(config, dataset_path=f"{name}/{rows.name}", source_model_id=source)
    spec = TrainingSpec(there, models.fingerprint(Model(config.source_model_id, "local")))
    label = f"training {config.source_model_id} on {rows.name} with seed {config.seed}"
    told = 0

    def tell(step: int, loss: float) -> None:
        nonlocal told
        told = step
        if on_step is not None:
            on_step(step, loss)

    unit = Unit(job_id, units.train, spec_of(spec), label, {**inputs, name: {rows.name: rows}})
    await executor.run(unit, folder, tell)
    losses = _as_here(folder, config)
    for step in range(told + 1, len(losses) + 1):
        tell(step, losses[step - 1])


async def sample_elsewhere(
    executor: Executor,
    model: Model,
    requests: Sequence[SampleRequest],
    on_response: Callable[[int, LLMResponse], None] | None = None,
) -> list[LLMResponse]:
    """As `services.sample_batch`, on a node; batches of one model that are asked together are one unit."""
    if executor not in _desks:
        _desks[executor] = _Desk(executor)
    answers = await _desks[executor].ask(model, requests)
    for place, answer in enumerate(answers):
        if on_response is not None:
            on_response(place, answer)
    return answers


@dataclass
class _Waiting:
    requests: Sequence[SampleRequest]
    answers: asyncio.Future[list[LLMResponse]]


class _Desk:
    """Collects what is asked of each model in one turn of the event loop, and sends it off together."""

    def __init__(self, executor: Executor) -> None:
        self._executor = weakref.ref(executor)
        self._waiting: dict[Model, list[_Waiting]] = {}
        self._sent: set[asyncio.Task] = set()

    async def ask(self, model: Model, requests: Sequence[SampleRequest]) -> list[LLMResponse]:
        loop = asyncio.get_running_loop()
        if model not in self._waiting:
            self._waiting[model] = []
            loop.call_soon(self._send, model)
        one = _Waiting(requests, loop.create_future())
        self._waiting[model].append(one)
        return await one.answers

    def _send(self, model: Model) -> None:
        waiting = self._waiting.pop(model)
        task = asyncio.get_running_loop().create_task(self._answer(model, waiting))
        self._sent.add(task)
        task.add_done_callback(self._sent.discard)

        def left(_: asyncio.Future) -> None:
            if all(one.answers.done() for one in waiting):
                task.cancel()  # nobody wants it any more

        for one in waiting:
            one.answers.add_done_callback(left)

    async def _answer(self, model: Model, waiting: list[_Waiting]) -> None:
        executor = self._executor()
        assert executor is not None
        try:
            answered = await _sampled(executor, model, [list(one.requests) for one in waiting])
        except Exception as error:
            for one in waiting:
                if not one.answers.done():
                    one.answers.set_exception(error)
            return
        for one, answers in zip(waiting, answered, strict=True):
            if not one.answers.done():
                one.answers.set_result(answers)


_desks: weakref.WeakKeyDictionary[Executor, _Desk] = weakref.WeakKeyDictionary()


async def _sampled(executor: Executor, model: Model, batches: units.Batches) -> units.Answered:
    """The answers of one unit: one model, asked everything at once."""
    fingerprint = models.fingerprint(model)
    source, inputs = _model_there(model.id)
    if model.job_id is not None:
        inputs[f"jobs/{model.job_id}"] = files_under(jobs_dir() / model.job_id)
    with tempfile.TemporaryDirectory() as folder:
        requests, made = Path(folder) / units.REQUESTS, Path(folder) / "made"
        requests.write_bytes(msgspec.msgpack.encode(batches))
        identity = digest(["sample", SAMPLING, fingerprint, file_digest(requests)])
        name = f"requests/{identity}"
        spec = SamplingSpec(source, model.job_id, fingerprint, f"{name}/{units.REQUESTS}")
        label = f"asking {model.id}" + ("" if model.job_id is None else f" of job {model.job_id[:8]}")
        unit = Unit(identity, units.sample, spec_of(spec), label, {**inputs, name: {units.REQUESTS: requests}})
        await executor.run(unit, made)
        return msgspec.msgpack.decode((made / units.ANSWERS).read_bytes(), type=units.Answered)


def _model_there(model_id: str) -> tuple[str, dict[str, Files]]:
    """(how a node names the model, what it is to be sent): a folder is sent, what has a name everywhere is not."""
    if model_id == models.ORGANISM or not Path(model_id).expanduser().is_dir():
        return model_id, {}
    name = f"models/{models.fingerprint(Model(model_id, 'local'))}"
    return name, {name: {path.name: path for path in models.files_of(model_id)}}


def _as_here(folder: Path, config: LocalFTJobConfig) -> list[float]:
    """Name in a job's files what was trained on as it is named here; the loss of each step in nats a token."""
    report = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    report["config"] = asdict(config)
    with whole_file(folder / "training.json") as file:
        json.dump(report, file, indent=1, ensure_ascii=False)
    if (path := folder / "adapter_config.json").exists():
        settings = json.loads(path.read_text(encoding="utf-8"))
        settings["base_model_name_or_path"] = config.source_model_id
        with whole_file(path) as file:
            json.dump(settings, file, indent=2, sort_keys=True)
    return report["losses"]
