"""How a fetch waits for a busy server, shows how far it is, and says who it is."""

import asyncio
import socket
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mi.datasets.fetching import Address, download, retry_after
from mi.utils.errors import UserError

BODY = bytes(range(256)) * 40


@pytest.fixture
def address(server) -> Address:
    server.files["/file"] = BODY
    return Address(f"{server.url}/file", terms="https://hub.example/datasets/a/b")


class Seen:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, float]] = []
        self.steps: list[float] = []

    @contextmanager
    def task(self, title: str, total: float):
        self.tasks.append((title, total))
        yield self

    def advance(self, steps: float) -> None:
        self.steps.append(steps)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_when_it_says(address, server, tmp_path, status):
    server.busy = [(status, {"Retry-After": "0"})] * 3
    asyncio.run(download(address, tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == BODY and len(server.asked) == 4


def test_a_server_that_is_busy_for_long_is_not_waited_for(address, server, tmp_path):
    server.busy = [(429, {"Retry-After": "3600"})]
    with pytest.raises(UserError, match=r"answered 429 and asks to be left alone for 3,600 seconds"):
        asyncio.run(download(address, tmp_path / "file"))
    assert len(server.asked) == 1


def test_a_server_that_stays_busy_is_given_up_after_five_tries(address, server, tmp_path):
    server.busy = [(503, {"Retry-After": "0"})] * 9
    with pytest.raises(UserError, match=r"answered 503\); run the command again"):
        asyncio.run(download(address, tmp_path / "file"))
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("17", 17.0),
        ("Tue, 24 Nov 2026 09:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 08:00:00 GMT", 0.0),
        ("Tue, 24 Nov 2026 09:00:30 -0000", 30.0),
        ("soon", None),
        ("-3", None),
        ("٣", None),
        ("", None),
    ],
)
def test_what_a_server_asks_for_is_a_number_or_a_date(said, seconds):
    assert retry_after({"Retry-After": said}, datetime(2026, 11, 24, 9, tzinfo=UTC)) == seconds


def test_bytes_are_shown_as_they_come_those_that_were_here_first(address, server, tmp_path):
    (tmp_path / ".part.file").write_bytes(BODY[:1000])
    seen = Seen()
    asyncio.run(download(address, tmp_path / ".part.file", seen))
    assert seen.tasks == [("file", len(BODY))] and seen.steps[0] == 1000 and sum(seen.steps) == len(BODY)


def test_a_gated_file_is_fetched_with_the_token_of_the_environment(address, server, tmp_path, monkeypatch):
    server.token = "hf_mine"
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    asyncio.run(download(address, tmp_path / "file"))
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize(("token", "said"), [(None, "set HF_TOKEN"), ("hf_other", "does not accept your HF_TOKEN")])
def test_who_may_not_have_a_gated_file_is_told_where_the_terms_are(address, server, tmp_path, monkeypatch, token, said):
    server.token = "hf_mine"
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UserError, match=said) as refused:
        asyncio.run(download(address, tmp_path / "file"))
    assert "accept the terms at https://hub.example/datasets/a/b" in str(refused.value)
    assert "hf_" not in str(refused.value) and len(server.asked) == 1


def test_the_token_is_shown_to_no_other_server(address, server, tmp_path, monkeypatch):
    server.token = "hf_mine"
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    with pytest.raises(UserError):
        asyncio.run(download(address, tmp_path / "file"))
    for url in ("https://huggingface.co.evil.example/f", "http://huggingface.co/f", "https://huggingface.co:81/f"):
        assert Address(url).token is None
    assert Address("https://huggingface.co/datasets/a/b/resolve/main/f").token == "hf_mine"


def test_a_redirect_elsewhere_does_not_carry_the_token(address, server, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    server.busy = [(302, {"Location": f"{elsewhere}/file"})]
    asyncio.run(download(address, tmp_path / "file"))
    assert server.authorised == ["Bearer hf_mine", None]


def test_an_address_where_nobody_answers_is_named(tmp_path: Path, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr("mi.datasets.fetching._TRIES", 2)
        with pytest.raises(UserError, match="could not be fetched"):
            asyncio.run(download(Address(f"http://127.0.0.1:{taken.getsockname()[1]}/file"), tmp_path / "file"))
