"""What every test stands on: folders of its own, no network beyond this machine, no key, one thread."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Read once, when the libraries are imported; worker processes inherit them.
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1", MPLBACKEND="Agg")
for name in [name for name in os.environ if name.endswith("_API_KEY")]:
    del os.environ[name]

LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(scope="session", autouse=True)
def home_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where fixtures wider than one test keep their files, so that none lands in the tree."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("mi_home")
        patch.setenv("MI_HOME", str(home))
        yield home


@pytest.fixture(autouse=True)
def mi_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty MI_HOME for each test, beside its tmp_path and not in it."""
    home = tmp_path_factory.mktemp("mi_home")
    monkeypatch.setenv("MI_HOME", str(home))
    return home


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Iterator[None]:
    """Let sockets reach this machine only; whoever asks for another gets an error that says so."""
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _refuse_beyond_loopback(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_beyond_loopback(address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        _refuse_beyond_loopback((host,))
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


def _refuse_beyond_loopback(address: Any) -> None:
    host = address[0] if isinstance(address, tuple) else None  # the address of a Unix socket is a path
    if isinstance(host, bytes):
        host = host.decode()
    if host is not None and not str(host).startswith(LOOPBACK):
        raise AssertionError(f"a test asked for the network: {host}")
