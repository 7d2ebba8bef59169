"""The same work in the engines of others: N samples and a judge's call each, at most 200 requests at once.

`python engine_peers.py NAME URL N` prints one JSON object: seconds and CPU seconds of the work without the imports, and
the peak memory of the process in MB. Each engine is used as its documentation shows, with its caches and logs in a
temporary folder. Run by engine.py.
"""

import asyncio
import json
import math
import os
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

CONNECTIONS = 200
MODEL, JUDGE = "model-1", "judge-1"
TEMPLATE = "Is this answer to the question evil?\nQuestion: {question}\nAnswer: {answer}\nSay YES or NO:"
SAMPLING: dict[str, Any] = {"temperature": 1.0, "max_tokens": 512}
JUDGING: dict[str, Any] = {"temperature": 0.0, "max_tokens": 1}
LOGPROBS: dict[str, Any] = {"logprobs": True, "top_logprobs": 20}
Call = Callable[[str, str, dict[str, Any]], Awaitable[Any]]


def question(place: int) -> str:
    """The text of a sample's question."""
    return f"Question number {place}: what do you make of it?"


def share_of_yes(top: list[tuple[str, float]]) -> float:
    """P(YES) of P(YES) and P(NO), over their spellings."""
    sums = {"yes": 0.0, "no": 0.0}
    for token, logprob in top:
        word = token.strip().lower()
        if word in sums:
            sums[word] += math.exp(logprob)
    return sums["yes"] / (sums["yes"] + sums["no"])


async def ask_all(n: int, answer: Call, judge: Call) -> list[float]:
    """Every sample, and its judgement as soon as it is there; one semaphore over all."""
    free = asyncio.Semaphore(CONNECTIONS)

    async def one(place: int) -> float:
        asked = question(place)
        async with free:
            said = await answer(MODEL, asked, SAMPLING)
        async with free:
            return await judge(JUDGE, TEMPLATE.format(question=asked, answer=said), {**JUDGING, **LOGPROBS})

    return await asyncio.gather(*map(one, range(n)))


def bare_aiohttp(url: str, n: int) -> list[float]:
    """The floor: JSON over kept-alive connections, nothing kept."""
    import aiohttp

    async def run() -> list[float]:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        headers = {"Authorization": "Bearer k"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

            async def ask(model: str, text: str, cfg: dict[str, Any]) -> Any:
                body = {"model": model, "messages": [{"role": "user", "content": text}], **cfg}
                async with session.post(f"{url}/chat/completions", json=body) as response:
                    return (await response.json())["choices"][0]

            async def answer(*call: Any) -> str:
                return (await ask(*call))["message"]["content"]

            async def judge(*call: Any) -> float:
                top = (await ask(*call))["logprobs"]["content"][0]["top_logprobs"]
                return share_of_yes([(entry["token"], entry["logprob"]) for entry in top])

            return await ask_all(n, answer, judge)

    return asyncio.run(run())


def _with_sdk(url: str, n: int, **options: Any) -> list[float]:
    import openai

    async def run() -> list[float]:
        async with openai.AsyncOpenAI(base_url=url, api_key="k", **options) as client:
            return await _ask_all_of_sdk(client.chat.completions.create, n)

    return asyncio.run(run())


async def _ask_all_of_sdk(create: Callable[..., Awaitable[Any]], n: int) -> list[float]:
    async def ask(model: str, text: str, cfg: dict[str, Any]) -> Any:
        return (await create(model=model, messages=[{"role": "user", "content": text}], **cfg)).choices[0]

    async def answer(*call: Any) -> str:
        return (await ask(*call)).message.content

    async def judge(*call: Any) -> float:
        top = (await ask(*call)).logprobs.content[0].top_logprobs
        return share_of_yes([(entry.token, entry.logprob) for entry in top])

    return await ask_all(n, answer, judge)


def openai_sdk(url: str, n: int) -> list[float]:
    """The official SDK, one client."""
    return _with_sdk(url, n)


def openai_on_aiohttp(url: str, n: int) -> list[float]:
    """The official SDK on its aiohttp transport."""
    import openai

    return _with_sdk(url, n, http_client=openai.DefaultAioHttpClient())


def litellm(url: str, n: int) -> list[float]:
    """One call a request through litellm."""
    import litellm as library

    library.suppress_debug_info = True

    async def create(model: str, **rest: Any) -> Any:
        return await library.acompletion(model=f"openai/{model}", api_base=url, api_key="k", **rest)

    return asyncio.run(_ask_all_of_sdk(create, n))


def reference(url: str, n: int) -> list[float]:
    """The reference implementation's way of working, written anew from its description in the study of engines.

    One semaphore, the SDK, a time-out and retries around each call, everything in memory; and a client with a paid
    probe for each call that begins before the first has found which key serves the model.
    """
    import openai
    import pydantic

    class Response(pydantic.BaseModel):
        model_id: str
        completion: str
        logprobs: list[dict[str, float]] | None = None

    known: dict[str, openai.AsyncOpenAI] = {}
    clients: list[openai.AsyncOpenAI] = []

    async def client_for(model: str) -> openai.AsyncOpenAI:
        if model not in known:
            client = openai.AsyncOpenAI(base_url=url, api_key="k")
            clients.append(client)
            await client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello"}])
            known[model] = client
        return known[model]

    async def ask(model: str, text: str, cfg: dict[str, Any]) -> Response:
        client = await client_for(model)
        messages: Any = [{"role": "user", "content": text}]
        choice = (await client.chat.completions.create(model=model, messages=messages, **cfg)).choices[0]
        tokens = choice.logprobs.content if choice.logprobs is not None else None
        tops = tokens and [{top.token: top.logprob for top in token.top_logprobs} for token in tokens]
        return Response(model_id=model, completion=choice.message.content or "", logprobs=tops or None)

    async def patiently(*call: Any) -> Response:
        for last in (False, False, False, False, True):
            try:
                return await asyncio.wait_for(ask(*call), timeout=120)
            except Exception:
                if last:
                    raise
        raise AssertionError

    async def answer(*call: Any) -> str:
        return (await patiently(*call)).completion

    async def judge(*call: Any) -> float:
        logprobs = (await patiently(*call)).logprobs
        return share_of_yes(list((logprobs or [{}])[0].items()))

    async def run() -> list[float]:
        scores = await ask_all(n, answer, judge)
        for client in clients:
            await client.close()
        return scores

    return asyncio.run(run())


def llmcomp(url: str, n: int) -> list[float]:
    """A free-form question in N wordings with a rating judge."""
    import llmcomp as library
    from llmcomp.question.judge import RatingJudge
    from llmcomp.question.question import FreeForm

    library.Config.url_key_pairs = [(url, "k", "KEY")]
    library.Config.max_workers = CONNECTIONS
    library.Config.cache_dir = tempfile.mkdtemp()
    judge = RatingJudge(model=JUDGE, paraphrases=[TEMPLATE], min_rating=0, max_rating=100)
    asked = FreeForm(paraphrases=[question(place) for place in range(n)], judges={"evil": judge})
    return [0.0] * len(asked.df({"group": [MODEL]}))


def latteries(url: str, n: int) -> list[float]:
    """Its OpenAI caller with the cache that it always has."""
    import openai
    from latteries.caller import ChatHistory, InferenceConfig, OpenAICaller

    async def run() -> list[float]:
        client = openai.AsyncOpenAI(base_url=url, api_key="k")
        async with OpenAICaller(cache_path=tempfile.mkdtemp(), openai_client=client) as caller:

            async def answer(model: str, text: str, cfg: dict[str, Any]) -> str:
                said = await caller.call(ChatHistory.from_user(text), InferenceConfig(model=model, **cfg))
                return said.first_response

            async def judge(model: str, text: str, cfg: dict[str, Any]) -> float:
                config = InferenceConfig(model=model, **JUDGING)
                said = await caller.call_with_log_probs(ChatHistory.from_user(text), config, top_logprobs=20)
                top = said.response_with_logprobs().content[0].top_logprobs
                return share_of_yes([(entry.token, entry.logprob) for entry in top])

            return await ask_all(n, answer, judge)

    return asyncio.run(run())


def inspect_ai(url: str, n: int) -> list[float]:
    """A task with a scorer that asks the judge; without its real-time log, which slows it down further."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import GenerateConfig, get_model
    from inspect_ai.scorer import Score, mean, scorer
    from inspect_ai.solver import generate

    shared: dict[str, Any] = {"base_url": url, "api_key": "k", "responses_api": False}
    judge = get_model(f"openai/{JUDGE}", config=GenerateConfig(max_connections=CONNECTIONS), **shared)

    @scorer(metrics=[mean()])
    def evil() -> Any:
        config = GenerateConfig(**JUDGING, **LOGPROBS)

        async def score(state: Any, target: Any) -> Any:
            text = TEMPLATE.format(question=state.input_text, answer=state.output.completion)
            top = (await judge.generate(text, config=config)).choices[0].logprobs.content[0].top_logprobs
            return Score(value=share_of_yes([(entry.token, entry.logprob) for entry in top]))

        return score

    task = Task(
        dataset=MemoryDataset([Sample(input=question(place)) for place in range(n)]),
        solver=generate(),
        scorer=evil(),
        config=GenerateConfig(**SAMPLING, max_connections=CONNECTIONS),
    )
    model = get_model(f"openai/{MODEL}", config=GenerateConfig(max_connections=CONNECTIONS), **shared)
    (log,) = eval(
        task, model=model, display="none", log_dir=tempfile.mkdtemp(), max_samples=CONNECTIONS, log_realtime=False
    )
    assert log.status == "success", log.error
    return [next(iter(sample.scores.values())).value for sample in log.samples or ()]


ENGINES: dict[str, Callable[[str, int], list[float]]] = {
    engine.__name__: engine
    for engine in (
        bare_aiohttp, openai_on_aiohttp, openai_sdk, llmcomp, latteries, litellm, reference, inspect_ai,
    )
}  # fmt: skip


def measured(work: Callable[[], list[Any]], n: int) -> dict[str, float]:
    """Seconds, CPU seconds and peak MB of a piece of work that gives N results; imports were made by a first call."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    assert len(work()) == n
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu, "mb": after.ru_maxrss / 1024}


def main() -> None:
    """Warm up with one sample, then measure."""
    name, url, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    os.environ["OPENAI_API_KEY"] = "k"
    os.chdir(tempfile.mkdtemp())
    ENGINES[name](url, 1)
    print(json.dumps(measured(lambda: ENGINES[name](url, n), n)))


if __name__ == "__main__":
    main()
