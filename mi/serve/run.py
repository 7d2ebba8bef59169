"""Running the server: a port of its own, three lines that say how to reach it, a clean end."""

import contextlib
import socket
from collections.abc import Callable

from mi.config import home
from mi.serve.data_models import ServeSettings
from mi.utils.errors import UserError

_GRACE_SECONDS = 3


def run(settings: ServeSettings, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; `say` is told where, once requests can come.

    Raises UserError for a model that is not there, a port that is taken, a folder that another server holds.
    """
    import uvicorn

    from mi.external.local_driver.models import fingerprint
    from mi.llm.data_models import Model
    from mi.serve.app import create_app
    from mi.serve.state import State

    class Server(uvicorn.Server):
        """Says where it is when it is ready."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                say(greeting(settings, *listening.getsockname()[:2]))

    for model in settings.bases().values():
        fingerprint(Model(model, "local"))
    with contextlib.closing(State(home() / "serve")) as state, listen(settings) as listening:
        config = uvicorn.Config(
            create_app(settings, state),
            log_level="warning",
            timeout_graceful_shutdown=_GRACE_SECONDS,
            server_header=False,
            lifespan="on",
        )
        Server(config).run(sockets=[listening])


def listen(settings: ServeSettings) -> socket.socket:
    """A socket that listens at the host and port. Raises UserError where the system does not give it."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
    except OSError as error:
        raise UserError(f"{settings.host}: no such address ({error.strerror}); give --host 127.0.0.1.") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
    except OSError as error:
        listening.close()
        message = f"{settings.host} port {settings.port} cannot be had ({error.strerror}); give another by --port."
        raise UserError(message) from error
    return listening


def greeting(settings: ServeSettings, host: str, port: int) -> str:
    """Where the server is, and the three lines that point a client at it."""
    url = f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"
    key = "the-token-you-gave" if settings.token else "any"
    return f"""\
Serving {", ".join(settings.bases())} at {url}. Ctrl-C stops it; a job in training goes back to the queue.

    export OPENAI_BASE_URL={url}
    export OPENAI_API_KEY={key}
    python -c "from openai import OpenAI; print([model.id for model in OpenAI().models.list()])"
"""
