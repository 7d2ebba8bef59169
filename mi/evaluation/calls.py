"""Asking for what the store does not hold, and for nothing else: each answer is kept, then handed on, as it comes."""

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable, Collection, Sequence

from mi.evaluation.budget import Budget
from mi.evaluation.reserve import Reserve
from mi.evaluation.store import Call, Kind, Shelf, Take, call_key, scan, store_dir, store_path
from mi.executors.current import elsewhere
from mi.llm import services as llm
from mi.llm.data_models import LLMResponse, Model
from mi.utils.errors import UserError

LOCAL_BATCH, LOCAL_WINDOW, REMOTE_BATCH = 256, 2048, 64
"""Calls that go to a backend together, and calls of a local model that are with it at once: all, on another node."""
_AHEAD = 2.5
"""Calls with a remote endpoint, over those that it is asked at a time: it never waits for us, and judging does not
queue behind all of the sampling."""
_POLL_SECONDS, _POLL_SECONDS_A_CALL = 0.1, 1e-5
_log = logging.getLogger(__name__)


class Desk:
    """Where calls to a model are handed in: the known are delivered, what another asks is awaited, the rest is asked.

    `deliver(key, response)` is told each wanted answer, as soon as it is in the store; `begin(keys)` what is asked now.
    """

    def __init__(
        self,
        kind: Kind,
        model: Model,
        deliver: Take,
        reserve: Reserve,
        budget: Budget,
        begin: Callable[[Collection[str]], None] | None = None,
    ) -> None:
        self.model = model
        self.fingerprint = llm.fingerprint(model)
        self.failure: BaseException | None = None
        self._batch, self._window = LOCAL_BATCH, LOCAL_WINDOW if elsewhere() is None else sys.maxsize
        if model.type != "local":
            self._batch, self._window = REMOTE_BATCH, max(REMOTE_BATCH, round(_AHEAD * llm.at_once(model)))
        self._kind, self._deliver, self._budget, self._begin = kind, deliver, budget, begin
        self._reserve = reserve
        self._shelf = Shelf(kind, self.fingerprint, model, reserve)
        self._calls: dict[str, Call] = {}  # what is wanted and has not come
        self._new: list[str] = []
        self._queue: deque[str] = deque()
        self._elsewhere: dict[str, str] = {}
        self._tasks: set[asyncio.Task] = set()
        self._outstanding = 0
        self._waiter: asyncio.Task | None = None
        self._scheduled = False
        self._changed = asyncio.Event()
        budget.subscribe(self._pump)

    def load(self, wanted: Collection[str]) -> None:
        """Deliver what the store holds of `wanted`."""
        self._shelf.load(wanted, self._deliver)

    def submit(self, key: str, call: Call) -> None:
        """Want an answer that is not known yet; what is submitted in one turn of the event loop is asked together."""
        if key not in self._calls:
            self._calls[key] = call
            self._take_in_soon(key)

    async def drain(self) -> None:
        """Wait until all that was submitted is delivered. Raises what the asking failed with, when all has ended."""
        while self._busy():
            self._changed.clear()
            await self._changed.wait()
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        """End what is under way and close the file."""
        tasks = [*self._tasks, *([self._waiter] if self._waiter else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._shelf.close()

    def _busy(self) -> bool:
        return bool(self._tasks) or (self.failure is None and bool(self._calls))

    def _fail(self, error: BaseException) -> None:
        self.failure = self.failure or error
        self._changed.set()

    def _take_in_soon(self, key: str) -> None:
        self._new.append(key)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._take_in)

    def _take_in(self) -> None:
        """Sort what was submitted: known by now, being asked by another, ours to ask."""
        self._scheduled = False
        new, self._new = self._new, []
        if self.failure is not None:
            return
        try:
            mine, theirs = self._shelf.claim(new)
            self._queue.extend(mine)
            known = set(new).difference(mine, theirs)
            for key in known:
                self._deliver_known(key)
        except Exception as error:
            self._fail(error)
            return
        if theirs:
            self._wait_for(theirs)
        self._pump()

    def _deliver_known(self, key: str) -> None:
        response = self._shelf.read(key)
        if response is None:
            self._take_in_soon(key)
        else:
            self._arrive(key, response)

    def _arrive(self, key: str, response: LLMResponse) -> None:
        if self._calls.pop(key, None) is not None:
            self._deliver(key, response)
        self._changed.set()

    def _pump(self) -> None:
        """Start as many batches as there is room for, in the window and in the budget."""
        while self._queue and self.failure is None and self._outstanding < self._window:
            if self._reserve.full is not None:
                self._fail(self._reserve.full)
                return
            batch = [self._queue[place] for place in range(min(self._batch, len(self._queue)))]
            try:
                admitted = self._budget.admit(self.model, [self._calls[key] for key in batch])
            except UserError as error:
                self._fail(error)
                return
            if not admitted:
                return
            for _ in range(admitted):
                self._queue.popleft()
            self._outstanding += admitted
            if self._begin is not None:
                self._begin(batch[:admitted])
            task = asyncio.get_running_loop().create_task(self._ask(batch[:admitted]))
            self._tasks.add(task)

    async def _ask(self, keys: Sequence[str]) -> None:
        calls = [self._calls[key] for key in keys]

        def keep(place: int, response: LLMResponse) -> None:
            self._shelf.append(keys[place], calls[place], response)
            self._budget.settle(self.model, calls[place], response)
            calls[place] = None  # type: ignore[call-overload]
            self._arrive(keys[place], response)

        try:
            requests = [llm.request(call.chat, call.cfg, call.index) for call in calls]
            for place, response in enumerate(await llm.batch_sample(self.model, requests, keep)):
                if calls[place] is not None:  # a backend that tells nothing before its end
                    keep(place, response)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._fail(error)
        finally:
            self._budget.forgo(self.model, [call for call in calls if call is not None])
            self._outstanding -= len(keys)
            self._tasks.discard(asyncio.current_task())  # type: ignore[arg-type]
            self._changed.set()
        self._budget.announce()

    def _wait_for(self, theirs: dict[str, str]) -> None:
        self._elsewhere.update(theirs)
        if self._waiter is None or self._waiter.done():
            processes = ", ".join(sorted(set(theirs.values())))
            _log.warning(
                "%s: waiting for %d %s that process %s is asking for.",
                self.model.id, len(theirs), self._kind, processes,
            )  # fmt: skip
            self._waiter = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        """Look every now and then whether others have answered, and take over what they gave up."""
        try:
            while self._elsewhere and self.failure is None:
                await asyncio.sleep(_POLL_SECONDS + len(self._elsewhere) * _POLL_SECONDS_A_CALL)
                waiting = list(self._elsewhere)
                mine, self._elsewhere = self._shelf.claim(waiting)
                self._queue.extend(mine)
                for key in set(waiting).difference(mine, self._elsewhere):
                    self._deliver_known(key)
                self._pump()
        except Exception as error:
            self._fail(error)


async def ask(kind: Kind, model: Model, calls: Sequence[Call]) -> list[LLMResponse]:
    """The answers to `calls`, in their order: from the store, and from the model for what is missing there.

    A call that occurs twice is asked once. Each answer is on the disk as soon as it has come.
    """
    if not calls:
        return []
    known: dict[str, LLMResponse] = {}
    reserve = Reserve(store_dir())
    desk = Desk(kind, model, known.__setitem__, reserve, Budget())
    try:
        keys = [call_key(desk.fingerprint, call) for call in calls]
        desk.load(set(keys))
        for key, call in zip(keys, calls, strict=True):
            if key not in known:
                desk.submit(key, call)
        await desk.drain()
    finally:
        await desk.close()
        reserve.release()
    return [known[key] for key in keys]


def recall(kind: Kind, model: Model, calls: Sequence[Call]) -> list[LLMResponse | None]:
    """What the store holds of `calls`, in their order; None for what it does not. Nothing is asked."""
    if not calls:
        return []
    fingerprint = llm.fingerprint(model)
    keys = [call_key(fingerprint, call) for call in calls]
    known: dict[str, LLMResponse] = {}
    scan(store_path(kind, fingerprint), set(keys), known.__setitem__)
    return [known.get(key) for key in keys]
