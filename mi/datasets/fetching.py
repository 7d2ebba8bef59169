"""Bringing the bytes of one file here: resumed where they broke off, tried again where that can help."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from mi.utils.errors import UserError

if TYPE_CHECKING:
    import httpx2

_TRIES = 5
_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that may be another one a moment later."""

_REFUSED = {
    401: "asks who you are; see `mi datasets show NAME` for how the set is unlocked",
    403: "does not let you have the file; see `mi datasets show NAME` for how the set is unlocked",
    404: "has no such file; it may have moved: take it by hand and give it with --from FILE",
    410: "has taken the file back; if you have it, give it with --from FILE",
}


async def download(url: str, part: Path) -> None:
    """Bring the bytes of `url` into `part`; what is there already is taken as the beginning of them.

    A connection that breaks is taken up where it broke, up to four times. If the file has changed
    since, it is begun again. `part` stays when this fails, for the next call to go on.
    Raises UserError, naming the address, for whatever a further try would not mend.
    """
    import httpx2

    timeout = httpx2.Timeout(30, read=60)
    problem = ""
    async with httpx2.AsyncClient(follow_redirects=True, timeout=timeout) as client:
        for attempt in range(_TRIES):
            # At once the first time: most breaks are over when they are noticed.
            await asyncio.sleep(2 ** (attempt - 1) if attempt > 1 else 0)
            try:
                problem = await _try(client, url, part)
            except httpx2.HTTPError as error:
                problem = f"{type(error).__name__}: {error}".rstrip(": ")
            except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
                raise UserError(f"{url}: not an address ({error}); give one that begins with https://.") from error
            if not problem:
                return
    raise UserError(f"{url}: could not be fetched ({problem}); run the command again, it goes on where it was.")


async def _try(client: "httpx2.AsyncClient", url: str, part: Path) -> str:
    """One request. What went wrong if it may pass, "" when the file is whole."""
    have = part.stat().st_size if part.exists() else 0
    tag = _tag_file(part)
    # The bytes themselves, not packed for the way: a range counts those that are sent.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if tag.exists():
            headers["If-Range"] = tag.read_text(encoding="utf-8")
    async with client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return ""  # nothing lies behind what is here: it is whole
            part.unlink()
            return "the part that is here is longer than the file; begun again"
        if response.status_code in _PASSING:
            return f"the server answered {response.status_code}"
        if response.status_code >= 400:
            reason = _REFUSED.get(
                response.status_code, f"answered {response.status_code}; give the file with --from FILE"
            )
            raise UserError(f"{url}: the server {reason}.")
        resumed = response.status_code == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            return "the server sent another range than was asked for"
        _remember(response.headers.get("ETag"), tag)
        with part.open("ab" if resumed else "wb") as file:
            async for block in response.aiter_bytes():
                file.write(block)
    return ""


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
