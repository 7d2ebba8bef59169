"""Bringing the bytes of one file here: resumed where they broke off, tried again where that can help."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mi.utils.errors import UserError
from mi.utils.progress import Progress, Silent

if TYPE_CHECKING:
    import httpx2

_TRIES = 5
_LONGEST_WAIT = 120.0
"""Seconds that a server is waited for; one that asks for more is asked another time."""
_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that may be another one a moment later."""

_REFUSED = {
    401: "asks who you are; see `mi datasets show NAME` for how the set is unlocked",
    403: "does not let you have the file; see `mi datasets show NAME` for how the set is unlocked",
    404: "has no such file; it may have moved: take it by hand and give it with --from FILE",
    410: "has taken the file back; if you have it, give it with --from FILE",
}


@dataclass(frozen=True)
class Address:
    """Where bytes come from, and where a person agrees to the publisher's terms, if that is known."""

    url: str
    terms: str | None = None

    @property
    def token(self) -> str | None:
        """The person's Hugging Face token (HF_TOKEN), for addresses of Hugging Face (or HF_ENDPOINT) alone."""
        hub = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
        same = urlsplit(self.url)[:2] == urlsplit(hub)[:2]
        return (os.environ.get("HF_TOKEN") or None) if same else None


@dataclass(frozen=True)
class _Problem:
    """What went wrong and may pass, and how many seconds the server wants to be left alone, if it says."""

    what: str
    wait: float | None = None


async def download(address: Address, part: Path, progress: Progress | None = None) -> None:
    """Bring the bytes of an address into `part`; what is there already is taken as the beginning of them.

    A connection that breaks, and a server that is busy, are tried again up to four times: when the server says, else
    at once and then after 1, 2 and 4 seconds. If the file has changed since, it is begun again. `part` stays when this
    fails, for the next call to go on. Raises UserError, naming the address, for whatever a further try would not mend.
    """
    import httpx2

    timeout = httpx2.Timeout(30, read=60)
    problem: _Problem | None = None
    url = address.url
    async with httpx2.AsyncClient(follow_redirects=True, timeout=timeout) as client:
        for attempt in range(_TRIES):
            await asyncio.sleep(_pause(attempt, problem, url))
            try:
                problem = await _try(client, address, part, progress or Silent())
            except httpx2.HTTPError as error:
                problem = _Problem(f"{type(error).__name__}: {error}".rstrip(": "))
            except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
                raise UserError(f"{url}: not an address ({error}); give one that begins with https://.") from error
            if problem is None:
                return
    what = problem.what if problem is not None else ""
    raise UserError(f"{url}: could not be fetched ({what}); run the command again, it goes on where it was.")


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that a server asks to be left alone (RFC 9110, 10.2.3: a number, or a date), None if it does not."""
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())


def _pause(attempt: int, problem: _Problem | None, url: str) -> float:
    """Seconds before an attempt. Raises UserError where the server asks for more than one waits."""
    if problem is None or problem.wait is None:
        return 2 ** (attempt - 2) if attempt > 1 else 0  # at once the first time: most breaks are over when noticed
    if problem.wait > _LONGEST_WAIT:
        raise UserError(
            f"{url}: {problem.what} and asks to be left alone for {problem.wait:,.0f} seconds; run the command again "
            "then, it goes on where it was."
        )
    return problem.wait


async def _try(client: "httpx2.AsyncClient", address: Address, part: Path, progress: Progress) -> _Problem | None:
    """One request. What went wrong if it may pass, None when the file is whole."""
    have = part.stat().st_size if part.exists() else 0
    async with client.stream("GET", address.url, headers=_headers(address, part, have)) as response:
        status, headers = response.status_code, response.headers
        if status == 416:
            if headers.get("Content-Range") == f"bytes */{have}":
                return None  # nothing lies behind what is here: it is whole
            part.unlink()
            return _Problem("the part that is here is longer than the file; begun again")
        if status in _PASSING:
            return _Problem(f"the server answered {status}", retry_after(headers, datetime.now(UTC)))
        if status >= 400:
            raise UserError(f"{address.url}: the server {_refusal(status, address)}.")
        resumed = status == 206
        if resumed and not headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            return _Problem("the server sent another range than was asked for")
        _remember(headers.get("ETag"), _tag_file(part))
        before = have if resumed else 0
        total = before + int(headers.get("Content-Length") or 0)
        with (
            part.open("ab" if resumed else "wb") as file,
            progress.task(part.name.removeprefix(".part."), total) as task,
        ):
            task.advance(before)
            async for block in response.aiter_bytes():
                file.write(block)
                task.advance(len(block))
    return None


def _headers(address: Address, part: Path, have: int) -> dict[str, str]:
    # The bytes themselves, not packed for the way: a range counts those that are sent.
    headers = {"Accept-Encoding": "identity"}
    if address.token is not None:
        headers["Authorization"] = f"Bearer {address.token}"
    if have:
        headers["Range"] = f"bytes={have}-"
        if _tag_file(part).exists():
            headers["If-Range"] = _tag_file(part).read_text(encoding="utf-8")
    return headers


def _refusal(status: int, address: Address) -> str:
    if status in (401, 403) and address.terms is not None:
        if address.token is None:
            return f"asks who you are; accept the terms at {address.terms} and set HF_TOKEN to a token of yours"
        return (
            f"does not accept your HF_TOKEN for this set; accept the terms at {address.terms} with the token's account"
        )
    return _REFUSED.get(status, f"answered {status}; give the file with --from FILE")


def forget(part: Path) -> None:
    """Take away what a download left behind."""
    part.unlink(missing_ok=True)
    _tag_file(part).unlink(missing_ok=True)


def _tag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _remember(tag: str | None, where: Path) -> None:
    """A strong tag says whether the file is still the one that was begun; a weak one does not."""
    if tag and not tag.startswith("W/"):
        where.write_text(tag, encoding="utf-8")
    else:
        where.unlink(missing_ok=True)
