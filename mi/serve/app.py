"""The server as an ASGI application: the endpoints, how they refuse, and what lives and dies with them."""

import asyncio
import contextlib
import traceback
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mi import __version__
from mi.llm.data_models import Model
from mi.serve import uploads
from mi.serve.batching import Batcher
from mi.serve.context import Context
from mi.serve.data_models import ServeSettings
from mi.serve.errors import ApiError, invalid
from mi.serve.guard import Guard
from mi.serve.routes import chat, files, jobs, models
from mi.serve.schemas import REFUSALS
from mi.serve.state import State
from mi.serve.trainer import Trainer

_NO_JSON = "The body is not the JSON object that is asked for here; send one with the right fields."


def create_app(settings: ServeSettings, state: State) -> FastAPI:
    """The application. It works while the server runs, and leaves `state` open when that ends."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        uploads.sweep(state)
        bases = settings.bases()
        trainer = Trainer(state, bases)
        batcher = Batcher(settings.batch_milliseconds / 1000, settings.limits.waiting_answers)
        app.state.context = Context(settings, state, trainer, batcher, bases)
        trainer.start()
        warming = asyncio.ensure_future(batcher.warm(Model(next(iter(bases.values())), "local")))
        warming.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            yield
        finally:
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)
            await asyncio.to_thread(trainer.stop)
            await batcher.close()

    app = FastAPI(
        title="mi serve",
        version=__version__,
        description="OpenAI's protocol for files, fine-tuning jobs and chat completions, on this machine.",
        lifespan=lifespan,
        responses=REFUSALS,
        docs_url=None,
        redoc_url=None,
    )
    for part in (files, jobs, models, chat):
        app.include_router(part.router)
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _no_such_place)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(Guard, settings=settings)
    return app


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    headers = {"retry-after": "1"} if error.status == 429 and error.code == "rate_limit_exceeded" else None
    return JSONResponse(error.body(), error.status, headers)


async def _not_understood(request: Request, error: Exception) -> JSONResponse:
    """One sentence about the first thing that is wrong; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = [
        str(part).encode("utf-8", "replace").decode() for part in first["loc"] if part not in ("body", "query", "path")
    ]
    param = ".".join(place) or None
    if first["type"] == "extra_forbidden":
        refusal = invalid(f"Unrecognized request argument supplied: {param}", param, "unknown_parameter")
    elif first["type"] == "json_invalid" or param is None:
        refusal = invalid(_NO_JSON)
    else:
        refusal = invalid(f"Invalid value for {param}: {first['msg']}.", param, "invalid_value")
    return JSONResponse(refusal.body(), refusal.status)


async def _no_such_place(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        refusal = ApiError(404, f"Invalid URL ({request.method} {request.url.path})", "unknown_url")
    elif error.status_code == 405:
        message = f"Not allowed to {request.method} on {request.url.path}."
        refusal = ApiError(405, message, "method_not_supported")
    elif error.status_code == 400:
        refusal = invalid(_NO_JSON)
    else:
        refusal = ApiError(error.status_code, str(error.detail))
    return JSONResponse(refusal.body(), refusal.status, error.headers)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    traceback.print_exception(error)
    return JSONResponse(ApiError(500, "The server had an error while it was answering; try again.").body(), 500)
