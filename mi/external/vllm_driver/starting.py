"""Starting a vLLM server of our own, and finding one that runs."""

import asyncio
import contextlib
import logging
import re
import secrets
import socket
import time
from collections.abc import AsyncIterator

from mi.config import home
from mi.external.local_driver.models import locate
from mi.external.vllm_driver.diagnosis import diagnosis
from mi.external.vllm_driver.server import Server, base_among
from mi.external.vllm_driver.settings import VllmSettings, serve_command, serve_environment
from mi.utils.errors import UserError
from mi.utils.files import make_folder
from mi.utils.tether import Tethered
from mi.utils.workers import close_workers

_log = logging.getLogger("mi.vllm")
PATIENCE_SECONDS = 3600.0
"""For a first start: weights are fetched and kernels compiled then."""
_GLANCE_SECONDS = 0.2


async def start(settings: VllmSettings, weights: str, port: int | None = None) -> Server:
    """A server of our own that answers, and that ends with this process.

    `weights` is "organism", a folder or a hub id. Raises UserError, with the mend, where it does not come up.
    """
    port = _free_port() if port is None else _checked(port)
    close_workers()  # idle ones may hold a part of the card
    key = secrets.token_hex(16)
    command = serve_command(settings, locate(weights), weights, port)
    folder = make_folder(home() / "logs")
    log = folder / f"vllm-{re.sub(r'[^A-Za-z0-9.]+', '-', weights).strip('-.')[-60:]}-{port}.log"
    log.write_text("$ " + " ".join(command) + "\n", encoding="utf-8")
    server = Server(f"http://127.0.0.1:{port}/v1", weights, key, Tethered(command, serve_environment(key), log), log)
    _log.info("vLLM is starting for %s; its output goes to %s", weights, log)
    try:
        await _until_well(server)
        await _look_at(server, [weights, locate(weights)])
    except BaseException:
        await asyncio.to_thread(_ended, server)
        raise
    return server


async def find(settings: VllmSettings, weights: str) -> Server:
    """The server at `settings.url`. Raises UserError where it is not there or serves another model."""
    assert settings.url is not None
    server = Server(settings.url if settings.url.endswith("/v1") else f"{settings.url}/v1", weights, settings.key)
    await _look_at(server, [weights, locate(weights)])
    return server


async def _look_at(server: Server, names: list[str]) -> None:
    """Fill in under which name the base answers, and how long it reads."""
    models = await server.models()
    entry = base_among(models, names)
    if entry is None:
        served = ", ".join(str(one.get("id")) for one in models) or "nothing that it tells (is MI_VLLM_KEY right?)"
        raise UserError(f"{server.root}: this server serves {served}, not {names[0]}; start one for it by `mi vllm`.")
    server.base = str(entry["id"])
    server.context = entry["max_model_len"] if isinstance(entry.get("max_model_len"), int) else None


async def _until_well(server: Server) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await server.is_well():
        if not server.is_up:
            raise _not_started(server)
        if time.monotonic() > deadline:
            raise UserError(f"vLLM did not answer within {PATIENCE_SECONDS:.0f} seconds; see {server.log}.")
        await asyncio.sleep(_GLANCE_SECONDS)


def _not_started(server: Server) -> UserError:
    assert server.log is not None
    return UserError(f"vLLM did not start for {server.base}: {diagnosis(server.log)} (its output: {server.log}).")


def _ended(server: Server) -> None:
    if server.process is not None:
        server.process.end()


class Own:
    """The one server that this process has started: a card holds one. Adapters of one base are asked side by side."""

    def __init__(self) -> None:
        self._server: Server | None = None
        self._weights = ""
        self._users = 0
        self._starting = False

    @contextlib.asynccontextmanager
    async def server(self, settings: VllmSettings, weights: str) -> AsyncIterator[Server]:
        """The server of these weights, started if there is none; where another base is being asked, after that."""
        while not (server := await self._taken(settings, weights)):
            await asyncio.sleep(_GLANCE_SECONDS)
        try:
            yield server
        finally:
            self._users -= 1

    def close(self) -> None:
        """End it."""
        server, self._server = self._server, None
        if server is not None:
            _ended(server)

    async def _taken(self, settings: VllmSettings, weights: str) -> Server | None:
        """The server with one more user, or None where it is not the time yet."""
        if self._starting:
            return None
        if self._server is None or not self._server.is_up or self._weights != weights:
            if self._users:
                return None
            self._starting = True
            try:
                await asyncio.to_thread(self.close)
                self._server, self._weights = await start(settings, weights), weights
            finally:
                self._starting = False
        self._users += 1
        return self._server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _checked(port: int) -> int:
    """The port. Raises UserError where it is taken: vLLM itself would say so after minutes only."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(
                f"127.0.0.1 port {port} cannot be had ({error.strerror}); give another by --port."
            ) from error
    return port
