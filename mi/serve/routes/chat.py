"""/v1/chat/completions: answers at once, or in pieces as they are written."""

import asyncio
import json
import traceback
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from mi.llm.data_models import LLMResponse, Model, TokenLogprob
from mi.serve import chat
from mi.serve.chat import Asked
from mi.serve.context import Context
from mi.serve.errors import ApiError
from mi.serve.routes.common import Server
from mi.serve.schemas import ChatRequest
from mi.utils.errors import UserError

router = APIRouter(prefix="/v1/chat", tags=["chat"])

_CLIENT_LEFT = 499
"""A status that nobody sees, as nginx notes it."""

Piece = tuple[int, str, tuple[TokenLogprob, ...]]


@router.post("/completions", response_class=JSONResponse)
async def complete(body: ChatRequest, request: Request, server: Server) -> Response:
    """`n` answers to a conversation; equal requests with equal seeds get equal answers."""
    model = server.model(body.model)
    asked = chat.read(body, server.settings.limits, await server.fingerprint(model))
    if body.stream:
        wants_usage = bool(body.stream_options and body.stream_options.include_usage)
        return await _stream(server, model, asked, wants_usage)
    asking = asyncio.ensure_future(server.batcher.ask(model, asked.requests))
    leaving = asyncio.ensure_future(_left(request))
    await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
    leaving.cancel()
    if not asking.done():  # nobody will read the answers: those that are not begun need not be drawn
        asking.cancel()
        return Response(status_code=_CLIENT_LEFT)
    try:
        return JSONResponse(chat.completion_object(asked, asking.result()))
    except UserError as error:
        raise chat.refusal_of(error) from error


async def _left(request: Request) -> None:
    """Return when the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _stream(server: Context, model: Model, asked: Asked, wants_usage: bool) -> Response:
    """Server-sent events. What is refused is refused before the stream begins, with a status of its own."""
    pieces: asyncio.Queue[Piece | None] = asyncio.Queue()
    asking = asyncio.ensure_future(server.batcher.ask(model, asked.requests, lambda *piece: pieces.put_nowait(piece)))
    asking.add_done_callback(lambda _: pieces.put_nowait(None))
    first = await pieces.get()
    if first is None and (error := asking.exception()) is not None:
        if isinstance(error, UserError):
            raise chat.refusal_of(error) from error
        raise error
    return StreamingResponse(_events(asked, asking, first, pieces, wants_usage), media_type="text/event-stream")


async def _events(
    asked: Asked,
    asking: "asyncio.Future[list[LLMResponse]]",
    first: Piece | None,
    pieces: "asyncio.Queue[Piece | None]",
    wants_usage: bool,
) -> AsyncIterator[str]:
    try:
        for index in range(len(asked.requests)):
            yield _event(chat.chunk_object(asked, index, {"role": "assistant", "content": "", "refusal": None}))
        piece = first
        while piece is not None:
            index, text, tokens = piece
            shown = chat.logprobs_object(asked, tokens)
            yield _event(chat.chunk_object(asked, index, {"content": text}, logprobs=shown))
            piece = await pieces.get()
        answers = asking.result()
        for index, answer in enumerate(answers):
            _, end = chat.split_end(answer)
            shown = chat.logprobs_object(asked, (), end)
            yield _event(chat.chunk_object(asked, index, {}, logprobs=shown, finish_reason=answer.stop_reason))
        if wants_usage:
            yield _event(chat.usage_chunk(asked, answers))
        yield "data: [DONE]\n\n"
    except Exception as error:
        traceback.print_exception(error)
        yield _event(ApiError(500, "The server had an error while it was answering; try again.").body())
    finally:
        asking.cancel()


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"
