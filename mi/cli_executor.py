"""Where a command's local models are trained and sampled: the options that `mi run` and its like share."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from mi.utils.errors import UserError

Name = Annotated[
    str, typer.Option("--executor", envvar="MI_EXECUTOR", help="local: processes of this machine; ray: a cluster.")
]
Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Of the Ray cluster's head; auto: this machine's; by default RAY_ADDRESS."),
]
StoreUrl = Annotated[
    str | None,
    typer.Option("--store", envvar="MI_STORE", metavar="URL", help="What driver and nodes share; any fsspec URL."),
]
Gpus = Annotated[
    float | None, typer.Option(min=0.0, help="Of a node, for each model: 1, 0.25, …; by default 1 where there are any.")
]
Cpus = Annotated[float, typer.Option(min=0.0, help="Of a node, for each model.")]
Patience = Annotated[
    float, typer.Option(min=0.0, help="Seconds to wait for a node that can take a model; more for one that grows.")
]


def on_executor(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options that say where local models are trained and sampled."""
    own, added = inspect.signature(command, eval_str=True), inspect.signature(_executing, eval_str=True)

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        with _executing(**{name: given.pop(name) for name in added.parameters}):
            command(**given)

    parameters = [*own.parameters.values(), *added.parameters.values()]
    with_options.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options


@contextlib.contextmanager
def _executing(
    executor: Name = "local",
    address: Address = None,
    store: StoreUrl = None,
    gpus: Gpus = None,
    cpus: Cpus = 1.0,
    patience: Patience = 60.0,
) -> Iterator[None]:
    """Have the block's local models trained and sampled as the options say."""
    if executor == "local":
        if address is not None or gpus is not None:
            raise UserError("--address and --gpus are for --executor ray; this machine's GPUs are one to a process.")
        yield
        return
    if executor != "ray":
        raise UserError(f"--executor {executor}: there is no such executor; choose local or ray.")
    from mi.executors.current import executing
    from mi.executors.data_models import Share
    from mi.executors.on_ray import RayExecutor

    cluster = RayExecutor(address, store, Share(cpus, gpus), patience)
    with contextlib.closing(cluster), executing(cluster):
        yield
