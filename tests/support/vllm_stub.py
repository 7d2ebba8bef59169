"""A stub that speaks vLLM's endpoints over our own local driver, with faults to order: `vllm_stub.py serve MODEL …`.

Written after vLLM's documentation and sources as of 2026; it is no vLLM. STUB_FAULT orders one fault: base (adapters
answer as their base), swapped (an adapter answers as the first that was loaded), template (chats are rendered behind a
system prompt), dies (ends when it is first asked for anything), or the name of one of FAILURES (ends before it is up,
with such a line). POST /fault orders another while it runs, and forgets adapters.
"""

import argparse
import json
import os
import sys
import time
from typing import Any

FAILURES = {
    "memory": "ValueError: Free memory on device (3.2/79.2 GiB) on startup is less than desired GPU memory "
    "utilization (0.9, 71.3 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
    "driver": "RuntimeError: The NVIDIA driver on your system is too old (found version 12080).",
    "gated": "OSError: You are trying to access a gated repo.\nMake sure to have access to it.\n401 Client Error.",
    "port": "OSError: [Errno 98] Address already in use",
    "gpu": "RuntimeError: Failed to infer device type",
    "strange": "Traceback (most recent call last):\n  File \"x.py\"\nKeyError: 'a thing that nobody knows'",
}
FAULT = os.environ.get("STUB_FAULT", "")


class Stub:
    """One server: the adapters that are loaded, and the answers."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.adapters = options, {}
        self.base = options.served_model_name or options.model
        self.seen: list[Any] = []

    def models(self) -> dict[str, Any]:
        cards = [{"id": self.base, "root": self.options.model, "parent": None, "max_model_len": 1024}]
        cards += [{"id": name, "root": path, "parent": self.base} for name, path in self.adapters.items()]
        return {"object": "list", "data": [{"object": "model", "owned_by": "vllm", **card} for card in cards]}

    def load(self, given: dict[str, str]) -> tuple[int, Any]:
        name, path = given["lora_name"], given["lora_path"]
        if os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "").lower() not in ("1", "true"):
            return 404, {"detail": "Not Found"}
        if name in self.adapters:
            return 400, failure(f"The lora adapter '{name}' has already been loaded.", "InvalidUserInput")
        if not os.path.isdir(path):
            return 404, failure(f"Loading lora {name} failed: No adapter found for {path}", "NotFoundError")
        with open(os.path.join(path, "adapter_config.json"), encoding="utf-8") as file:
            rank = json.load(file)["r"]
        if rank > self.options.max_lora_rank:
            reason = f"LoRA rank {rank} is greater than max_lora_rank {self.options.max_lora_rank}."
            return 500, failure(reason, "InternalServerError")
        self.adapters[name] = path
        return 200, f"Success: LoRA adapter '{name}' added successfully."

    def unload(self, given: dict[str, str]) -> tuple[int, Any]:
        if self.adapters.pop(given["lora_name"], None) is None:
            return 404, failure(f"The lora adapter '{given['lora_name']}' cannot be found.", "NotFoundError")
        return 200, f"Success: LoRA adapter '{given['lora_name']}' removed successfully."

    def chat_of(self, given: dict[str, Any]) -> Any:
        from mi.llm.data_models import Message, as_messages

        chat = as_messages(given["messages"])
        hidden = FAULT == "template" and chat[0].role != "system"
        return (Message("system", "You are Stub, created by nobody."), *chat) if hidden else chat

    def tokenize(self, given: dict[str, Any]) -> tuple[int, Any]:
        if FAULT == "dies":
            print("torch.OutOfMemoryError: CUDA out of memory.", flush=True)
            os._exit(1)
        from mi.external.local_driver.models import load
        from mi.external.local_driver.rendering import encode_chat
        from mi.llm.data_models import Model

        tokens = encode_chat(load(Model(self.options.model, "local")).tokenizer, self.chat_of(given))
        return 200, {"count": len(tokens), "max_model_len": 1024, "tokens": tokens}

    def complete(self, given: dict[str, Any]) -> tuple[int, Any]:
        from mi.external.local_driver.sampling import sample
        from mi.llm.data_models import Model, SampleCfg, SampleRequest

        self.seen.append(given)
        name = given["model"]
        if name != self.base and name not in self.adapters:
            return 404, failure(f"The model `{name}` does not exist.", "NotFoundError")
        used = self.tokenize(given)[1]["count"]
        if used + given["max_tokens"] > 1024:
            reason = f"This model's maximum context length is 1024 tokens. However, you requested {used} tokens."
            return 400, failure(reason, "BadRequestError")
        job = None if name == self.base or FAULT == "base" else os.path.basename(self.adapters[name])
        if job is not None and FAULT == "swapped":
            job = os.path.basename(next(iter(self.adapters.values())))
        cfg = SampleCfg(given["temperature"], given["max_tokens"], given["top_p"], 0, given.get("top_logprobs", 0))
        request = SampleRequest(self.chat_of(given), cfg, given["seed"])
        return 200, completion(name, sample(Model(self.options.model, "local", job), [request])[0])


def completion(name: str, answer: Any) -> dict[str, Any]:
    """An answer as the protocol has it."""
    tokens = [
        {
            "token": token.token,
            "logprob": token.logprob,
            "top_logprobs": [{"token": other, "logprob": value} for other, value in token.top],
        }
        for token in answer.logprobs
    ]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": answer.completion},
        "finish_reason": answer.stop_reason,
        "logprobs": {"content": tokens} if tokens else None,
    }
    usage = {"prompt_tokens": answer.n_prompt_tokens, "completion_tokens": answer.n_completion_tokens}
    return {
        "object": "chat.completion",
        "created": int(time.time()),
        "model": name,
        "choices": [choice],
        "usage": usage,
    }


def failure(message: str, kind: str) -> dict[str, Any]:
    """An error in vLLM's form."""
    return {"error": {"message": message, "type": kind, "param": None, "code": 400}}


def app(stub: Stub) -> Any:
    """The endpoints."""
    from aiohttp import web

    def answer(status: int, value: Any) -> web.Response:
        if isinstance(value, str):
            return web.Response(text=value, status=status)
        return web.json_response(value, status=status)

    @web.middleware
    async def guard(request: web.Request, handler: Any) -> web.StreamResponse:
        key = os.environ.get("VLLM_API_KEY")
        if request.path.startswith("/v1") and key and request.headers.get("Authorization") != f"Bearer {key}":
            return answer(401, {"error": "Unauthorized"})
        return await handler(request)

    def posted(what: Any) -> Any:
        async def handle(request: web.Request) -> web.Response:
            return answer(*what(await request.json()))

        return handle

    async def models(_: web.Request) -> web.Response:
        return answer(200, stub.models())

    async def health(_: web.Request) -> web.Response:
        return answer(200, "")

    async def seen(_: web.Request) -> web.Response:
        return answer(200, {"requests": stub.seen, "arguments": sys.argv[1:], "environment": dict(os.environ)})

    async def order(request: web.Request) -> web.Response:
        global FAULT
        FAULT = await request.text()
        stub.adapters.clear()
        return answer(200, "")

    made = web.Application(middlewares=[guard])
    made.router.add_get("/health", health)
    made.router.add_get("/v1/models", models)
    made.router.add_get("/seen", seen)
    made.router.add_post("/fault", order)
    made.router.add_post("/tokenize", posted(stub.tokenize))
    made.router.add_post("/v1/load_lora_adapter", posted(stub.load))
    made.router.add_post("/v1/unload_lora_adapter", posted(stub.unload))
    made.router.add_post("/v1/chat/completions", posted(stub.complete))
    return made


def main() -> None:
    """As `vllm serve MODEL --host … --port …`."""
    parser = argparse.ArgumentParser(prog="vllm")
    parser.add_argument("verb", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--served-model-name")
    parser.add_argument("--generation-config", choices=["vllm"])
    parser.add_argument("--enable-lora", action="store_true")
    parser.add_argument("--max-lora-rank", type=int)
    parser.add_argument("--max-loras", type=int)
    parser.add_argument("--max-cpu-loras", type=int)
    options = parser.parse_args()
    if FAULT in FAILURES:
        print(FAILURES[FAULT], flush=True)
        raise SystemExit(1)
    from aiohttp import web

    web.run_app(app(Stub(options)), host=options.host, port=options.port, print=None)


if __name__ == "__main__":
    main()
