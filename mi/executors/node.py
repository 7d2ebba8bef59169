"""What a node does with a unit: fetch what it reads, do it in a process of its own, push what it made."""

import asyncio
import os
import platform
import re
import tempfile
import time
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import mi
from mi.executors.data_models import Unit
from mi.executors.store import Store, files_under
from mi.utils.errors import UserError
from mi.utils.files import make_folder
from mi.utils.hashing import digest, file_digest
from mi.utils.workers import Surroundings, Workers

TELL_SECONDS = 2.0
_SECRET = re.compile(r"(^|_)(KEYS?|TOKENS?|SECRETS?|PASSWORD|CREDENTIALS?)(_|$)", re.IGNORECASE)
_NEEDED = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""What a gated model on the hub is fetched with, by the node itself."""


@dataclass(frozen=True)
class Order:
    """A unit to be done, and where."""

    unit: Unit
    store: str
    code: str
    """`code_digest` of the driver: a node that runs another mi would make something else under the same name."""
    gpus: float


@dataclass(frozen=True)
class Report:
    """How a unit went."""

    node: str
    seconds: float
    failure: str | None = None
    """A sentence; None where the output is in the store."""


def carry_out(order: Order) -> Report:
    """Do a unit unless its output is in the store. Never raises: what a person can mend is the report's failure."""
    started = time.monotonic()
    failure = None
    try:
        _carry_out(order)
    except UserError as error:
        failure = str(error)
    except Exception as error:
        traceback.print_exc()  # into the node's log
        failure = _sentence(error)
    return Report(platform.node(), time.monotonic() - started, failure)


def code_digest() -> str:
    """The identity of this mi: its modules and what lies beside them."""
    folder = Path(mi.__file__).parent
    files = [path for path in files_under(folder).items() if "__pycache__" not in path[0]]
    return digest([[name, file_digest(path)] for name, path in files])


def output_name(unit: Unit) -> str:
    """Where the store holds what a unit made."""
    return f"outputs/{unit.id}"


def input_name(name: str) -> str:
    """Where the store holds an input."""
    return f"inputs/{name}"


def node_home() -> Path:
    """Where a node keeps what it fetched: MI_NODE_HOME, or a folder among its temporary files."""
    return Path(os.environ.get("MI_NODE_HOME") or Path(tempfile.gettempdir()) / f"mi-node-{os.getuid()}")


def _carry_out(order: Order) -> None:
    store, unit = Store(order.store), order.unit
    if store.has(output_name(unit)):
        return
    if order.code != code_digest():
        raise UserError("this node has another mi than the one that sent the work; install the same on every node.")
    home = make_folder(node_home())
    for name in unit.inputs:
        _have(store, name, home)
    with tempfile.TemporaryDirectory(dir=home, prefix=".work.") as folder:
        made = make_folder(Path(folder) / "made")
        asyncio.run(_work(order, home, made, store))
        store.push(output_name(unit), files_under(made))


def _have(store: Store, name: str, home: Path) -> None:
    """An input under its name in `home`, whole: fetched unless it is there."""
    if (home / name).exists():
        return
    partial = home / f".{name.replace('/', '.')}.{uuid.uuid4().hex[:8]}.partial"
    try:
        store.fetch(input_name(name), partial)
    except FileNotFoundError as error:
        raise UserError(
            f"{store.url}: this store is not seen from here, or {name} was taken out of it; give --store a folder or "
            "URL that driver and nodes share."
        ) from error
    make_folder((home / name).parent)
    try:
        os.rename(partial, home / name)
    except OSError:  # another unit was faster
        if not (home / name).exists():
            raise


async def _work(order: Order, home: Path, made: Path, store: Store) -> None:
    told: list[tuple[int, float]] = []
    note = {"attempt": uuid.uuid4().hex, "told": told}
    store.note(order.unit.id, note)
    written = time.monotonic()

    def tell(step: int, loss: float) -> None:
        nonlocal written
        told.append((step, loss))
        if time.monotonic() - written >= TELL_SECONDS:
            written = time.monotonic()
            store.note(order.unit.id, note)

    python = os.environ.get("MI_PYTHON")
    surroundings = Surroundings(home, environment_for(os.environ, home, order.gpus))
    if python:
        surroundings = Surroundings(home, surroundings.environment, python)
    workers = Workers(lambda: 1, surroundings)
    try:
        await workers.run(order.unit.work, order.unit.spec, made, on_progress=tell)
    finally:
        workers.close()


def environment_for(given: Mapping[str, str], home: Path, gpus: float) -> dict[str, str]:
    """The variables of a unit's process: the node's without its keys, and no GPU that was not asked for."""
    kept = {name: value for name, value in given.items() if name in _NEEDED or not _SECRET.search(name)}
    kept |= {"MI_HOME": str(home), "MI_UNIT_GPUS": str(gpus)}
    return kept if gpus else kept | {"CUDA_VISIBLE_DEVICES": ""}


def _sentence(error: Exception) -> str:
    """What ended a unit that is nobody's input, with the mend where it is known."""
    said = str(error).partition("\n")[0]
    if type(error).__name__ in ("OutOfMemoryError", "MemoryError"):
        which = "the GPU's memory" if type(error).__name__ == "OutOfMemoryError" else "memory"
        return (
            f"{which} ran out ({said or 'no more could be had'}); lower batch_size or max_length, or give each unit "
            "more by --gpus or --cpus, so that fewer share a node."
        )
    return f"it ended by an error of its own ({type(error).__name__}: {said}); the node's log holds where."
