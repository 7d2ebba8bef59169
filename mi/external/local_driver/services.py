"""The verbs of the local backend for asynchronous callers: each runs in a worker process of one thread or one GPU.

Where an executor is in force (`mi.executors.current`), sampling goes to it.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mi.executors.current import elsewhere
from mi.external.local_driver import grid, mixed, sampling, sharded
from mi.external.local_driver.chunks import CHUNK, chunks_of
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.training import TrainingReport
from mi.llm.data_models import Chat, LLMResponse, Model, SampleRequest
from mi.utils.ranks import gpus_per_run
from mi.utils.workers import run_in_worker, worker_count

__all__ = ["CHUNK", "sample_batch", "score_batch", "train_job"]


async def train_job(
    config: LocalFTJobConfig, folder: Path, on_step: Callable[[int, float], None] | None = None
) -> TrainingReport:
    """As `grid.train_one`, or over several GPUs where MI_GPUS_PER_RUN says so.

    If it is cancelled, the worker has ended and writes into `folder` no more.
    """
    if (n := gpus_per_run()) > 1:
        return await sharded.train(config, folder, n, on_step)
    return await run_in_worker(grid.train_one, config, folder, on_progress=on_step)


async def train_grid(
    configs: Sequence[LocalFTJobConfig], folders: Sequence[Path], on_event: Callable[[int, Any], None]
) -> None:
    """As `grid.train_grid`, in a worker; where it is cancelled, the worker has ended and writes no more."""
    await run_in_worker(grid.train_grid, list(configs), list(folders), on_progress=on_event)


async def stacks_at_once() -> int:
    """How many stacks of adapters may be trained at once: one on a GPU, elsewhere one a worker."""
    return 1 if await run_in_worker(grid.has_gpu) else worker_count()


async def sample_batch(
    model: Model, requests: Sequence[SampleRequest], on_response: Callable[[int, LLMResponse], None] | None = None
) -> list[LLMResponse]:
    """As `sampling.sample`, over all workers: one response a request, in the order of the requests.

    `on_response(place, response)` is called for each response of a chunk when the chunk returns.
    """
    if (executor := elsewhere()) is not None:
        from mi.external.local_driver.sending import sample_elsewhere

        return await sample_elsewhere(executor, model, requests, on_response)
    responses: dict[int, LLMResponse] = {}

    async def sample_chunk(chunk: Sequence[int]) -> None:
        answered = await run_in_worker(sampling.sample, model, [requests[index] for index in chunk], near=model)
        responses.update(zip(chunk, answered, strict=True))
        for index, response in zip(chunk, answered, strict=True):
            if on_response is not None:
                on_response(index, response)

    await _gather([sample_chunk(chunk) for chunk in chunks_of(requests)])
    return [responses[index] for index in range(len(requests))]


async def sample_mixed(calls: Sequence[tuple[Model, SampleRequest]]) -> list[LLMResponse]:
    """As `mixed.sample_mixed`, in a worker: adapters of one base, all in one batch."""
    return await run_in_worker(mixed.sample_mixed, list(calls))


async def score_batch(model: Model, pairs: Sequence[tuple[Chat, str]]) -> list[float]:
    """As `sampling.score`, in a worker."""
    return await run_in_worker(sampling.score, model, list(pairs), near=model)


async def _gather(calls: list) -> list:
    """The results in order; where one call fails, the others are ended before its error is raised."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
