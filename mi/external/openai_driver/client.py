"""A thin chat-completions client: one pool of connections a key and event loop, one layer of retries."""

import asyncio
import random
import time
import urllib.request
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from mi import __version__
from mi.external.openai_driver.deadlines import Deadlines
from mi.external.openai_driver.endpoints import Capabilities
from mi.external.openai_driver.failures import Trouble, failure_inside, read_failure
from mi.external.openai_driver.keys import Key
from mi.external.openai_driver.limits import Connections, Limiter
from mi.external.openai_driver.wire import (
    UnreadableReply,
    WrongModel,
    estimated_tokens,
    read_reply,
    request_body,
)
from mi.llm.data_models import LLMResponse, SampleRequest
from mi.llm.traffic import retried
from mi.utils.errors import UserError
from mi.utils.files import allow_open_files

if TYPE_CHECKING:
    from aiohttp import ClientSession

_OTHER_FILES = 256
"""What a process may have open beside the connections of one key."""
T = TypeVar("T")
Loop = asyncio.AbstractEventLoop


@dataclass(frozen=True)
class Patience:
    """How long a failure is met with another try."""

    first_wait: float = 0.5
    """Seconds before the first retry where the server does not say; doubled with each, and drawn anew by up to half."""
    longest_wait: float = 30.0
    tries: int = 8
    """Requests for one answer that a failing server or connection may cost."""
    tries_unheard: int = 4
    """The same where the endpoint has never replied: a wrong address fails soon."""
    tries_unread: int = 3
    """The same for replies that hold no answer, for they may have been paid."""
    without_answer: float = 600.0
    """Seconds that an endpoint may go on refusing by its limits without answering anything."""


class Client:
    """One model at one endpoint under one key, within one event loop."""

    def __init__(self, key: Key, model_id: str, pool: "Pool", patience: Patience) -> None:
        self.key, self.endpoint, self.model_id = key, key.endpoint, model_id
        self._session, self._deadlines, self._patience = pool.session, pool.deadlines, patience
        self._where = f"{model_id} at {self.endpoint.title} (key {key.name})"
        self._url = f"{self.endpoint.base_url}/chat/completions"
        self._limiter = Limiter(self.endpoint, pool.connections)
        self._heard_at: float | None = None
        self._proxy = _proxy(self.endpoint.base_url)

    async def ask(
        self, request: SampleRequest, capabilities: Capabilities, n: int, on_wire: Callable[[bool], None]
    ) -> list[LLMResponse]:
        """One to `n` answers. `on_wire(True)` is called when a request goes out, `on_wire(False)` when it is over.

        Raises UserError where no retry can bring an answer.
        """
        body, tokens = request_body(self.model_id, request, capabilities, n), estimated_tokens(request, n)

        async def attempt() -> list[LLMResponse]:
            ticket = await self._limiter.admit(tokens)
            try:
                on_wire(True)
                status, headers, payload = await self._post(body)
            finally:
                self._limiter.release(tokens)
                on_wire(False)
            return self._read(ticket, status, headers, payload)

        return await self._with_retries(attempt)

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET under the base URL; it costs nothing. Raises UserError for a server out of reach."""

        async def attempt() -> tuple[int, bytes]:
            status, headers, payload = await self._exchange("GET", f"{self.endpoint.base_url}/{path}", None)
            if status in (408, 429) or status >= 500:
                read_failure(self._where, status, headers, payload)
            return status, payload

        return await self._with_retries(attempt)

    async def _post(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        return await self._exchange("POST", self._url, body)

    def _read(self, ticket: float, status: int, headers: Mapping[str, str], payload: bytes) -> list[LLMResponse]:
        """The answers of a reply; the limiter learns of it first."""
        self._heard_at = time.monotonic() if status != 429 or self._heard_at is None else self._heard_at
        try:
            if status != 200:
                answers = [read_failure(self._where, status, headers, payload)]
            else:
                answers = self._answers(headers, payload)
        except Trouble as trouble:
            if trouble.kind == "limit":
                self._limiter.refused(ticket, headers, trouble.retry_after)
            raise
        self._limiter.answered(ticket, headers)
        return answers

    def _answers(self, headers: Mapping[str, str], payload: bytes) -> list[LLMResponse]:
        try:
            return read_reply(payload, self.model_id, self.endpoint.any_model_name)
        except UnreadableReply as error:
            if (status := failure_inside(payload)) is not None:
                return [read_failure(self._where, status, headers, payload)]
            raise Trouble("reply", str(error)) from error
        except WrongModel as error:
            raise UserError(
                f"{self._where}: the server answered as {error}; ask for that model, or declare any_model_name for "
                "the endpoint."
            ) from error

    async def _exchange(self, method: str, url: str, body: bytes | None) -> tuple[int, Mapping[str, str], bytes]:
        """One request and its whole reply. The time-out begins here: whoever waits for admission runs against none."""
        import aiohttp

        # A payload that is made here is not looked up by the type of its content.
        data = None if body is None else aiohttp.BytesPayload(body, content_type="application/json")
        task = self._deadlines.begin()
        try:
            async with self._session.request(
                method, url, data=data, allow_redirects=False, proxy=self._proxy
            ) as response:
                return response.status, response.headers, await response.read()
        except (aiohttp.InvalidURL, aiohttp.ClientConnectorCertificateError, ValueError) as error:
            raise UserError(f"{self._where}: no connection can be made ({error}); mend the base URL.") from error
        except asyncio.CancelledError as error:
            if not self._deadlines.passed(task):
                raise
            raise Trouble("server", f"no reply within {self.endpoint.timeout:g} seconds") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Trouble("server", f"the connection failed ({_named(error)})") from error
        finally:
            self._deadlines.end(task)

    async def _with_retries(self, attempt: Callable[[], Awaitable[T]]) -> T:
        tries, began = 0, time.monotonic()
        while True:
            try:
                return await attempt()
            except Trouble as trouble:
                tries += 1
                if (reason := self._hopeless(trouble, tries, began)) is not None:
                    raise UserError(f"{self._where}: {reason}; run the same command again later.") from trouble
                retried(self.model_id)
                await asyncio.sleep(self._wait(trouble, tries))

    def _wait(self, trouble: Trouble, tries: int) -> float:
        """Seconds before the next try: what the server asks for, or a wait that doubles; never all at once."""
        if trouble.retry_after is not None:
            return trouble.retry_after * random.uniform(1.0, 1.1)
        wait = min(self._patience.first_wait * 2 ** (tries - 1), self._patience.longest_wait)
        return wait * random.uniform(0.5, 1.0)

    def _hopeless(self, trouble: Trouble, tries: int, began: float) -> str | None:
        """Why another try is not worth it; None where it is."""
        patience = self._patience
        if (trouble.retry_after or 0) > patience.without_answer:
            return f"the server asks to wait {trouble.retry_after:.0f} seconds ({trouble.reason})"
        if trouble.kind == "limit":
            since = max(began, self._heard_at or began)
            waited = time.monotonic() - since > patience.without_answer
            return f"it has only refused for {patience.without_answer:g} seconds ({trouble.reason})" if waited else None
        most = {"reply": patience.tries_unread}.get(trouble.kind, patience.tries)
        if self._heard_at is None and trouble.kind == "server":
            most = patience.tries_unheard
        return f"{tries} tries brought no answer ({trouble.reason})" if tries >= most else None


@dataclass(frozen=True)
class Pool:
    """The connections of a key in one event loop, the count of those in use, and what ends them."""

    session: "ClientSession"
    connections: Connections
    deadlines: Deadlines


_pools: weakref.WeakKeyDictionary[Loop, dict[Key, AsyncGenerator[Pool]]] = weakref.WeakKeyDictionary()


async def pool_of(key: Key) -> Pool:
    """The pool of a key in the running event loop; it is closed when the loop is."""
    held = _pools.setdefault(asyncio.get_running_loop(), {})
    if key not in held:
        held[key] = _held_pool(key)
    return await anext(held[key])


async def _held_pool(key: Key) -> "AsyncGenerator[Pool]":
    """An asynchronous generator, because the loop ends those that are left when it shuts down (`asyncio.run` does)."""
    import aiohttp

    loop = asyncio.get_running_loop()
    headers = {"Content-Type": "application/json", "User-Agent": f"mi/{__version__}"}
    if key.secret is not None:
        headers["Authorization"] = f"Bearer {key.secret}"
    if key.organization:
        headers["OpenAI-Organization"] = key.organization
    if key.project:
        headers["OpenAI-Project"] = key.project
    files = allow_open_files(_OTHER_FILES + key.endpoint.connections)
    most = min(key.endpoint.connections, max(files - _OTHER_FILES, files // 2))
    # The limiter counts connections: a limit here would let a request's time run while it waits.
    connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=60)
    timeout = aiohttp.ClientTimeout(total=None)  # see Deadlines
    try:
        async with aiohttp.ClientSession(
            connector=connector, headers=headers, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            pool = Pool(session, Connections(most), Deadlines(key.endpoint.timeout))
            while True:
                yield pool
    finally:
        _pools.get(loop, {}).pop(key, None)


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL; asked once, for a look-up a request would cost more than it."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def _named(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__
