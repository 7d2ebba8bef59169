"""Single calls, asked through the store: what it holds costs nothing, and what comes at one time is asked together."""

import asyncio
import functools

from mi.evaluation.budget import Budget
from mi.evaluation.calls import Desk
from mi.evaluation.reserve import Reserve
from mi.evaluation.store import Call, Kind, call_key, store_dir
from mi.llm.data_models import LLMResponse, Model


class Asker:
    """Calls to one model, one by one, as Inspect makes them. The file is open while any call is under way."""

    def __init__(self, kind: Kind, model: Model) -> None:
        self._kind: Kind = kind
        self._model = model
        self._new: dict[str, Call] = {}
        self._futures: dict[str, asyncio.Future[LLMResponse]] = {}
        self._desk: Desk | None = None
        self._work: asyncio.Task | None = None

    async def ask(self, call: Call) -> LLMResponse:
        """The answer to a call, on the disk before it is given. Raises UserError where the model cannot be asked."""
        key = await asyncio.to_thread(_key, self._model, call)
        future = self._futures.get(key)
        if future is None:
            future = self._futures[key] = asyncio.get_running_loop().create_future()
            if self._desk is not None:
                self._desk.submit(key, call)
            else:
                self._new[key] = call
            if self._work is None:
                self._work = asyncio.get_running_loop().create_task(self._run())
        return await asyncio.shield(future)

    async def _run(self) -> None:
        """A desk for as long as calls come; another when they come again."""
        try:
            while self._new:
                await self._sitting()
        finally:
            self._work = None

    async def _sitting(self) -> None:
        reserve = Reserve(store_dir())
        desk = Desk(self._kind, self._model, self._deliver, reserve, Budget())
        try:
            new, self._new = self._new, {}
            self._desk = desk
            for key, call in new.items():
                desk.submit(key, call)
            await desk.drain()
        except BaseException as error:
            self._fail(error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._desk = None
            await desk.close()
            reserve.release()

    def _deliver(self, key: str, response: LLMResponse) -> None:
        future = self._futures.pop(key, None)
        if future is not None and not future.done():
            future.set_result(response)

    def _fail(self, error: BaseException) -> None:
        """Every call that the failed desk had is told; those that were not handed in yet wait for the next."""
        failed = [key for key in self._futures if key not in self._new]
        for key in failed:
            future = self._futures.pop(key)
            if isinstance(error, Exception):
                future.set_exception(error)
            else:
                future.cancel()


class Askers:
    """One asker for each model and event loop."""

    def __init__(self, kind: Kind) -> None:
        self._kind: Kind = kind
        self._askers: dict[tuple[int, Model], Asker] = {}

    async def ask(self, model: Model, call: Call) -> LLMResponse:
        """As `Asker.ask`."""
        at = (id(asyncio.get_running_loop()), model)
        if at not in self._askers:
            self._askers[at] = Asker(self._kind, model)
        return await self._askers[at].ask(call)


def _key(model: Model, call: Call) -> str:
    return call_key(_fingerprint(model), call)


@functools.lru_cache(maxsize=256)
def _fingerprint(model: Model) -> str:
    from mi.llm.services import fingerprint

    return fingerprint(model)
