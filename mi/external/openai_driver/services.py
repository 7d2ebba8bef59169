"""The verbs of the driver: sample many answers, and name the model that gives them."""

import asyncio
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from mi.external.openai_driver.client import Client, Loop, Patience, pool_of
from mi.external.openai_driver.endpoints import Capabilities, Endpoint, Kind
from mi.external.openai_driver.keys import Key, Purpose, read_keyring
from mi.llm.data_models import LLMResponse, Model, SampleRequest
from mi.utils.errors import UserError
from mi.utils.hashing import digest

OnResponse = Callable[[int, LLMResponse], None]
PATIENCE = Patience()
_GLANCE_SECONDS = 0.05
_KEYS_SECONDS = 1.0
"""For so long a loop goes on with the key that it has found, for reading the files again costs more than a call."""


@dataclass(frozen=True)
class Bound:
    """A model with the key that owns it, and what its endpoint takes."""

    client: Client
    capabilities: Capabilities


def fingerprint(model: Model) -> str:
    """The identity of a remote model, 32 hexadecimal digits over its endpoint (`Endpoint.identity`) and its id.

    A dated snapshot is what it is called. An alias ("gpt-4.1") is a name that its provider may give to another model
    one day, and answers that were kept under it are then those of the older one: name snapshots in what you publish.
    No key is needed.
    """
    if model.job_id is not None:
        raise UserError(f"{model.id}: a model behind an API is named by its id alone; give the one that its job made.")
    return digest(["chat-completions", read_keyring().endpoint(model.endpoint).identity, model.id])


async def sample_batch(
    model: Model, requests: Sequence[SampleRequest], on_response: OnResponse | None = None
) -> list[LLMResponse]:
    """Answers in the order of the requests; `on_response(place, answer)` is called as soon as each has come back.

    Raises UserError where no retry can bring an answer; what was on its way then has been answered and told first.
    """
    return await sample_bound(await bind(model), requests, on_response)


async def sample_bound(
    bound: Bound, requests: Sequence[SampleRequest], on_response: OnResponse | None = None
) -> list[LLMResponse]:
    """As `sample_batch`, for a model whose server and key are known."""
    return await _Batch(bound, requests, on_response).run()


async def bind(model: Model, purpose: Purpose = "evaluate") -> Bound:
    """The model with its key, once a loop: the only key that there is, or the first that the endpoint lists it for.

    Which keys may see a model is asked by GET /models/<id>, which costs nothing, and never by a completion. What a
    person changes in the environment or the files meanwhile is noticed a second later.
    """
    loop = asyncio.get_running_loop()
    found = _found.get(loop) or _found.setdefault(loop, _Found())
    until, bound = found.lately.get((model, purpose), (0.0, None))
    if bound is None or loop.time() >= until:
        bound = await _bind_anew(found, model, purpose)
        found.lately[model, purpose] = (loop.time() + _KEYS_SECONDS, bound)
    return bound


@dataclass
class _Found:
    """What one event loop knows: models by their keys, being bound or bound, and those of the last second."""

    by_keys: dict[tuple[tuple[Key, ...], str], asyncio.Future[Bound]] = field(default_factory=dict)
    lately: dict[tuple[Model, Purpose], tuple[float, Bound]] = field(default_factory=dict)


_found: weakref.WeakKeyDictionary[Loop, _Found] = weakref.WeakKeyDictionary()


async def _bind_anew(found: _Found, model: Model, purpose: Purpose) -> Bound:
    ring = read_keyring()
    endpoint = ring.endpoint(model.endpoint)
    keys = ring.candidates(endpoint, purpose)
    for loop in [loop for loop in _found if loop.is_closed()]:
        del _found[loop]
    name = (keys, model.id)
    if name not in found.by_keys:
        found.by_keys[name] = asyncio.ensure_future(_bind(keys, endpoint, model.id))
    try:
        return await asyncio.shield(found.by_keys[name])
    except BaseException:
        found.by_keys.pop(name, None)
        raise


async def _bind(keys: Sequence[Key], endpoint: Endpoint, model_id: str) -> Bound:
    clients = [Client(key, model_id, await pool_of(key), PATIENCE) for key in keys]
    client = clients[0] if len(clients) == 1 else await _owner(clients, model_id)
    kind = endpoint.kind or endpoint.provider or await _kind(client)
    return Bound(client, endpoint.capabilities(kind, model_id))


async def _owner(clients: Sequence[Client], model_id: str) -> Client:
    """The first client whose key may see the model. Raises UserError for a fine-tuned model that none may see."""
    said = []
    for client in clients:
        status, _ = await client.get(f"models/{model_id}")
        if status == 200:
            return client
        said.append(f"{client.key.name}: {status}")
    if model_id.startswith("ft:"):
        raise UserError(f"{model_id}: none of the keys may see this model ({', '.join(said)}); add its owner's key.")
    return clients[0]


async def _kind(client: Client) -> Kind:
    """What software serves an endpoint of which nothing was declared: its list of models says whose they are."""
    status, payload = await client.get("models")
    try:
        owners = {entry.get("owned_by") for entry in msgspec.json.decode(payload)["data"]} if status == 200 else set()
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError):
        owners = set()
    return "vllm" if "vllm" in owners else "mi" if "mi" in owners else "other"


class _Batch:
    """Requests of one call, drawn by as many workers as the endpoint has connections."""

    def __init__(self, bound: Bound, requests: Sequence[SampleRequest], on_response: OnResponse | None) -> None:
        self._bound, self._requests, self._on_response = bound, requests, on_response
        self._answers: list[LLMResponse | None] = [None] * len(requests)
        self._work = _groups(requests, bound.capabilities)
        self._on_wire: set[asyncio.Task | None] = set()
        self._failure: BaseException | None = None
        self._working, self._over = 0, asyncio.Event()
        """Workers that have not ended; and whether all have, or one has failed."""

    async def run(self) -> list[LLMResponse]:
        """All answers. Where one call fails, those that are on the wire are waited for, for they are paid."""
        n_workers = min(len(self._requests), self._bound.client.endpoint.connections)
        workers = [asyncio.create_task(self._work_off()) for _ in range(n_workers)]
        self._working = n_workers
        try:
            if workers:
                await self._over.wait()
            while self._failure is not None and (pending := [worker for worker in workers if not worker.done()]):
                for worker in pending:
                    if worker not in self._on_wire:
                        worker.cancel()
                # Look again and again for those that have left the wire.
                await asyncio.wait(pending, timeout=_GLANCE_SECONDS)
        finally:
            if self._failure is not None or not all(worker.done() for worker in workers):
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
        if self._failure is not None:
            raise self._failure
        return [answer for answer in self._answers if answer is not None]

    async def _work_off(self) -> None:
        """Ask for group after group; a group's places that got no answer are asked again."""
        task = asyncio.current_task()

        def on_wire(begins: bool) -> None:
            (self._on_wire.add if begins else self._on_wire.discard)(task)

        try:
            for places in self._work:
                while places and self._failure is None:
                    places = await self._ask(places, on_wire)
                if self._failure is not None:
                    return
        except Exception as error:
            self._failure = self._failure or error
            raise
        finally:
            self._working -= 1
            if self._failure is not None or not self._working:
                self._over.set()

    async def _ask(self, places: Sequence[int], on_wire: Callable[[bool], None]) -> Sequence[int]:
        """Ask once for the answers of these places, which share a question. Returns the places that got none."""
        client, capabilities = self._bound.client, self._bound.capabilities
        answers = await client.ask(self._requests[places[0]], capabilities, len(places), on_wire)
        for place, answer in zip(places, answers, strict=False):
            self._answers[place] = answer
            if self._on_response is not None:
                self._on_response(place, answer)
        return places[len(answers) :]


def _groups(requests: Sequence[SampleRequest], capabilities: Capabilities) -> Iterator[list[int]]:
    """The places of requests that may share a call: neighbours of one question, where no seed tells them apart."""
    most = 1 if capabilities.seed else capabilities.n
    group: list[int] = []
    for place, request in enumerate(requests):
        first = requests[group[0]] if group else request
        if group and (len(group) >= most or (request.chat, request.cfg) != (first.chat, first.cfg)):
            yield group
            group = []
        group.append(place)
    if group:
        yield group
