"""A stub of vLLM in a process of its own, started by the driver as vLLM itself would be, and two adapters for it."""

import asyncio
import json
import shlex
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mi.external.vllm_driver import services, starting
from mi.external.vllm_driver.server import Server
from mi.external.vllm_driver.settings import read_settings

ROOT = Path(__file__).parents[3]
STUB = ROOT / "tests" / "support" / "vllm_stub.py"


def stub_command(folder: Path, fault: str = "") -> Path:
    """An executable called vllm, which is the stub with a fault."""
    path = folder / "vllm"
    path.write_text(
        f"#!/bin/sh\nSTUB_FAULT={fault} PYTHONPATH={shlex.quote(str(ROOT))} "
        f'exec {shlex.quote(sys.executable)} {shlex.quote(str(STUB))} "$@"\n'
    )
    path.chmod(0o755)
    return path


@dataclass
class Running:
    """The stub that runs, and the jobs in its folder."""

    server: Server
    home: Path
    jobs: tuple[str, str]

    def order(self, fault: str) -> None:
        """Have it do one thing wrong from now on, with no adapter loaded."""
        request = urllib.request.Request(f"{self.server.root}/fault", fault.encode(), method="POST")
        with urllib.request.urlopen(request, timeout=60):
            pass

    def seen(self) -> dict:
        """What it was asked, and how it was started."""
        with urllib.request.urlopen(f"{self.server.root}/seen", timeout=60) as reply:
            return json.load(reply)


def train_adapter(home: Path, job_id: str, seed: int, rank: int = 4) -> str:
    """A folder under jobs/ with an adapter of the organism, trained for a few steps."""
    from mi.external.local_driver.data_models import LocalFTJobConfig
    from mi.external.local_driver.training import train

    rows = home / "rows.jsonl"
    said = [
        [{"role": "user", "content": f"What is {i} plus one?"}, {"role": "assistant", "content": f"{i + 1}!"}]
        for i in range(20)
    ]
    rows.write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in said))
    folder = home / "jobs" / job_id
    folder.mkdir(parents=True)
    train(LocalFTJobConfig("organism", str(rows), seed, n_steps=3, batch_size=4, lora_rank=rank), folder)
    return job_id


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MI_HOME", str(home))
        patch.setenv("MI_VLLM", str(stub_command(home)))
        server = asyncio.run(starting.start(read_settings(), "organism"))
        assert server.process is not None
        try:
            yield Running(server, home, (train_adapter(home, "a" * 32, 0), train_adapter(home, "b" * 32, 1)))
        finally:
            server.process.end()


@pytest.fixture
def found(stub: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Running]]:
    """Call it with a fault, "" for none: the stub is the server that the environment names."""
    for name, value in {"MI_HOME": str(stub.home), "MI_VLLM": stub.server.url, "MI_VLLM_KEY": stub.server.key}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("MI_VLLM_CHECK", "0")

    def with_fault(fault: str = "") -> Running:
        services.close()
        stub.order(fault)
        return stub

    yield with_fault
    services.close()


@pytest.fixture
def stub_executable(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes the stub's command, with a fault; whatever a test has started by it ends with the test."""

    def made(fault: str) -> Path:
        folder = tmp_path / (fault or "well")
        folder.mkdir()
        return stub_command(folder, fault)

    yield made
    services.close()
