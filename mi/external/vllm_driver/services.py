"""The verbs of the driver: sample a base or an adapter with vLLM, and name what answers."""

import asyncio
import atexit
import contextlib
import json
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from mi.config import jobs_dir
from mi.external.local_driver import models as local
from mi.external.openai_driver.services import sample_bound
from mi.external.vllm_driver import canary, starting
from mi.external.vllm_driver.server import CONNECTIONS, Server
from mi.external.vllm_driver.settings import VllmSettings, read_settings
from mi.llm.data_models import LLMResponse, Model, SampleRequest
from mi.utils.errors import UserError
from mi.utils.hashing import digest, file_digest

OnResponse = Callable[[int, LLMResponse], None]
T = TypeVar("T")
_GLANCE_SECONDS = 0.5
_TOKENS_OF_A_FRAME = 64
"""More than a template writes around a message; only whether to count exactly hangs on it."""

_own = starting.Own()
_found: dict[tuple[str, str], Server] = {}
_turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()
atexit.register(_own.close)


def fingerprint(model: Model) -> str:
    """The identity of what vLLM answers: of the weights and the job, as when they are sampled here, and of vLLM.

    Its kernels and its random draws are others than ours, so its answers are never taken for those of `local`.
    """
    return digest(["vllm", local.fingerprint(Model(model.id, "local", model.job_id))])


def at_once() -> int:
    """How many calls are under way at a time."""
    return CONNECTIONS


def close() -> None:
    """End the server that this process has started, if it has, and forget those that it has found."""
    _own.close()
    _found.clear()
    canary.forget_ours()


async def sample_batch(
    model: Model, requests: Sequence[SampleRequest], on_response: OnResponse | None = None
) -> list[LLMResponse]:
    """Answers in the order of the requests; `on_response(place, answer)` is called as soon as each has come back.

    The first call for a base starts its server and the first for an adapter loads it, and both are examined. Raises
    UserError where vLLM cannot be had, serves something else, or ends.
    """
    wanted = _wanted(model, read_settings(model.endpoint))
    async with _server(wanted) as server:
        return await _while_up(server, _sampled(server, wanted, requests, on_response))


@dataclass(frozen=True)
class _Wanted:
    """What is to be asked: the weights that a server is needed for, and the adapter over them."""

    settings: VllmSettings
    weights: str
    job_id: str = ""
    adapter: Path | None = None

    @property
    def is_checked(self) -> bool:
        """Whether the weights are small enough to be compared with our own forward pass."""
        return _weight_bytes(self.weights) <= self.settings.checked_gigabytes * 1e9


async def _sampled(
    server: Server, wanted: _Wanted, requests: Sequence[SampleRequest], on_response: OnResponse | None
) -> list[LLMResponse]:
    async with _turn():
        await _examine(server, wanted)
        name = server.base if wanted.adapter is None else await _loaded(server, wanted, wanted.adapter)
    fitted = await _fitted(server, requests)
    return await sample_bound(await server.bound(name), fitted, on_response)


def _wanted(model: Model, settings: VllmSettings) -> _Wanted:
    """Raises UserError for a job that is lost, and for an adapter that a server of ours would not take."""
    if model.job_id is None:
        return _Wanted(settings, model.id)
    folder = jobs_dir() / model.job_id
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such fine-tuning job; train it first.")
    if not (folder / "adapter_config.json").exists():
        return _Wanted(settings, str(folder))
    rank = json.loads((folder / "adapter_config.json").read_text("utf-8")).get("r", 0)
    if settings.url is None and rank > settings.max_lora_rank():
        raise UserError(
            f"{folder}: this adapter has rank {rank}, and the server takes {settings.max_lora_rank()} at most; set "
            f'MI_VLLM_ARGS="--max-lora-rank {_rank_that_fits(rank)}", or train with a smaller lora_rank.'
        )
    return _Wanted(settings, model.id, model.job_id, folder)


def _rank_that_fits(rank: int) -> int:
    """The least value of --max-lora-rank that takes an adapter; vLLM knows these alone."""
    return next((known for known in (8, 16, 32, 64, 128, 256, 320, 512) if known >= rank), 512)


@contextlib.asynccontextmanager
async def _server(wanted: _Wanted) -> AsyncIterator[Server]:
    if wanted.settings.url is None:
        async with _own.server(wanted.settings, wanted.weights) as server:
            yield server
        return
    key = (wanted.settings.url, wanted.weights)
    if key not in _found:
        _found[key] = await starting.find(wanted.settings, wanted.weights)
    yield _found[key]


def _turn() -> asyncio.Lock:
    """Held while a server is examined, so that no two examine the same."""
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())


async def _examine(server: Server, wanted: _Wanted) -> None:
    """Once a server: it renders chats as we do, and a small model answers as our own pass of it does."""
    if server.examined:
        return
    from mi.external.local_driver.rendering import encode_chat

    tokenizer = await asyncio.to_thread(_tokenizer, wanted.weights)
    for chat in canary.CHATS:
        theirs = await server.tokens(chat)
        if theirs is not None and theirs != encode_chat(tokenizer, chat):
            raise UserError(
                f"{server.root}: this server renders a chat otherwise than the model's own template does; start it "
                "without --chat-template, with the tokenizer of the model."
            )
    if wanted.is_checked:
        ours = (await canary.our_replies([Model(wanted.weights, "local")]))[0]
        canary.check_ours(wanted.weights, await _asked(server, server.base), ours)
    server.examined = True


async def _loaded(server: Server, wanted: _Wanted, folder: Path) -> str:
    """The name of an adapter that is loaded and answers as itself.

    The name holds the job's, and a digest of the weights: no name is ever given to other weights, for the server keeps
    what it has read under a name.
    """
    name = f"{wanted.job_id}-{file_digest(folder / 'adapter_model.safetensors')[:8]}"
    if name in server.passed:
        return name
    await server.load(name, folder)
    try:
        before = await _asked(server, server.base)
        replies = await _asked(server, name)
        canary.check_shift(name, before, replies, await _asked(server, server.base))
        canary.check_others(name, replies, server.passed)
        if wanted.is_checked:
            models = [Model(wanted.weights, "local", job) for job in (None, wanted.job_id)]
            base, ours = await canary.our_replies(models)
            canary.check_ours(name, replies, ours, base)
    except UserError:
        await server.unload(name)
        raise
    server.passed[name] = replies
    return name


async def _asked(server: Server, name: str) -> list[LLMResponse]:
    """The canary's questions, one after the other: who shares a batch may change the last digits."""
    bound = await server.bound(name)
    return [(await sample_bound(bound, [request], None))[0] for request in canary.REQUESTS]


def _weight_bytes(weights: str) -> float:
    """How large the weights are on the disk; without end where they are not here."""
    from huggingface_hub import try_to_load_from_cache

    folder = Path(local.locate(weights)).expanduser()
    if not folder.is_dir():
        cached = try_to_load_from_cache(weights, "config.json")
        folder = Path(cached).parent if isinstance(cached, str) else folder
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) or float("inf")


def _tokenizer(weights: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(local.locate(weights))


async def _fitted(server: Server, requests: Sequence[SampleRequest]) -> list[SampleRequest]:
    """The requests with as many tokens for the answer as the context leaves, as the local driver does it.

    vLLM refuses a request that could grow beyond its context. Raises UserError for a prompt that fills it.
    """
    if server.context is None:
        return list(requests)
    context, counted, fitted = server.context, {}, []
    for request in requests:
        bound = sum(len(turn.content.encode()) + _TOKENS_OF_A_FRAME for turn in request.chat) + _TOKENS_OF_A_FRAME
        if bound + request.cfg.max_tokens > context:
            if request.chat not in counted:
                counted[request.chat] = len(await server.tokens(request.chat) or ())
            room = context - counted[request.chat]
            if room < 1:
                raise UserError(
                    f"the prompt that ends in {request.chat[-1].content[:40]!r}… has {counted[request.chat]} tokens "
                    f"and fills the context of {context}; shorten it, or start vLLM with a greater --max-model-len."
                )
            cfg = replace(request.cfg, max_tokens=min(request.cfg.max_tokens, room))
            request = replace(request, cfg=cfg)
        fitted.append(request)
    return fitted


async def _while_up(server: Server, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; where the server's process ends meanwhile, UserError says why, and the work is given up."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=_GLANCE_SECONDS)
            if not task.done() and not server.is_up:
                raise server.gone("it was asked")
        if not server.is_up and task.exception() is not None:
            raise server.gone("it was asked") from task.exception()
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
