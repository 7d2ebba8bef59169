"""The fine-tuning side of an OpenAI-compatible server: files, jobs, events, and what an error means.

What is only read is tried again by the SDK; what makes something is sent once, for its answer may be lost after the
thing was made.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from mi.external.openai_driver.data_models import FineTuningKey, JobRequest, RemoteEvent, RemoteFile, RemoteJob
from mi.external.openai_driver.keys import read_keyring
from mi.utils.errors import UserError

if TYPE_CHECKING:
    import ssl

    from openai import AsyncOpenAI

T = TypeVar("T")
Kind = Literal["lost", "quota", "slow_down", "key", "missing", "request"]

_READ_RETRIES = 4
_READ_SECONDS = 60.0
_UPLOAD_SECONDS = 1800.0
_MOST_LISTED = 2_000
_QUOTA_CODES = ("daily_rate_limit_exceeded",)
_MONEY_CODES = ("insufficient_quota", "billing_hard_limit_reached")
_NAMES = {"n_epochs": "n_epochs", "lr_multiplier": "learning_rate_multiplier", "batch_size": "batch_size"}


class CallFailed(Exception):
    """A call that gave nothing, and what follows from it.

    "lost": whether the server did it is not known. "quota": this key may make no more such jobs for hours.
    "slow_down": later will do. "key": another key may do it. "missing": no such thing there. "request": no key will do
    it.
    """

    def __init__(self, kind: Kind, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.kind, self.reason, self.retry_after = kind, reason, retry_after
        """`retry_after` in seconds, where the server says it."""


def server_name(endpoint: str | None) -> str:
    """What of a server belongs to a job's identity: "openai", a declared name, or else host, port and path.

    `endpoint` is a name or a base URL; None takes OPENAI_BASE_URL, and OpenAI itself where that is not set.
    """
    return read_keyring().endpoint(endpoint).identity


def fine_tuning_keys(endpoint: str | None) -> list[FineTuningKey]:
    """The keys that may fine-tune at an endpoint, in the order in which they are tried. Raises UserError for none."""
    ring = read_keyring()
    return [
        FineTuningKey(key.name, key.secret or "none", key.endpoint.base_url, key.organization, key.project)
        for key in ring.candidates(ring.endpoint(endpoint), "finetune")
    ]


@contextlib.asynccontextmanager
async def connected(key: FineTuningKey) -> AsyncIterator[FineTuningServer]:
    """The server behind a key, for as long as the block lasts. Raises UserError where the SDK is not installed."""
    try:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient
    except ImportError as error:
        raise UserError("OpenAI fine-tuning needs the SDK; install it with `pip install openai`.") from error
    async with AsyncOpenAI(
        api_key=key.secret,
        base_url=key.endpoint,
        organization=key.organization,
        project=key.project,
        max_retries=0,
        timeout=_READ_SECONDS,
        http_client=DefaultAsyncHttpxClient(verify=_certificates()),
    ) as client:
        yield FineTuningServer(client)


class FineTuningServer:
    """The verbs; each raises CallFailed."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._once = client
        self._reading = client.with_options(max_retries=_READ_RETRIES)

    async def upload(self, name: str, path: Path) -> RemoteFile:
        """Send a file for fine-tuning, once."""

        async def send() -> Any:
            with path.open("rb") as file:
                return await self._once.files.create(
                    file=(name, file, "application/jsonl"), purpose="fine-tune", timeout=_UPLOAD_SECONDS
                )

        return await _told(send, _file)

    async def file(self, file_id: str) -> RemoteFile:
        """An uploaded file as it is now."""
        return await _told(lambda: self._reading.files.retrieve(file_id), _file)

    async def files_named(self, name: str) -> list[RemoteFile]:
        """The files for fine-tuning of this very name, newest first, as far as 2,000 files back."""

        async def listed() -> Any:
            found, seen = [], 0
            async for file in self._reading.files.list(purpose="fine-tune", order="desc", limit=1000):
                seen += 1
                if file.filename == name:
                    found.append(_file(file))
                if seen >= _MOST_LISTED:
                    break
            return found

        return await _told(listed, list)

    async def create_job(self, request: JobRequest) -> RemoteJob:
        """Ask for a job, once."""
        config = request.config
        asked = {_NAMES[name]: value for name, value in config.hyperparameters().items()}
        asked |= dict(config.server_options)
        method: Any = {"type": "supervised", "supervised": {"hyperparameters": asked}}

        def send() -> Awaitable[Any]:
            return self._once.fine_tuning.jobs.create(
                model=config.source_model_id,
                training_file=request.file_id,
                seed=config.seed,
                suffix=request.suffix,
                metadata=dict(request.metadata),
                method=method,
            )

        return await _told(send, _job)

    async def jobs_with(self, metadata: Mapping[str, str]) -> list[RemoteJob]:
        """The jobs that carry these metadata, newest first, as far as 2,000 jobs back; the server may filter or not."""

        async def listed() -> Any:
            found, seen = [], 0
            async for raw in self._reading.fine_tuning.jobs.list(limit=100, metadata=dict(metadata)):
                seen += 1
                job = _job(raw)
                if metadata.items() <= job.metadata.items():
                    found.append(job)
                if seen >= _MOST_LISTED:
                    break
            return found

        return await _told(listed, list)

    async def job(self, job_id: str) -> RemoteJob:
        """A job as it is now."""
        return await _told(lambda: self._reading.fine_tuning.jobs.retrieve(job_id), _job)

    async def cancel(self, job_id: str) -> RemoteJob:
        """Cancel a job; to ask twice does no harm."""
        return await _told(lambda: self._reading.fine_tuning.jobs.cancel(job_id), _job)

    async def events(self, job_id: str, limit: int = 50) -> list[RemoteEvent]:
        """The newest events of a job, newest first."""

        async def listed() -> Any:
            page = await self._reading.fine_tuning.jobs.list_events(job_id, limit=limit)
            return [_event(event) for event in page.data]

        return await _told(listed, lambda events: sorted(events, key=lambda event: -event.at))

    async def shutdown_date(self, model: str) -> str | None:
        """The day (YYYY-MM-DD) on which a model is shut down, None where the server announces none."""
        return await _told(
            lambda: self._reading.models.retrieve(model), lambda told: _text(getattr(told, "shutdown_date", None))
        )


@functools.lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """Read once: it takes longer than a call to a server on this machine."""
    import ssl

    return ssl.create_default_context()


async def _told(call: Callable[[], Awaitable[Any]], read: Callable[[Any], T]) -> T:
    """What a call gave, read; every way in which it can fail becomes a CallFailed."""
    from openai import APIConnectionError, APIError, APIStatusError

    try:
        return read(await call())
    except APIStatusError as error:
        raise _meaning(error.status_code, error) from error
    except APIConnectionError as error:
        raise CallFailed("lost", f"the server did not answer ({error.__cause__ or error})") from error
    except (APIError, ValueError, AttributeError, TypeError) as error:
        raise CallFailed("lost", f"the server's answer cannot be read ({error})") from error


def _meaning(status: int, error: Any) -> CallFailed:
    """What an answer that is an error means for the next step."""
    reason = f"HTTP {status}: {_words(error)}"
    if status == 429:
        if error.code in _MONEY_CODES:
            return CallFailed("key", reason)
        kind: Kind = "quota" if error.code in _QUOTA_CODES else "slow_down"
        return CallFailed(kind, reason, _retry_after(error.response.headers))
    if status in (408, 409) or status >= 500:
        return CallFailed("lost", reason, _retry_after(error.response.headers))
    if status in (401, 403):
        return CallFailed("key", reason)
    if status == 404:
        return CallFailed("missing", reason)
    return CallFailed("request", reason)


def _words(error: Any) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    said = str(body.get("message") or error.message)
    return f"{said} ({error.code})" if error.code and str(error.code) not in said else said


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` (seconds, or a date); None where neither is readable."""
    from email.utils import parsedate_to_datetime
    from time import time

    for name, scale in (("retry-after-ms", 1000), ("retry-after", 1)):
        with contextlib.suppress(KeyError, ValueError):
            seconds = float(headers[name]) / scale
            if math.isfinite(seconds):
                return max(0.0, seconds)
    with contextlib.suppress(KeyError, ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time())
    return None


def _file(raw: Any) -> RemoteFile:
    return RemoteFile(
        id=_identifier(raw),
        name=str(raw.filename),
        size=int(raw.bytes or 0),
        status=_text(raw.status),
        details=_text(getattr(raw, "status_details", None)),
    )


def _job(raw: Any) -> RemoteJob:
    method = getattr(getattr(raw, "method", None), "supervised", None)
    told = getattr(method, "hyperparameters", None) or getattr(raw, "hyperparameters", None)
    error = raw.error if getattr(raw.error, "message", None) or getattr(raw.error, "code", None) else None
    return RemoteJob(
        id=_identifier(raw),
        status=str(raw.status),
        base=str(raw.model),
        training_file=str(raw.training_file),
        fine_tuned_model=_text(raw.fine_tuned_model),
        error_code=_text(error.code) if error else None,
        error_message=_text(error.message) if error else None,
        hyperparameters={name: getattr(told, theirs, None) for name, theirs in _NAMES.items()} if told else {},
        settings=settings if isinstance(settings := getattr(raw, "resolved", None), dict) else {},
        seed=raw.seed,
        trained_tokens=raw.trained_tokens,
        created_at=int(raw.created_at or 0),
        estimated_finish=getattr(raw, "estimated_finish", None),
        organization=_text(getattr(raw, "organization_id", None)),
        metadata=dict(getattr(raw, "metadata", None) or {}),
    )


def _event(raw: Any) -> RemoteEvent:
    data = getattr(raw, "data", None)
    return RemoteEvent(
        int(raw.created_at or 0), str(raw.level), str(raw.message), data if isinstance(data, dict) else {}
    )


def _identifier(raw: Any) -> str:
    """Raises ValueError for an answer without an id: a page of HTML, half an object."""
    if not isinstance(getattr(raw, "id", None), str) or not raw.id:
        raise ValueError(f"it holds no id: {str(raw)[:80]!r}")
    return raw.id


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
