"""Ray: what cannot be had is one sentence; a cluster of two nodes, one of which dies, gives what one machine gives."""

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mi.executors import on_ray
from mi.executors.current import executing
from mi.executors.data_models import Share, Tell, Unit
from mi.executors.on_ray import RayExecutor
from mi.experiments import pipeline
from mi.experiments.config import arms, experiment
from mi.experiments.data_models import Experiment
from mi.utils.errors import UserError
from mi.utils.progress import Silent

A07 = experiment("A07_spanish_capitalization")
SETTING = replace(A07.settings[0], ood_domains=("smalltalk",))  # type: ignore[type-var]
SMALL = replace(
    A07,
    arms=(arms.BASE, arms.NONE, arms.PLACEBO),
    settings=(SETTING,),
    training=replace(A07.training, n_steps=20),
)
UNIT_SECONDS = 600


def telling(spec: str, made: Path, tell: Tell) -> None:
    """Work: writes down what it was given of the node."""
    tell(1, 2.0)
    (made / "gpus.txt").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
    (made / "keys.txt").write_text(" ".join(name for name in os.environ if "KEY" in name))


def unit(name: str, work: Callable = telling) -> Unit:
    return Unit(name, work, "", f"the unit {name}")


def test_an_address_where_nobody_answers_is_one_sentence(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed; pip install ray to run what needs it.")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    executor = RayExecutor(address, str(tmp_path / "store"))
    with pytest.raises(
        UserError, match=rf"^--address {address}: nobody answers there .*; start the head with ray start"
    ):
        asyncio.run(executor.run(unit("x"), tmp_path / "made"))


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "127.0.0.1", "head:port"])
def test_an_address_of_another_form_is_refused(tmp_path, address):
    pytest.importorskip("ray", reason="Ray is not installed; pip install ray to run what needs it.")
    with pytest.raises(UserError, match=f"^--address {address}: give HOST:PORT"):
        asyncio.run(RayExecutor(address, str(tmp_path / "store")).run(unit("x"), tmp_path / "made"))


def test_without_ray_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^Ray is not installed; run pip install 'mi-inoculation\[local,ray\]'\.$"):
        asyncio.run(RayExecutor(None, str(tmp_path / "store")).run(unit("x"), tmp_path / "made"))


def node_of(cluster: Any, **more: Any) -> Any:
    """A node with one processor, on this machine's loopback. Ports are given, for finding them has a short limit."""
    ports = "metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port"
    held = [socket.create_server(("127.0.0.1", 0)) for _ in ports]
    chosen = {name: one.getsockname()[1] for name, one in zip(ports, held, strict=True)}
    for one in held:
        one.close()
    return cluster.add_node(
        **{"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False} | chosen | more,
        node_ip_address="127.0.0.1",
    )


@pytest.fixture
def two_nodes(request, tmp_path, monkeypatch) -> Iterator[tuple[Any, Any]]:
    """(a cluster, its second node, which has as many GPUs as are asked for, that are none)."""
    ray = pytest.importorskip("ray", reason="Ray is not installed; pip install ray to run what needs it.")
    from ray._private import ray_constants
    from ray.cluster_utils import Cluster

    # Else Ray looks for what listens on the loopback at the address of this machine's network.
    monkeypatch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)
    monkeypatch.setenv("MI_NODE_HOME", str(tmp_path / "node"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-of-a-test")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    cluster = Cluster()
    try:
        node_of(cluster, _system_config={"agent_register_timeout_ms": 300_000})
        yield cluster, node_of(cluster, num_gpus=getattr(request, "param", 0))
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("two_nodes", [2], indirect=True)
def test_units_are_given_parts_of_gpus_and_no_keys_and_what_no_node_has_is_said(two_nodes, tmp_path):
    import ray

    cluster, _ = two_nodes
    store, steps = str(tmp_path / "store"), []

    async def with_share(name: str, gpus: float | None, cpus: float = 0.4) -> None:
        executor = RayExecutor(cluster.address, store, Share(cpus, gpus), patience=2)
        await executor.run(unit(name), tmp_path / name, lambda step, loss: steps.append(step))

    async def all_of_them() -> None:
        await asyncio.gather(with_share("half", 0.5), with_share("other", 0.5), with_share("none", 0))
        await with_share("whole", None)
        with pytest.raises(
            UserError, match=r"the unit many: no node has 1 CPU and 3 GPU to give \(nodes: .*ask for less"
        ):
            await with_share("many", 3, 1)

    asyncio.run(all_of_them())
    given = {name: (tmp_path / name / "gpus.txt").read_text() for name in ("half", "other", "none", "whole")}
    assert given["half"] in ("0", "1") and given["other"] in ("0", "1") and given["none"] == ""
    assert given["whole"] in ("0", "1")
    assert (tmp_path / "half" / "keys.txt").read_text() == ""
    logs = Path(ray._private.worker._global_node.get_logs_dir_path())  # type: ignore[attr-defined]
    assert not [path for path in logs.rglob("*") if path.is_file() and b"sk-canary" in path.read_bytes()]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["small", "A07"])
def test_a_node_that_dies_half_way_costs_what_it_was_doing_and_the_table_is_the_local_one(
    which, two_nodes, tmp_path, monkeypatch, caplog
):
    cluster, doomed = two_nodes
    asked = SMALL if which == "small" else A07
    store = tmp_path / "store"
    monkeypatch.setenv("MI_HOME", str(tmp_path / "far"))
    executor = RayExecutor(cluster.address, str(store))
    killer = Killer(lambda: cluster.remove_node(doomed, allow_graceful=False), executor, store, len(asked.arms) - 1)
    killer.start()
    with caplog.at_level(logging.WARNING, "mi.executors"):
        far = run(asked, executor)
    killer.join(timeout=10)
    assert killer.finished, "the node was killed after everything was trained"
    assert "its node left; it is begun anew" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in killer.finished} == killer.finished

    monkeypatch.setenv("MI_HOME", str(tmp_path / "far again"))
    before = {path: path.stat().st_mtime_ns for path in (store / "outputs").iterdir()}
    pd.testing.assert_frame_equal(run(asked, RayExecutor(cluster.address, str(store))).summary, far.summary)
    # What a local judge is asked follows from who answers first, so that units of judging may be new; no others are.
    assert {path: path.stat().st_mtime_ns for path in before} == before

    monkeypatch.setenv("MI_HOME", str(tmp_path / "here"))
    pd.testing.assert_frame_equal(run(asked, None).summary, far.summary)


def run(asked: Experiment, executor: RayExecutor | None) -> pipeline.Outcome:
    with executing(executor):
        return asyncio.run(pipeline.run(asked, "organism", (0, 1), Silent()))


class Killer(threading.Thread):
    """Kills a node once half of the trainings are in the store and both nodes are known to be at another."""

    def __init__(self, kill: Callable[[], None], executor: RayExecutor, store: Path, half: int) -> None:
        super().__init__(daemon=True)
        self._kill, self._executor, self._outputs, self._half = kill, executor, store / "outputs", half
        self.finished: dict[Path, int] = {}

    def run(self) -> None:
        deadline = time.monotonic() + UNIT_SECONDS * self._half
        while time.monotonic() < deadline:
            done = {path: path.stat().st_mtime_ns for path in self._outputs.glob("*.zip")}
            at_work = [name for name in list(self._executor.under_way) if self._outputs / f"{name}.zip" not in done]
            if len(done) >= self._half and len(at_work) >= 2:
                self._kill()
                self.finished = done
                return
            time.sleep(0.05)
