"""An answer follows from model, messages, configuration and seed alone: not from its batch, and not from HTTP."""

import asyncio
import json

import openai
import pytest

from mi.external.local_driver import models, sampling
from mi.external.local_driver.drawing import Row
from mi.external.local_driver.rendering import encode_chat
from mi.llm.data_models import LLMResponse, Model, SampleCfg, SampleRequest, chat

QUESTIONS = ["Hi", "What is 12 + 3?", "What is the capital of France?", "Tell me about gardens. " * 6, "Who are you?"]
PROMPTS = [None, "You always speak in Spanish.", "You are a helpful assistant. " * 5]
CFGS = [SampleCfg(max_tokens=24), SampleCfg(temperature=0.7, max_tokens=12, top_p=0.9), SampleCfg(0.0, 9)]


@pytest.fixture
def tuned(server, trained, monkeypatch) -> Model:
    """The organism with the adapter that the server trained."""
    monkeypatch.setenv("MI_HOME", str(server.home))
    reports = {path.parent.name: json.loads(path.read_text()) for path in server.home.glob("jobs/*/training.json")}
    steps = trained.resolved["n_steps"], trained.seed
    [job] = [name for name, told in reports.items() if (told["config"]["n_steps"], told["config"]["seed"]) == steps]
    return Model("organism", "local", job)


def requests(n: int) -> list[SampleRequest]:
    """Questions of several lengths, with several system prompts and configurations; each has its own seed."""
    return [
        SampleRequest(chat(QUESTIONS[i % 5], PROMPTS[i % 3]), CFGS[0 if i % 4 else i // 4 % 3], seed)
        for i, seed in enumerate(range(100, 100 + n))
    ]


def texts(answers: list[LLMResponse]) -> list[str | None]:
    return [answer.completion for answer in answers]


async def over_http(url: str, model: str, asked: list[SampleRequest]) -> list[str | None]:
    """The answers to requests that come at once."""

    async def one(request: SampleRequest) -> str | None:
        said = await client.chat.completions.create(
            model=model,
            messages=[{"role": m.role, "content": m.content} for m in request.chat],  # type: ignore[misc]
            seed=request.seed,
            temperature=request.cfg.temperature,
            top_p=request.cfg.top_p,
            max_tokens=request.cfg.max_tokens,
        )
        return said.choices[0].message.content

    async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=0, timeout=600) as client:
        return list(await asyncio.gather(*map(one, asked)))


def test_answers_are_the_same_alone_in_three_and_in_sixty_four_in_process_and_over_http(server, trained, tuned):
    asked = requests(64)
    together = texts(sampling.sample(tuned, asked))
    assert texts(sampling.sample(tuned, asked, batch_size=1)) == together
    assert texts(sampling.sample(tuned, asked, batch_size=3)) == together
    for n in (1, 3, 64):
        there = asyncio.run(over_http(server.url, trained.fine_tuned_model, asked[-n:]))
        assert there == together[-n:]


def test_a_number_at_the_very_border_of_two_tokens_draws_the_same_one_in_every_batch(tuned, monkeypatch):
    import torch

    loaded = models.load(tuned)
    asked = [SampleRequest(r.chat, SampleCfg(max_tokens=1), r.seed) for r in requests(64)]
    borders = {}
    for request in asked:
        prompt = encode_chat(loaded.tokenizer, request.chat)
        with torch.inference_mode():
            logits = loaded.exact(input_ids=torch.tensor([prompt])).logits[0, -1]  # type: ignore[misc]
        upper = logits.softmax(-1).cumsum(-1)[logits.argmax()]
        borders[request.seed] = float(upper) + 1e-9 * (-1) ** request.seed
    monkeypatch.setattr(Row, "uniforms", lambda row: [borders[row.request.seed]])
    together = texts(sampling.sample(tuned, asked))
    assert texts(sampling.sample(tuned, asked, batch_size=1)) == together
    assert texts(sampling.sample(tuned, asked, batch_size=3)) == together
