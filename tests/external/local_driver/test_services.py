"""The asynchronous face: workers do what the functions do, and a cancelled job leaves no process behind."""

import asyncio
import json

import pytest

from mi.external.local_driver import services
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.sampling import sample
from mi.llm.data_models import LLMResponse, Model, SampleCfg, SampleRequest, chat
from mi.utils.errors import UserError


def test_workers_train_and_sample_and_report_errors(model_folder, sums, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MI_WORKERS", "1")
    model = Model(str(model_folder), "local")
    requests = [SampleRequest(chat(f"hello {n}"), SampleCfg(max_tokens=3), n) for n in range(services.CHUNK + 2)]
    config = LocalFTJobConfig(str(model_folder), str(sums), 0, n_steps=3, batch_size=4)
    (tmp_path / "job").mkdir()
    steps: list[int] = []
    told: dict[int, LLMResponse] = {}

    async def work():
        report = await services.train_job(config, tmp_path / "job", on_step=lambda step, loss: steps.append(step))
        with pytest.raises(UserError, match="no such model"):
            await services.sample_batch(Model("/no/such/folder", "local"), requests)
        scores = await services.score_batch(model, [(chat("hello"), "world")])
        return report, await services.sample_batch(model, requests, told.__setitem__), scores

    report, answers, scores = asyncio.run(work())
    assert told == dict(enumerate(answers))
    assert steps == [1, 2, 3]
    assert json.loads((tmp_path / "job" / "training.json").read_text("utf-8"))["losses"] == list(report.losses)
    assert [a.completion for a in answers] == [a.completion for a in sample(model, requests)]
    assert len(scores) == 1 and scores[0] < 0
