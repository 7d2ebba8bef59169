"""What a reply that is no answer means: a result, something that a retry can mend, or one sentence for a person."""

import datetime
import email.utils
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from mi.external.openai_driver.wire import filtered
from mi.llm.data_models import LLMResponse
from mi.utils.errors import UserError

_MOST_OF_A_REASON = 300
_RETRIED = {408, 409, 425, 429}
_NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "access_terminated"}
_FILTERED = {"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"}
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_MENDS = {
    400: "mend the request",
    401: "give a valid key",
    402: "add credit to its account and run the same command again",
    403: "use a key that may ask this model",
    404: "name a model that this endpoint serves",
    413: "ask a shorter question",
    422: "mend the request",
}


class Trouble(Exception):
    """A failure that a retry may mend: refused by a limit, a failure of the server, or a reply that holds no answer."""

    def __init__(
        self, kind: Literal["limit", "server", "reply"], reason: str, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.kind, self.reason, self.retry_after = kind, reason, retry_after


def read_failure(where: str, status: int, headers: Mapping[str, str], payload: bytes) -> LLMResponse:
    """The result that a reply of another status than 200 amounts to: an answer that was filtered away.

    Raises Trouble where a retry can mend it, and UserError, naming `where` and the server's reason, where none can.
    """
    code, kind, reason, flagged = _error(payload)
    if _FILTERED & {code, kind} or (status == 403 and flagged):
        return filtered()
    reason = reason or "no reason given"
    if _NO_MONEY & {code, kind}:
        raise UserError(f"{where}: the account has no credit left ({status}: {reason}); {_MENDS[402]}.")
    if status in _RETRIED or status >= 500:
        limited = status == 429 or (status in (503, 529) and retry_after(headers) is not None)
        raise Trouble("limit" if limited else "server", f"{status}: {reason}", retry_after(headers))
    if 300 <= status < 400:
        raise UserError(f"{where}: the server points to {headers.get('Location')}; give that as the base URL.")
    raise UserError(f"{where}: the server refuses ({status}: {reason}); {_MENDS.get(status, _MENDS[400])}.")


def failure_inside(payload: bytes) -> int | None:
    """The status that an error within a reply of status 200 stands for (OpenRouter sends such), or None."""
    try:
        error = msgspec.json.decode(payload).get("error")
    except (msgspec.DecodeError, AttributeError):
        return None
    if not isinstance(error, dict):
        return None
    code = error.get("code")
    return code if isinstance(code, int) and code >= 300 else 500


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to wait: retry-after-ms, or Retry-After in seconds or as a date; else None."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            return max(0.0, float(milliseconds) / 1000)
        if (given := headers.get("Retry-After")) is None:
            return None
        return max(0.0, float(given) if re.fullmatch(r"\s*[\d.]+\s*", given) else _until(given))
    except (ValueError, TypeError):
        return None


def duration(text: str | None) -> float | None:
    """Seconds of "6m0s", "1.5s", "12ms" or a bare number of seconds; None for anything else."""
    if not text:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _until(date: str) -> float:
    moment = email.utils.parsedate_to_datetime(date)
    return (moment - datetime.datetime.now(datetime.UTC)).total_seconds()


def _error(payload: bytes) -> tuple[str, str, str, bool]:
    """(code, type, reason in one line, whether a moderation flagged it) of an error's JSON, or of any text."""
    try:
        content: Any = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        content = None
    error = content.get("error", content) if isinstance(content, dict) else None
    if not isinstance(error, dict):
        text = error if isinstance(error, str) else re.sub(r"<[^>]*>", " ", payload.decode("utf-8", "replace"))
        return "", "", _line(text), False
    metadata = error.get("metadata")
    flagged = isinstance(metadata, dict) and "reasons" in metadata
    reason = error.get("message") or error.get("detail") or ""
    return str(error.get("code") or ""), str(error.get("type") or ""), _line(str(reason)), flagged


def _line(text: str) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= _MOST_OF_A_REASON else line[:_MOST_OF_A_REASON] + " …"
