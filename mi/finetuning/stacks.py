"""Local jobs trained together: adapters of one base and shape in stacks, one stack a worker; the others one by one."""

import asyncio
import contextlib
import logging
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from mi.executors.current import elsewhere
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.stacking import NotStackable
from mi.finetuning.data_models import FinetuningJob
from mi.finetuning.local import OnStep, Unfinished, base_of, is_finished, is_held, local_config, lock_path
from mi.utils.errors import UserError
from mi.utils.files import locked
from mi.utils.ranks import gpus_per_run
from mi.utils.workers import WorkerKilled

log = logging.getLogger("mi.finetuning")

OnJobStep = Callable[[FinetuningJob, int, float], None]
"""Is told a job, the number of its step, from 1, and the loss of that step in nats a token."""
Submit = Callable[[FinetuningJob, OnStep | None], Awaitable[Any]]
"""Trains one job by itself, or waits for whoever trains it."""


async def train_together(
    jobs: Sequence[FinetuningJob], submit: Submit, on_step: OnJobStep | None = None
) -> list[Exception]:
    """Train every job that is not trained yet; returns what those that failed have failed with, in no order.

    What can be trained together is; a job that fails leaves the others alone. `submit` trains what cannot be, and
    waits for what another process trains.
    """
    missing = {job.id: job for job in jobs if not is_finished(job.id)}
    stacks, alone = await _arranged(list(missing.values()))
    launcher = _Launcher(submit, on_step)
    await asyncio.gather(*map(launcher.together, stacks), *map(launcher.alone, alone))
    return launcher.failed


async def _arranged(jobs: Sequence[FinetuningJob]) -> tuple[list[list[FinetuningJob]], list[FinetuningJob]]:
    """(stacks, jobs to be trained by themselves). Of one kind there are as many stacks as can be trained at once.

    An executor is handed one job after another: each is a unit of its own, which another node may take. A job that
    several GPUs train is never stacked.
    """
    from mi.external.local_driver.services import stacks_at_once

    if not elsewhere() and gpus_per_run() > 1:
        return [], list(jobs)
    kinds: dict[Any, list[FinetuningJob]] = defaultdict(list)
    for job in jobs:
        kinds[None if elsewhere() else _kind(job)].append(job)
    stacks, alone = [], []
    for kind, members in kinds.items():
        if kind is None or len(members) == 1:
            alone += members
        else:
            stacks += divided(members, await stacks_at_once())
    most = _most_in_a_stack()
    if most is not None:
        stacks = [stack[start : start + most] for stack in stacks for start in range(0, len(stack), most)]
        alone += [job for stack in stacks if len(stack) == 1 for job in stack]
        stacks = [stack for stack in stacks if len(stack) > 1]
    return stacks, alone


def _most_in_a_stack() -> int | None:
    """MI_STACK, or None where memory alone decides. Raises UserError for what is no number.

    With 1, each adapter is trained by itself, and is on a GPU too to the bit the one that any other place trains so.
    """
    given = os.environ.get("MI_STACK")
    if given is None:
        return None
    if not given.isdecimal() or int(given) < 1:
        raise UserError(f"MI_STACK is {given!r}; give the most adapters to be trained in one stack, at least 1.")
    return int(given)


def _kind(job: FinetuningJob) -> Any:
    """What jobs of one stack have in common; None for one that is never stacked."""
    config = job.config
    if not isinstance(config, LocalFTJobConfig) or config.method != "lora":
        return None
    return base_of(config), config.lora_rank, config.lora_targets


def divided(jobs: Sequence[FinetuningJob], n: int) -> list[list[FinetuningJob]]:
    """The jobs in n stacks or fewer, the rows of which are about as many; like jobs of one file stand together."""
    stacks: list[list[FinetuningJob]] = [[] for _ in range(min(n, len(jobs)))]
    share = sum(map(_rows, jobs)) / len(stacks)
    for job in sorted(jobs, key=lambda job: (-_rows(job), local_config(job).dataset_path)):
        rows = [sum(map(_rows, stack)) for stack in stacks]
        room = [place for place, many in enumerate(rows) if many + _rows(job) <= share]
        files = [{local_config(other).dataset_path for other in stack} for stack in stacks]
        known = [place for place in room if local_config(job).dataset_path in files[place]]
        stacks[known[0] if known else min(range(len(stacks)), key=rows.__getitem__)].append(job)
    return stacks


def _rows(job: FinetuningJob) -> int:
    config = local_config(job)
    return config.n_steps * config.batch_size


class _Launcher:
    """Trains jobs, in stacks and alone, and keeps what they failed with."""

    def __init__(self, submit: Submit, on_step: OnJobStep | None) -> None:
        self._submit, self._on_step = submit, on_step
        self.failed: list[Exception] = []

    async def alone(self, job: FinetuningJob) -> None:
        """Train one job by itself."""
        try:
            await self._submit(job, self._teller(job))
        except Exception as error:
            self.failed.append(error)

    async def together(self, jobs: Sequence[FinetuningJob]) -> None:
        """Train the jobs of one stack; those that another process has in hand are left to it."""
        left: list[FinetuningJob] = []
        async with contextlib.AsyncExitStack() as locks:
            mine = []
            for job in sorted(jobs, key=lambda job: job.id):  # in one order everywhere, so that nobody waits in a ring
                if is_held(lock_path(job.id)):
                    left.append(job)
                    continue
                await locks.enter_async_context(locked(lock_path(job.id)))
                if not is_finished(job.id):
                    mine.append(job)
            left += await self._train(mine)
        for job in left:
            await self.alone(job)

    async def _train(self, jobs: Sequence[FinetuningJob]) -> list[FinetuningJob]:
        """Train jobs whose locks are held; returns those that have to be trained by themselves."""
        from mi.external.local_driver.services import train_grid

        running: dict[int, tuple[FinetuningJob, Unfinished, OnStep]] = {}
        for place, job in enumerate(jobs):
            try:
                folder = Unfinished(job)
                running[place] = job, folder, folder.tells(self._teller(job))
            except Exception as error:
                self.failed.append(error)
        places = list(running)
        configs, folders = [local_config(jobs[place]) for place in places], [running[p][1].path for p in places]
        try:
            if places:
                await train_grid(configs, folders, lambda number, what: self._note(running, places[number], what))
        except (NotStackable, RuntimeError, WorkerKilled) as error:
            log.warning(
                "%d jobs are trained one by one, for they could not be trained together: %s", len(running), error
            )
            for _, folder, _ in running.values():
                folder.give_up(error)
            return [job for job, _, _ in running.values()]
        except BaseException as error:
            for _, folder, _ in running.values():
                folder.give_up(error)
            raise
        return []

    def _note(self, running: dict[int, tuple[FinetuningJob, Unfinished, OnStep]], place: int, what: Any) -> None:
        """A step, or the end, of the job at this place."""
        if isinstance(what, tuple):
            running[place][2](*what)
            return
        _, folder, _ = running.pop(place)
        try:
            if isinstance(what, Exception):
                raise what
            folder.complete()
        except Exception as error:
            folder.give_up(error)
            self.failed.append(error)

    def _teller(self, job: FinetuningJob) -> OnStep | None:
        on_step = self._on_step
        return None if on_step is None else lambda step, loss: on_step(job, step, loss)
