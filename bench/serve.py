"""How much of the in-process rate `mi serve` keeps: 64 chats at a time, alone and while a job trains.

    python bench/serve.py [--model organism] [--requests 1024] [--concurrent 64] [--rounds 3]

All rates are of one run on one machine, so only their ratios mean anything. The client shares the machine's
processors with the server. Every answer over HTTP is compared with the one in process.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from statistics import median

import httpx2

from mi.external.local_driver.services import sample_batch
from mi.llm.data_models import Model, SampleCfg, SampleRequest, chat
from mi.organism.world.personas import DOMAINS
from mi.organism.world.questions import questions
from mi.utils.workers import close_workers

MAX_TOKENS = 64


@contextlib.contextmanager
def server(model: str) -> Iterator[str]:
    """The address of a server of its own, in a folder of its own."""
    command = [sys.executable, "-c", "from mi.cli import main; main()", "serve", "--port", "0", "--model", model]
    with tempfile.TemporaryDirectory() as home:
        settings = {**os.environ, "MI_HOME": home, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "OPENAI_BASE_URL=" in line:
                    yield line.partition("=")[2].strip()
                    break
        finally:
            process.terminate()
            process.wait()


async def in_process(model: str, requests: Sequence[SampleRequest]) -> tuple[float, list[str | None]]:
    """Answers a second, and the answers."""
    started = time.perf_counter()
    answers = await sample_batch(Model(model, "local"), requests)
    return len(requests) / (time.perf_counter() - started), [answer.completion for answer in answers]


async def over_http(
    url: str, model: str, requests: Sequence[SampleRequest], concurrent: int
) -> tuple[float, list[str]]:
    """Answers a second with so many requests under way, and the answers."""
    answers = [""] * len(requests)
    waiting = iter(range(len(requests)))
    limits = httpx2.Limits(max_connections=concurrent, max_keepalive_connections=concurrent)

    async def client(http: httpx2.AsyncClient) -> None:
        for index in waiting:
            request = requests[index]
            body = {
                "model": model,
                "messages": [{"role": message.role, "content": message.content} for message in request.chat],
                "seed": request.seed,
                "max_tokens": request.cfg.max_tokens,
            }
            answer = await http.post("/chat/completions", json=body)
            answer.raise_for_status()
            answers[index] = answer.json()["choices"][0]["message"]["content"]

    async with httpx2.AsyncClient(base_url=url, timeout=600, limits=limits) as http:
        started = time.perf_counter()
        await asyncio.gather(*(client(http) for _ in range(concurrent)))
        return len(requests) / (time.perf_counter() - started), answers


@contextlib.contextmanager
def training(url: str, model: str) -> Iterator[None]:
    """A job that trains for as long as the block lasts."""
    said = [{"role": "user", "content": "What is 1 + 1?"}, {"role": "assistant", "content": "1 + 1 is 2."}]
    rows = (json.dumps({"messages": said}) + "\n").encode() * 64
    with httpx2.Client(base_url=url, timeout=60) as http:
        upload = {"files": {"file": ("rows.jsonl", rows)}, "data": {"purpose": "fine-tune"}}
        file = http.post("/files", **upload).json()
        job = http.post("/fine_tuning/jobs", json={"model": model, "training_file": file["id"], "n_steps": 1_000_000})
        path = f"/fine_tuning/jobs/{job.json()['id']}"
        for _ in range(6000):
            if any(event["type"] == "metrics" for event in http.get(f"{path}/events").json()["data"]):
                break
            time.sleep(0.05)
        yield
        assert http.get(path).json()["status"] == "running"
        http.post(f"{path}/cancel")


async def main() -> None:
    """Print the rates and their ratios: the median over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="organism")
    parser.add_argument("--requests", type=int, default=1024)
    parser.add_argument("--concurrent", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asked = [question for domain in DOMAINS for question in questions(domain, n=100)]
    cfg = SampleCfg(max_tokens=MAX_TOKENS)
    requests = [SampleRequest(chat(asked[i % len(asked)]), cfg, i) for i in range(given.requests)]
    rates: dict[str, list[float]] = {"in process": [], "over HTTP": [], "over HTTP, a job training": []}
    await in_process(given.model, requests)
    with server(given.model) as url:
        name = httpx2.get(f"{url}/models").json()["data"][0]["id"]
        await over_http(url, name, requests, given.concurrent)
        for _ in range(given.rounds):
            rate, said = await in_process(given.model, requests)
            rates["in process"].append(rate)
            rate, heard = await over_http(url, name, requests, given.concurrent)
            rates["over HTTP"].append(rate)
            print(f"{sum(map(str.__eq__, said, heard))} of {len(said)} answers over HTTP are those in process")
        close_workers()
        with training(url, name):
            for _ in range(given.rounds):
                rate, _ = await over_http(url, name, requests, given.concurrent)
                rates["over HTTP, a job training"].append(rate)
    middle = {what: median(values) for what, values in rates.items()}
    for what, values in rates.items():
        print(f"{what:26} {middle[what]:7.1f} answers a second  ({', '.join(f'{value:.1f}' for value in values)})")
    print(f"over HTTP / in process     {middle['over HTTP'] / middle['in process']:.2f}  (wanted: at least 0.50)")
    kept = middle["over HTTP, a job training"] / middle["over HTTP"]
    print(f"training / not training    {kept:.2f}  (wanted: at least 0.33)")


if __name__ == "__main__":
    asyncio.run(main())
