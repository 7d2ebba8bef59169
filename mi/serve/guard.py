"""What stands before every endpoint: who may ask, from where, how much, and in what coding."""

import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from mi.serve.data_models import MEGABYTE, Limits, ServeSettings, is_loopback
from mi.serve.errors import ApiError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_FRAME_BYTES = 1 * MEGABYTE
"""What a multipart frame may add to the file that it carries."""


class Guard:
    """An ASGI layer that refuses a request before its body is read, or as soon as the body is too long."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], settings: ServeSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with an error object."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        most = _most_bytes(scope, self._settings.limits)
        call = _Call(receive, send, most)
        try:
            check_caller(headers, self._settings)
            check_body(headers, most)
            await self._app(scope, call.receive, call.send)
        except ApiError as error:
            call.refusal = error
        if call.refusal is not None and not call.answered:
            await respond(send, call.refusal)
        return None


class _Call:
    """One request on its way. A body that grows too long is cut off, and whatever is answered then is held back."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send, self._most = receive, send, most
        self._taken = 0
        self.answered = False
        self.refusal: ApiError | None = None

    async def receive(self) -> MutableMapping[str, Any]:
        """The next piece of the body."""
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        if self._taken > self._most:
            self.refusal = _too_long(self._most)
            raise self.refusal
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Pass a piece of the answer on."""
        if self.refusal is None or self.answered:
            self.answered = True
            await self._send(message)


def check_caller(headers: dict[str, str], settings: ServeSettings) -> None:
    """Raise ApiError (401) for a wrong token, and (403) for a web page that talks to a server without one."""
    if settings.token is not None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given, wanted = token.strip().encode("latin-1"), settings.token.encode("latin-1")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, wanted):
            raise ApiError(
                401, "This server needs its token as the API key; the one given is not it.", "invalid_api_key"
            )
        return
    # Without a token, whatever runs in a browser of this machine could reach the server: names that only lead here
    # (DNS rebinding) and pages from elsewhere are refused.
    origin = headers.get("origin")
    if not _is_here(f"//{headers.get('host', '127.0.0.1')}") or (origin is not None and not _is_here(origin)):
        raise ApiError(
            403, "This server answers this machine only; start it with --token to serve others.", "forbidden"
        )


def _is_here(address: str) -> bool:
    try:
        return is_loopback(urlsplit(address).hostname or "")
    except ValueError:
        return False


def check_body(headers: dict[str, str], most: int) -> None:
    """Raise ApiError (415) for a compressed body, and (413) for one that is announced as too long."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise ApiError(415, f"Bodies are taken as they are, not as {coding!r}; send it without Content-Encoding.")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise ApiError(400, "The Content-Length is no number; send the right one.")
    if int(length) > most:
        raise _too_long(most)


async def respond(send: Send, error: ApiError) -> None:
    """Answer with the error object."""
    body = json.dumps(error.body()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.status in (413, 415):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _most_bytes(scope: Scope, limits: Limits) -> int:
    is_upload = scope["path"].rstrip("/") == "/v1/files" and scope["method"] == "POST"
    return limits.file_bytes + _FRAME_BYTES if is_upload else limits.json_bytes


def _too_long(most: int) -> ApiError:
    return ApiError(413, f"The request is longer than {most / MEGABYTE:g} MB; send a shorter one.", "request_too_large")
