"""One vLLM server, ours or another's: whether it is well, what it serves, how it renders; its adapters, in and out."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mi.external.openai_driver.client import Client, pool_of
from mi.external.openai_driver.endpoints import Endpoint
from mi.external.openai_driver.keys import Key
from mi.external.openai_driver.services import PATIENCE, Bound
from mi.external.vllm_driver.diagnosis import diagnosis
from mi.llm.data_models import Chat, LLMResponse
from mi.utils.errors import UserError
from mi.utils.tether import Tethered

CONNECTIONS = 256
"""Requests under way at once: as many as vLLM itself batches by default."""
_LOAD_SECONDS, _LOOK_SECONDS, _ENDING_SECONDS = 600.0, 30.0, 10.0
_RUNTIME_LORA = "start it by `mi vllm`, or with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=true"


@dataclass
class Server:
    """A server of one base model and its adapters."""

    url: str
    """The base URL, `/v1` included."""
    base: str
    """The name under which the base answers."""
    key: str | None = field(default=None, repr=False)
    process: Tethered | None = None
    """None for a server that somebody else started."""
    log: Path | None = None
    context: int | None = None
    """Tokens of prompt and answer together; None where the server does not tell."""
    examined: bool = False
    """Whether its base was found to be the one that is meant."""
    passed: dict[str, Sequence[LLMResponse]] = field(default_factory=dict)
    """The adapters that answered otherwise than their base, and what they answered."""

    @property
    def root(self) -> str:
        """The URL without `/v1`."""
        return self.url.removesuffix("/v1")

    @property
    def is_up(self) -> bool:
        """Whether the process runs, as far as it is ours to know."""
        return self.process is None or self.process.exit_code is None

    async def bound(self, name: str) -> Bound:
        """One of its models as the driver of OpenAI's protocol asks it."""
        endpoint = Endpoint(self.url, "vllm", kind="vllm", connections=CONNECTIONS, timeout=_LOAD_SECONDS)
        key = Key("vllm", self.key, endpoint)
        return Bound(Client(key, name, await pool_of(key), PATIENCE), endpoint.capabilities("vllm", name))

    async def is_well(self) -> bool:
        """Whether it says that it can be asked."""
        try:
            return (await self._call("GET", f"{self.root}/health"))[0] == 200
        except OSError:
            return False

    async def models(self) -> list[dict[str, Any]]:
        """What it serves: `id`, `root` (the path), `parent` of adapters, `max_model_len` of the base."""
        status, text = await self._asked("GET", f"{self.url}/models")
        try:
            return [entry for entry in json.loads(text)["data"] if isinstance(entry, dict)] if status == 200 else []
        except (ValueError, KeyError, TypeError):
            return []

    async def load(self, name: str, folder: Path) -> None:
        """Load an adapter under a name that no other has had. Raises UserError with the server's reason."""
        given = {"lora_name": name, "lora_path": str(folder.absolute())}
        status, text = await self._asked("POST", f"{self.url}/load_lora_adapter", given)
        if status == 200:
            return
        if status == 400 and "already been loaded" in text:
            roots = [entry.get("root") for entry in await self.models() if entry.get("id") == name]
            if roots == [given["lora_path"]]:
                return
        if status in (404, 405) and "No adapter found" not in text:
            raise UserError(f"{self.root}: this server loads no adapters while it runs; {_RUNTIME_LORA}.")
        if "max_lora_rank" in text:
            raise UserError(
                f"{folder}: {_reason(text)}; start the server with a greater rank, "
                'MI_VLLM_ARGS="--max-lora-rank 128" (8 to 512), or train with a smaller lora_rank.'
            )
        raise UserError(
            f"{folder}: {self.root} does not load this adapter ({status}: {_reason(text)}); see that the server reads "
            "this folder and was started with --enable-lora, or sample by local/<model>."
        )

    async def unload(self, name: str) -> None:
        """Forget an adapter; one that is not there is forgotten already."""
        await self._asked("POST", f"{self.url}/unload_lora_adapter", {"lora_name": name})
        self.passed.pop(name, None)

    async def tokens(self, chat: Chat) -> list[int] | None:
        """The tokens that a chat becomes, the opening of the answer included; None where the server does not tell."""
        messages = [{"role": turn.role, "content": turn.content} for turn in chat]
        given = {"model": self.base, "messages": messages, "add_generation_prompt": True}
        status, text = await self._asked("POST", f"{self.root}/tokenize", given)
        try:
            return list(json.loads(text)["tokens"]) if status == 200 else None
        except (ValueError, KeyError, TypeError):
            return None

    def gone(self, doing: str) -> UserError:
        """Why the process ended while it was doing something."""
        code = self.process.exit_code if self.process else None
        reason = diagnosis(self.log) if self.log else "see its log"
        return UserError(f"vLLM ended while {doing} (exit code {code}): {reason}. Its output: {self.log}")

    async def _has_ended(self) -> bool:
        """Whether the process is gone; a connection may break a moment before it is."""
        deadline = time.monotonic() + _ENDING_SECONDS
        while self.is_up and self.process is not None and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        return not self.is_up

    async def _asked(self, method: str, url: str, given: Any = None) -> tuple[int, str]:
        try:
            return await self._call(method, url, given)
        except OSError as error:
            if await self._has_ended():
                raise self.gone("it was asked") from error
            raise UserError(
                f"{url}: no vLLM answers there ({error}); start one by `mi vllm`, or unset MI_VLLM."
            ) from None

    async def _call(self, method: str, url: str, given: Any = None) -> tuple[int, str]:
        """Status and text of a reply. Raises OSError where there is none."""
        import aiohttp

        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        timeout = aiohttp.ClientTimeout(total=_LOOK_SECONDS if given is None else _LOAD_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
                session.request(method, url, json=given) as reply,
            ):
                return reply.status, await reply.text()
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            raise OSError(str(error) or type(error).__name__) from error


def base_among(models: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any] | None:
    """The entry of the base that goes by one of these names or paths; None where none does."""
    bases = [entry for entry in models if entry.get("parent") is None]
    return next((entry for entry in bases if {entry.get("id"), entry.get("root")} & set(names)), None)


def _reason(text: str) -> str:
    """The message within a server's error, in one line."""
    try:
        value = json.loads(text)
        error = value.get("error", value)
        text = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, AttributeError, TypeError):
        pass
    return " ".join(text.split())[:300].rstrip(".")
