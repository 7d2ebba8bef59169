"""The page of a run that goes on: what is there so far, served on this machine alone, and told when it changes."""

import http.client
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mi.config import jobs_dir
from mi.experiments.report.live import LivePage, server, so_far
from mi.experiments.report.page import render
from mi.utils.errors import UserError


@pytest.fixture
def address(plant, small) -> Iterator[tuple[str, int]]:
    """Where a planted run is served; it never tires of looking at the disk."""
    sources = plant()
    page = LivePage(small, "organism", lambda: sources)
    page.pause = 0.0
    with server(page, 0) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running.server_address[0], running.server_address[1]  # type: ignore[misc]
        running.shutdown()
        thread.join()


def get(address: tuple[str, int], path: str, host: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*address, timeout=20)
    connection.request("GET", path, headers={} if host is None else {"Host": host})
    response = connection.getresponse()
    text = response.read().decode("utf-8")
    connection.close()
    return response.status, text


def test_a_run_that_has_not_begun_has_a_page_with_every_arm(mi_home, small):
    sources = so_far(small, "organism", (0, 1))
    assert sources.progress is not None
    assert (sources.progress.trained, sources.progress.to_train, sources.progress.answered) == (0, 4, 0)
    text = render(sources, live="x")
    assert "0 of 4 models trained" in text
    assert all(f"<span>{arm.label}</span>" in text for arm in small.arms)


def test_the_page_that_is_served_may_ask_its_own_server_and_nobody_else(address):
    status, text = get(address, "/")
    assert status == 200
    assert "connect-src &#x27;self&#x27;" in text or "connect-src 'self'" in text
    state = json.loads(get(address, "/state")[1])["state"]
    assert f'data-live="{state}"' in text


def test_news_on_disk_are_another_state(address):
    before = get(address, "/state")[1]
    assert get(address, "/state")[1] == before
    (jobs_dir() / "new").mkdir()
    (jobs_dir() / "new" / "job.json").write_text("{}", encoding="utf-8")
    assert get(address, "/state")[1] != before


def test_only_this_machine_is_served(address):
    assert address[0] == "127.0.0.1"
    assert get(address, "/", "evil.example:80")[0] == 403
    assert get(address, "/state", f"localhost:{address[1]}")[0] == 200
    assert get(address, "/../../etc/passwd")[0] == 404


def test_a_taken_port_is_refused_in_a_sentence(address, plant, small):
    with pytest.raises(UserError, match=f"port {address[1]} cannot be had"):
        server(LivePage(small, "organism", plant), address[1])


def test_a_page_on_disk_may_connect_nowhere(plant):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', render(replace(plant(), figures=())))
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "connect-src" not in policy[1]
