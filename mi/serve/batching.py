"""Dynamic batching: requests that come within a few milliseconds of each other are answered together."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mi.external.local_driver.sampling import OnPiece, sample_each
from mi.llm.data_models import LLMResponse, Model, SampleRequest, TokenLogprob
from mi.serve.errors import ApiError
from mi.utils.errors import UserError
from mi.utils.workers import Workers, worker_count

LARGEST_BATCH = 64
"""Requests that go to a worker together."""
SMALLEST_SHARE = 16
"""Fewer requests than this are not divided between idle workers: a batch costs little more than one request."""


@dataclass
class _Waiting:
    """A request and whoever waits for its answer."""

    request: SampleRequest
    answer: asyncio.Future[LLMResponse | UserError]
    on_piece: Callable[[str, tuple[TokenLogprob, ...]], None] | None


class Batcher:
    """Collects requests a model, and answers each model's together, in worker processes of its own.

    A request's answer follows from its own seed, so who is answered beside it does not matter. Models take turns.
    """

    def __init__(self, batch_seconds: float, most_waiting: int) -> None:
        self._seconds, self._most = batch_seconds, most_waiting
        self._queues: dict[Model, deque[_Waiting]] = {}
        self._workers = Workers()
        self._free = worker_count()
        self._n_waiting = 0
        self._tasks: set[asyncio.Task] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def ask(
        self, model: Model, requests: Sequence[SampleRequest], on_piece: OnPiece | None = None
    ) -> list[LLMResponse]:
        """The answers in the order of the requests; with `on_piece`, told while they grow.

        Raises UserError for a request that cannot be asked, and ApiError (429) where too many are waiting.
        """
        if self._n_waiting + len(requests) > self._most:
            raise ApiError(
                429, f"{self._n_waiting} answers are waited for already; try again soon.", "rate_limit_exceeded"
            )
        loop = asyncio.get_running_loop()
        waiting = [
            _Waiting(request, loop.create_future(), _for_index(on_piece, index))
            for index, request in enumerate(requests)
        ]
        self._queues.setdefault(model, deque()).extend(waiting)
        self._n_waiting += len(waiting)
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._dispatch)
        try:
            answers = await asyncio.gather(*(one.answer for one in waiting))
        finally:
            self._n_waiting -= len(waiting)
        for answer in answers:
            if isinstance(answer, UserError):
                raise answer
        return [answer for answer in answers if isinstance(answer, LLMResponse)]

    async def warm(self, model: Model) -> None:
        """Have a worker read a model, so that the first request need not wait for it."""
        self._free -= 1
        try:
            await self._workers.run(sample_each, model, [])
        finally:
            self._free += 1
            self._dispatch()

    async def close(self) -> None:
        """End everything that runs, and the workers."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._workers.close()

    def _dispatch(self) -> None:
        """Hand batches to free workers, oldest model first."""
        self._timer = None
        while self._free and self._queues:
            model, queue = next(iter(self._queues.items()))
            share = max(SMALLEST_SHARE, -(-len(queue) // self._free))
            size = min(LARGEST_BATCH, share, len(queue))
            batch = [one for one in (queue.popleft() for _ in range(size)) if not one.answer.done()]
            del self._queues[model]  # to the end of the line, if there is more
            if queue:
                self._queues[model] = queue
            if batch:
                self._free -= 1
                task = asyncio.get_running_loop().create_task(self._answer(model, batch))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self, model: Model, batch: list[_Waiting]) -> None:
        try:
            watched = frozenset(index for index, one in enumerate(batch) if one.on_piece)
            requests = [one.request for one in batch]
            tell = _teller(batch) if watched else None
            answers = await self._workers.run(sample_each, model, requests, watched, on_progress=tell)
            for one, answer in zip(batch, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)
        except BaseException as error:
            for one in batch:
                if not one.answer.done():
                    one.answer.set_exception(RuntimeError(f"sampling failed: {error}"))
            if not isinstance(error, Exception):
                raise
        finally:
            self._free += 1
            if self._timer is None and self._queues:
                self._timer = asyncio.get_running_loop().call_later(0, self._dispatch)


def _for_index(on_piece: OnPiece | None, index: int) -> Callable[[str, tuple[TokenLogprob, ...]], None] | None:
    return None if on_piece is None else lambda text, tokens: on_piece(index, text, tokens)


def _teller(batch: list[_Waiting]) -> OnPiece:
    def tell(index: int, text: str, tokens: tuple[TokenLogprob, ...]) -> None:
        on_piece = batch[index].on_piece
        if on_piece is not None and not batch[index].answer.done():
            on_piece(text, tokens)

    return tell
