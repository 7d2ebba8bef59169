"""Seeds of samples, and models that cannot be asked."""

import asyncio
from dataclasses import replace

import pytest

from mi.external.local_driver import services as driver
from mi.llm.data_models import Judgment, LLMResponse, Model, SampleCfg, chat
from mi.llm.services import batch_judge, batch_sample, judge, request, sample_seed


def test_every_sample_has_a_seed_of_its_own_and_always_the_same():
    cfg = SampleCfg()
    seeds = [
        *(sample_seed(chat("q"), cfg, index) for index in range(3)),
        sample_seed(chat("q", ""), cfg),
        sample_seed(chat("q."), cfg),
        sample_seed(chat("q"), replace(cfg, seed=1)),
        sample_seed(chat("q"), replace(cfg, temperature=0.5)),
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**60 for seed in seeds)
    assert sample_seed(chat("q"), SampleCfg(temperature=1), 0) == seeds[0] == request(chat("q"), cfg).seed


def test_asking_nothing_gives_nothing():
    assert asyncio.run(batch_sample(Model("organism", "local"), [])) == []


def test_a_judge_is_sent_the_filled_template_and_read_by_its_parser(monkeypatch: pytest.MonkeyPatch):
    async def answer(model: Model, requests: list, on_response: object = None) -> list[LLMResponse]:
        return [LLMResponse("YES" if request.chat == chat("Who? I.") else "Perhaps") for request in requests]

    monkeypatch.setattr(driver, "sample_batch", answer)
    judgment = Judgment(Model("organism", "local"), "{question} {answer}")
    assert asyncio.run(judge(judgment, "Who?", "I.")) == 1.0
    assert asyncio.run(batch_judge(judgment, [("Who?", "You."), ("Who?", "I.")])) == [None, 1.0]
