"""A real server on a loopback port, and a driver that does not wait long between tries."""

import os
from collections.abc import Iterator

import pytest
from standin import StandIn

from mi.external.openai_driver import services
from mi.external.openai_driver.client import Patience


@pytest.fixture(autouse=True)
def no_keys_of_this_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "OPENROUTER_", "TOGETHER_", "DEEPSEEK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(services, "PATIENCE", Patience(first_wait=0.01, longest_wait=0.05))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Set its `fault` to have it fail; OPENAI_BASE_URL points to it."""
    with StandIn() as standin:
        monkeypatch.setenv("OPENAI_BASE_URL", standin.url)
        yield standin
