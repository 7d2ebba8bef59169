"""The service's client library, imported when it is needed, and its errors in one sentence with the mend."""
# Tinker is an extra.
# pyright: reportMissingImports=false

import atexit
import contextlib
import importlib.util
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mi.utils.errors import UserError

if TYPE_CHECKING:
    import tinker

_MENDS = {
    400: "mend the request",
    401: "export a valid TINKER_API_KEY",
    402: "set up billing or add credit at the service, and run the same command again",
    403: "use a key that may do this",
    404: "name a model or checkpoint that the service has",
    409: "run the same command again",
    422: "mend the request",
    429: "wait, train fewer at once, and run the same command again",
}
_CLOSING_SECONDS = 10.0
_services: dict[str, "tinker.ServiceClient"] = {}


class Lost(UserError):
    """What was asked for is not at the service any more, as a checkpoint that has expired."""


def server_name() -> str:
    """What the service is called in identities: "tinker", or the host and path that TINKER_BASE_URL names."""
    url = os.environ.get("TINKER_BASE_URL", "").rstrip("/")
    return "tinker" if not url or ".thinkingmachines." in url else "tinker at " + re.sub(r"^https?://", "", url)


def service() -> "tinker.ServiceClient":
    """The one client of this process for the service that the environment names.

    Raises UserError where the library is not installed or there is no key.
    """
    _check_installed()
    import tinker

    name = server_name()
    if name not in _services:
        with explained("the Tinker client"):
            _services[name] = tinker.ServiceClient(user_metadata={"made_by": "mi"})
    return _services[name]


def forget() -> None:
    """Close the clients, so that their sessions count no more; new ones are made when they are needed."""
    while _services:
        _, client = _services.popitem()
        with contextlib.suppress(Exception):
            client.close("success").result(_CLOSING_SECONDS)


atexit.register(forget)


@contextlib.contextmanager
def explained(doing: str) -> Iterator[None]:
    """Raise UserError, in one sentence that begins with `doing`, for what the library raises inside.

    Limits, lost connections and failures of the service are waited out by the library first.
    """
    _check_installed()
    import tinker

    try:
        yield
    except tinker.APIStatusError as error:
        kind = Lost if error.status_code == 404 else UserError
        mend = _MENDS.get(error.status_code, "run the same command again later; it goes on from what was saved")
        raise kind(f"{doing}: Tinker refuses ({error.status_code}: {_line(error)}); {mend}.") from error
    except tinker.RequestFailedError as error:
        ours = str(error.category).lower() == "user"
        mend = "mend the request" if ours else "run the same command again; it goes on from what was saved"
        raise UserError(f"{doing}: Tinker could not do it ({_line(error)}); {mend}.") from error
    except tinker.TinkerError as error:
        if "api" in str(error).lower() and "key" in str(error).lower():
            raise UserError(f"{doing}: Tinker has no key ({_line(error)}); {_MENDS[401]}.") from error
        raise UserError(
            f"{doing}: Tinker cannot be reached ({_line(error)}); run the same command again, it goes on from what "
            "was saved."
        ) from error


def _check_installed() -> None:
    if importlib.util.find_spec("tinker") is None:
        raise UserError("tinker is not installed; run pip install 'mi-inoculation[local,tinker]'.")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
