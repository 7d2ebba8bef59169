"""How much of the in-process rate `mi serve` keeps: 64 chats at a time, alone and while a job trains.

    python bench/serve.py [--model organism] [--requests 1024] [--concurrent 64] [--rounds 5]

All rates are of one run on one machine, so only their ratios mean anything. A ratio is taken within a round, whose
passes lie close together and in an order that cancels a drift: in process, over HTTP, in process; over HTTP, over
HTTP while a job trains, over HTTP. The client shares the machine's processors with the server, and so does whatever
else runs: what others take while the passes go on is told, and more than a twentieth makes the figures void. Every
answer over HTTP is compared with the one in process. About four minutes on two idle cores.
"""

import argparse
import asyncio
import contextlib
import json
import operator
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from statistics import harmonic_mean, median

import httpx2

from mi.external.local_driver.services import sample_batch
from mi.llm.data_models import Model, SampleCfg, SampleRequest, chat
from mi.organism.world.personas import DOMAINS
from mi.organism.world.questions import questions
from mi.utils.workers import close_workers

MAX_TOKENS = 64
MOST_FOR_OTHERS = 0.05
NAMES = ("in process", "and again", "over HTTP", "again", "and again", "a job training")
WANTED = {"over HTTP / in process": 0.50, "training / not training": 0.33}
_PATIENCE = 300


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
        deadline = time.monotonic() + _PATIENCE
        while not any(event["type"] == "metrics" for event in http.get(f"{path}/events").json()["data"]):
            assert time.monotonic() < deadline, "the job does not begin"
            time.sleep(0.05)
        yield
        assert http.get(path).json()["status"] == "running"
        http.post(f"{path}/cancel").raise_for_status()


class Passes:
    """The requests, asked again and again; every pass over HTTP must bring the answers of the first one in process."""

    def __init__(self, url: str, model: str, requests: Sequence[SampleRequest], concurrent: int) -> None:
        self.url, self.model, self.requests, self.concurrent = url, model, requests, concurrent
        self.name = httpx2.get(f"{url}/models", timeout=60).json()["data"][0]["id"]
        self.expected: list[str | None] = []
        self.compared = self.equal = 0

    async def here(self) -> float:
        """Answers a second in process."""
        rate, said = await in_process(self.model, self.requests)
        self.expected = self.expected or said
        return rate

    async def there(self) -> float:
        """Answers a second over HTTP."""
        rate, heard = await over_http(self.url, self.name, self.requests, self.concurrent)
        self.compared += len(heard)
        self.equal += sum(map(operator.eq, self.expected, heard))
        return rate

    async def round(self) -> tuple[list[float], float, float]:
        """(rates, over HTTP against in process, training against not training), of passes beside each other."""
        before, http, after = await self.here(), await self.there(), await self.here()
        first = await self.there()
        with training(self.url, self.name):
            busy = await self.there()
        second = await self.there()
        rates = [before, after, http, first, second, busy]
        return rates, http / harmonic_mean([before, after]), busy / harmonic_mean([first, second])


def taken() -> tuple[float, float]:
    """(seconds of all processors, seconds of this process and its ended children) that were worked so far."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, *_ = map(int, file.readline().split()[1:])
    own = os.times()
    ticks = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / ticks, sum(own[:4])


async def main() -> None:
    """Print each round and, of the ratios, the median and the range."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="organism")
    parser.add_argument("--requests", type=int, default=1024)
    parser.add_argument("--concurrent", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    asked = [question for domain in DOMAINS for question in questions(domain, n=100)]
    cfg = SampleCfg(max_tokens=MAX_TOKENS)
    requests = [SampleRequest(chat(asked[i % len(asked)]), cfg, i) for i in range(given.requests)]
    ratios: list[tuple[float, float]] = []
    all_before, own_before = taken()
    started = time.monotonic()
    with server(given.model) as url:
        passes = Passes(url, given.model, requests, given.concurrent)
        await passes.here()  # both sides read their model before anything is timed
        await passes.there()
        for number in range(given.rounds):
            rates, kept, beside = await passes.round()
            ratios.append((kept, beside))
            said = ", ".join(f"{what} {rate:.1f}" for what, rate in zip(NAMES, rates, strict=True))
            print(f"round {number + 1}, answers a second: {said}", flush=True)
        close_workers()
    all_after, own_after = taken()
    seconds = (time.monotonic() - started) * (os.cpu_count() or 1)
    others = (all_after - all_before - (own_after - own_before)) / seconds
    print(f"{passes.equal} of {passes.compared} answers over HTTP are those in process")
    for what, wanted, values in zip(WANTED, WANTED.values(), zip(*ratios, strict=True), strict=True):
        print(f"{what:28} {median(values):.2f}  ({min(values):.2f} to {max(values):.2f}; wanted: at least {wanted})")
    void = "; VOID: other programs were in the way" if others > MOST_FOR_OTHERS else ""
    print(f"other programs took {others:.0%} of the processors{void}")


if __name__ == "__main__":
    asyncio.run(main())
