"""The executor for a cluster: a unit is a Ray task, which does it in a process of its own on whichever node is free."""

import asyncio
import contextlib
import importlib.util
import logging
import os
import socket
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from mi.config import home
from mi.executors.data_models import Share, Tell, Unit
from mi.executors.node import Order, Report, carry_out, code_digest, input_name, output_name
from mi.executors.store import Damaged, Store
from mi.utils.errors import UserError

log = logging.getLogger("mi.executors")

LOST_NODES = 5
"""How often one unit is begun anew because its node left."""
_LOOK_SECONDS = 1.0
_SEEN_SECONDS = 30.0
"""How long a file that a node wrote may take to be seen here: a network folder remembers what it did not hold."""
_OBJECTS = 100_000_000
"""Bytes for Ray's objects on a cluster of our own: ours are a few hundred bytes each."""
_one_connects = threading.Lock()
"""A process has one connection, whichever of its executors made it."""


class RayExecutor:
    """Units as tasks of the Ray cluster at `address`, their files through the store at `store`.

    `address` None takes RAY_ADDRESS, else this machine alone; "auto" the cluster that this machine belongs to. `store`
    None is a folder under MI_HOME, for nodes that share it. Where no node can take a unit, it is waited for one for
    `patience` seconds, which clusters that grow by themselves need. Nothing is connected before the first unit.
    """

    def __init__(
        self,
        address: str | None = None,
        store: str | None = None,
        share: Share | None = None,
        patience: float = 60.0,
    ) -> None:
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._share = share or Share()
        self._patience = patience
        self._store = Store(store or str(home() / "shared"))
        self._code = code_digest()
        self._connecting: asyncio.Task | None = None
        self._pushing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._owned = False
        self.under_way: dict[str, str] = {}
        """By unit: the attempt that a node is at, as far as it is known here."""
        self._nodes: tuple[float, list[dict[str, Any]]] = (0.0, [])

    async def run(self, unit: Unit, into: Path, tell: Tell | None = None) -> None:
        """As `Executor.run`. Where this is cancelled, the node has been told to end the unit."""
        for last in (False, True):
            if not await asyncio.to_thread(self._store.has, output_name(unit)):
                await self._have_done(unit, tell)
            try:
                await self._fetch(unit, into)
                return
            except Damaged as error:
                log.warning("%s: %s; it is done again.", unit.label, error)
                if last:
                    raise UserError(
                        f"{unit.label}: what it made arrives damaged ({error}); look at the store."
                    ) from error

    def close(self) -> None:
        """Disconnect; a cluster that this executor began for itself ends."""
        if self._owned:
            import ray

            ray.shutdown()
            self._owned = False
        self._connecting = None

    async def _have_done(self, unit: Unit, tell: Tell | None) -> None:
        ray = await self._connected()
        for name, files in unit.inputs.items():
            async with self._pushing[name]:
                await asyncio.to_thread(self._store.push, input_name(name), files)
        gpus = self._gpus()
        await asyncio.to_thread(self._store.note, unit.id, None)
        task = ray.remote(carry_out).options(
            name=unit.label, num_cpus=self._share.cpus, num_gpus=gpus, max_retries=LOST_NODES, retry_exceptions=False
        )
        reference = task.remote(Order(unit, self._store.url, self._code, gpus))
        try:
            report = await self._followed(unit, reference, tell)
        except BaseException:
            with contextlib.suppress(Exception):
                ray.cancel(reference, force=True)
            raise
        finally:
            self.under_way.pop(unit.id, None)
        if report.failure is not None:
            raise UserError(f"{unit.label}, on {report.node}: {_as_here(report.failure, unit)}")

    async def _followed(self, unit: Unit, reference: Any, tell: Tell | None) -> Report:
        """The report, once it comes. Raises UserError where the unit was lost for good or nobody can take it."""
        from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

        arriving = asyncio.wrap_future(reference.future())
        follower, hopeless_since = _Follower(unit, tell, self.under_way), None
        while not arriving.done():
            await asyncio.wait([arriving], timeout=_LOOK_SECONDS)
            if not arriving.done():
                follower.look(await asyncio.to_thread(self._store.noted, unit.id))
            hopeless_since = None if self._has_room() else hopeless_since or time.monotonic()
            if hopeless_since is not None and time.monotonic() - hopeless_since >= self._patience:
                arriving.cancel()
                raise UserError(f"{unit.label}: {self._no_room()}")
        try:
            return arriving.result()
        except OutOfMemoryError as error:
            raise UserError(
                f"{unit.label}: a node's memory ran out, each time that it was tried; give each unit more of a node by "
                "--cpus, so that fewer share one."
            ) from error
        except RayTaskError as error:
            reason = str(error.cause or error).strip().rpartition("\n")[2]
            raise UserError(
                f"{unit.label}: no node could begin it ({reason}); install the same mi, Ray and Python on every node."
            ) from error
        except RayError as error:
            raise UserError(
                f"{unit.label}: lost with its node or its connection ({type(error).__name__}); see to the cluster and "
                "give the same command again: what is finished is kept."
            ) from error

    async def _fetch(self, unit: Unit, into: Path) -> None:
        until = time.monotonic() + _SEEN_SECONDS
        while True:
            try:
                await asyncio.to_thread(self._store.fetch, output_name(unit), into)
                return
            except FileNotFoundError as error:
                if time.monotonic() >= until:
                    raise UserError(
                        f"{self._store.url}: what a node put there is not seen from here; give --store a folder or URL "
                        "that driver and nodes share."
                    ) from error
            await asyncio.sleep(_LOOK_SECONDS)

    async def _connected(self) -> Any:
        """Ray, connected once, however many ask."""
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(asyncio.to_thread(self._connect))
        await asyncio.shield(self._connecting)
        import ray

        return ray

    def _connect(self) -> None:
        if importlib.util.find_spec("ray") is None:
            raise UserError("Ray is not installed; run pip install 'mi-inoculation[local,ray]'.")
        import ray

        with _one_connects:
            if ray.is_initialized():
                return
            _check_answers(self._address)
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to Ray's makers
            own = {"include_dashboard": False, "object_store_memory": _OBJECTS} if self._address == "local" else {}
            try:
                ray.init(self._address, log_to_driver=False, logging_level=logging.ERROR, **own)
            except Exception as error:
                reason = str(error).strip().partition("\n")[0] or type(error).__name__
                raise UserError(
                    f"{self._address}: no Ray cluster could be reached ({reason}); give --address HOST:PORT of its "
                    "head, from a machine that belongs to it and has the same Ray and Python."
                ) from error
            self._owned = True

    def _gpus(self) -> float:
        if self._share.gpus is not None:
            return self._share.gpus
        return 1.0 if any(node["Resources"].get("GPU", 0) >= 1 for node in self._alive()) else 0.0

    def _alive(self) -> list[dict[str, Any]]:
        """The nodes, as they were at most a second ago."""
        import ray

        if time.monotonic() - self._nodes[0] >= _LOOK_SECONDS:
            self._nodes = time.monotonic(), [node for node in ray.nodes() if node["Alive"]]
        return self._nodes[1]

    def _has_room(self) -> bool:
        """Whether some node could take a unit if it were idle."""
        wanted = {"CPU": self._share.cpus, "GPU": self._gpus()}
        return any(
            all(node["Resources"].get(what, 0) >= much for what, much in wanted.items()) for node in self._alive()
        )

    def _no_room(self) -> str:
        def held(node: dict[str, Any]) -> str:
            return f"{node['Resources'].get('CPU', 0):g} CPU and {node['Resources'].get('GPU', 0):g} GPU"

        there = "; ".join(held(node) for node in self._alive()) or "none"
        return (
            f"no node has {self._share.cpus:g} CPU and {self._gpus():g} GPU to give (nodes: {there}); ask for less by "
            "--gpus and --cpus, or add a node and give the same command again."
        )


class _Follower:
    """Tells what a unit notes on its way, each step once, and says when it had to be begun anew."""

    def __init__(self, unit: Unit, tell: Tell | None, under_way: dict[str, str]) -> None:
        self._unit, self._tell, self._under_way = unit, tell, under_way
        self._told = 0

    def look(self, note: dict[str, Any] | None) -> None:
        """Take a note, if there is one."""
        if note is None:
            return
        if self._under_way.get(self._unit.id, note["attempt"]) != note["attempt"]:
            log.warning("%s: its node left; it is begun anew on another.", self._unit.label)
        self._under_way[self._unit.id] = note["attempt"]
        for step, loss in note["told"][self._told :]:
            self._told = step
            if self._tell is not None:
                self._tell(step, loss)


def _check_answers(address: str) -> None:
    """Raise UserError for an address of a form that is not known, or where nobody answers within five seconds."""
    if address in ("local", "auto"):
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise UserError(f"--address {address}: give HOST:PORT of the head node, auto, or local.")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError as error:
        raise UserError(
            f"--address {address}: nobody answers there ({error}); start the head with ray start --head --port {port}, "
            "or give the address that it printed."
        ) from error


def _as_here(sentence: str, unit: Unit) -> str:
    """A node's sentence with the paths that its inputs have here."""
    for name, files in unit.inputs.items():
        for member, path in files.items():
            sentence = sentence.replace(f"{name}/{member}", str(path))
    return sentence
