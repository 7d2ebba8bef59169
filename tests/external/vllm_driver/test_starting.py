"""Starting vLLM: what it is told, where its output goes, that it ends with us, and why it did not start."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mi.external.vllm_driver import services, starting
from mi.external.vllm_driver.diagnosis import diagnosis
from mi.external.vllm_driver.settings import read_settings, serve_command, serve_environment
from mi.llm import services as llm
from mi.llm.data_models import Model, chat
from mi.utils.errors import UserError

SCRIPT = """
import sys, time
from pathlib import Path
from mi.utils.tether import Tethered
code = "import os, time; print(os.getpid(), os.getppid(), flush=True); time.sleep(600)"
Tethered([sys.executable, "-c", code], {}, Path(sys.argv[1]))
time.sleep(600)
"""


def until(what: Callable[[], Any]) -> Any:
    """The first true value of `what`; fails when it does not come."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def is_there(pid: int) -> bool:
    try:
        return b"\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_the_server_has_its_own_key_and_environment_and_its_output_a_file(stub: Any):
    said = stub.seen()
    assert said["arguments"][:1] == ["serve"] and "--enable-lora" in said["arguments"]
    assert said["environment"]["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    assert said["environment"]["VLLM_API_KEY"] == stub.server.key and len(stub.server.key) == 32
    assert stub.server.log.parent == stub.home / "logs"
    assert stub.server.log.read_text().startswith(f"$ {stub.home}/vllm serve")


def test_options_of_ones_own_win_over_ours(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MI_VLLM", sys.executable)
    monkeypatch.setenv("MI_VLLM_ARGS", "--max-lora-rank 256 --dtype=half --max_loras=2")
    monkeypatch.setenv("PYTHONPATH", "/ours")
    settings = read_settings()
    command = serve_command(settings, "/weights", "name", 7)
    assert command[:3] == [sys.executable, "serve", "/weights"]
    assert command.count("--max-lora-rank") == 1 and command[-4:-2] == ["--max-lora-rank", "256"]
    assert "--max-loras" not in command and settings.max_lora_rank() == 256
    assert "PYTHONPATH" not in serve_environment("k")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("memory", r"the GPU's memory does not hold it; .*MI_VLLM_ARGS="),
        ("driver", r"the NVIDIA driver is older .*; update the driver"),
        ("gated", r"accept its licence on its page and set HF_TOKEN"),
        ("port", r"its port is taken; give another by --port"),
        ("gpu", r"it finds no GPU; .*local/<model>"),
        ("strange", r"it said: KeyError: 'a thing that nobody knows'"),
    ],
)
def test_why_it_did_not_start_is_one_sentence_with_the_mend(
    stub_executable: Callable[[str], Path], fault: str, sentence: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MI_VLLM", str(stub_executable(fault)))
    with pytest.raises(
        UserError, match=rf"vLLM did not start for organism: .*{sentence}.*its output: .*logs/vllm-organism-"
    ):
        asyncio.run(llm.sample(Model("organism", "vllm"), chat("Hello!")))
    assert not services._own._users


def test_a_server_that_ends_while_it_is_asked_says_why_and_the_next_call_starts_another(
    stub_executable: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MI_VLLM", str(stub_executable("dies")))
    with pytest.raises(UserError, match=r"vLLM ended while it was asked \(exit code 1\): the GPU's memory does not"):
        asyncio.run(llm.sample(Model("organism", "vllm"), chat("Hello!")))
    monkeypatch.setenv("MI_VLLM", str(stub_executable("gpu")))
    with pytest.raises(UserError, match="it finds no GPU"):
        asyncio.run(llm.sample(Model("organism", "vllm"), chat("Hello!")))


def test_what_is_missing_or_mistyped_is_named_before_anything_starts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MI_VLLM", "/no/such/vllm")
    with pytest.raises(
        UserError, match=r"/no/such/vllm: vLLM is not installed here; .*pip install vllm.*export MI_VLLM="
    ):
        asyncio.run(llm.sample(Model("organism", "vllm"), chat("Hello!")))
    monkeypatch.setenv("MI_VLLM_CHECK", "much")
    with pytest.raises(UserError, match="MI_VLLM_CHECK is 'much'; give gigabytes"):
        read_settings()
    monkeypatch.setenv("MI_VLLM_CHECK", "1")
    monkeypatch.setenv("MI_VLLM_ARGS", "'")
    with pytest.raises(UserError, match="MI_VLLM_ARGS cannot be read"):
        read_settings()


def test_a_port_that_is_taken_is_refused_at_once(stub: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MI_VLLM", sys.executable)
    port = int(stub.server.root.rpartition(":")[2])
    with pytest.raises(UserError, match=rf"port {port} cannot be had .*; give another by --port"):
        asyncio.run(starting.start(read_settings(), "organism", port))


def test_what_is_tethered_ends_when_its_parent_is_killed(tmp_path: Path):
    log = tmp_path / "log"
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT, str(log)])
    try:
        child, keeper = map(int, until(lambda: log.exists() and log.read_text().strip()).split())
        assert is_there(child) and is_there(keeper)
        os.kill(parent.pid, signal.SIGKILL)
        until(lambda: not is_there(child) and not is_there(keeper))
    finally:
        parent.kill()
        parent.wait()


def test_a_log_of_nothing_is_said_to_be_one(tmp_path: Path):
    assert diagnosis(tmp_path / "none") == "it said: nothing"
