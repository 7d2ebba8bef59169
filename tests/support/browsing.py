"""Debian's Chromium without a window, for tests that look at a page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = "/usr/bin/chromium"
SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium without a window; tests that need it are left out where it is not installed.

    While it is open, an event loop of Playwright's runs in this thread, so it is closed before other modules' tests.
    """
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM}; install it with: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; run make install")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield opened
        opened.close()
