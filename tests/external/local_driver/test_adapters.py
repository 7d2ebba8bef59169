"""Adapters over one base: each answers as it does alone, in whatever order they are asked."""

import pytest

from mi.external.local_driver import adapters, models
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.sampling import sample
from mi.external.local_driver.training import train
from mi.llm.data_models import Model, SampleCfg, SampleRequest, chat

ASKED = [SampleRequest(chat(f"What is {n} + 1?"), SampleCfg(max_tokens=12, top_logprobs=2), n) for n in range(3)]


@pytest.fixture
def family(model_folder, sums, mi_home, monkeypatch):
    """The base and three adapters of it."""
    monkeypatch.setattr(models, "_cache", type(models._cache)())
    monkeypatch.setattr(models, "_host", None)
    for seed in range(3):
        config = LocalFTJobConfig(str(model_folder), str(sums), seed, n_steps=2, batch_size=4, learning_rate=0.05)
        folder = mi_home / "jobs" / f"job{seed}"
        folder.mkdir(parents=True)
        train(config, folder)
    return [Model(str(model_folder), "local", job) for job in (None, "job0", "job1", "job2")]


def assert_like(answers, others) -> None:
    for answer, other in zip(answers, others, strict=True):
        assert answer.completion == other.completion
        assert [t.logprob for t in answer.logprobs] == pytest.approx([t.logprob for t in other.logprobs], abs=1e-4)


def test_adapters_of_a_large_base_share_its_weights_and_answer_as_copies_do(family, monkeypatch):
    copies = {model: sample(model, ASKED) for model in family}
    assert len({answers[0].logprobs[0].logprob for answers in copies.values()}) == 4
    models._cache.clear()
    monkeypatch.setattr(models, "_CACHE_PARAMETERS", 0)
    monkeypatch.setattr(adapters, "_MOST_ADAPTERS", 2)
    order = [family[i] for i in (1, 0, 2, 3, 1, 0, 3, 3, 2)]
    base = models.load(family[0]).model
    for model in order:
        assert_like(sample(model, ASKED), copies[model])
    assert models._host is not None and models._host.base is base
    assert next(models.own_copy(family[0]).model.parameters()) is not next(base.parameters())


def test_small_models_are_held_side_by_side_and_read_once(family):
    loaded = [models.load(model) for model in family] + [models.load(Model("organism", "local"))]
    assert len(loaded) > models._CACHE_ENTRIES
    assert all(models.load(model) is one for model, one in zip(family, loaded, strict=False))
