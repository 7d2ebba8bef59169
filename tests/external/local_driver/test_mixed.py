"""Many adapters in one batch: each row is answered as by its own model alone, whoever is beside it."""

import json

import pytest

from mi.config import jobs_dir
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.grid import train_grid
from mi.external.local_driver.mixed import sample_mixed
from mi.external.local_driver.sampling import sample
from mi.external.local_driver.stacking import NotStackable
from mi.llm.data_models import Model, SampleCfg, SampleRequest, chat

SAMPLED, GREEDY = SampleCfg(max_tokens=10, top_logprobs=2), SampleCfg(temperature=0, max_tokens=6, top_logprobs=2)
ASKED = [SampleRequest(chat(f"What is {n % 2} + 1?"), SAMPLED if n < 4 else GREEDY, n) for n in range(6)]


@pytest.fixture
def family(model_folder, sums, mi_home) -> list[Model]:
    """The base and three adapters of it."""
    jobs = [f"job{seed}" for seed in range(3)]
    configs = [
        LocalFTJobConfig(
            str(model_folder), str(sums), seed, n_steps=2, batch_size=4, learning_rate=0.05, lora_alpha=alpha
        )
        for seed, alpha in enumerate((16, 16, 32))
    ]
    for job in jobs:
        (jobs_dir() / job).mkdir(parents=True)
    train_grid(configs, [jobs_dir() / job for job in jobs], lambda place, what: None)
    return [Model(str(model_folder), "local", job) for job in (None, *jobs)]


def test_each_row_is_answered_as_by_its_own_model_alone(family):
    calls = [(model, request) for request in ASKED for model in family]
    mixed = dict(zip(((model, id(request)) for model, request in calls), sample_mixed(calls, 10), strict=True))
    for model in family:
        for request, alone in zip(ASKED, sample(model, ASKED), strict=True):
            answer = mixed[model, id(request)]
            assert answer.completion == alone.completion
            assert (answer.stop_reason, answer.n_prompt_tokens) == (alone.stop_reason, alone.n_prompt_tokens)
            values = [[token.logprob for token in each.logprobs] for each in (answer, alone)]
            assert values[0] == pytest.approx(values[1], abs=1e-4)
    assert len({mixed[model, id(ASKED[0])].logprobs for model in family}) == 4


def test_adapters_of_another_shape_are_not_mixed(family):
    path = jobs_dir() / "job1" / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "r": 4}))
    with pytest.raises(NotStackable, match="rank or layers"):
        sample_mixed([(model, ASKED[0]) for model in family])
    with pytest.raises(NotStackable, match="one base"):
        sample_mixed([(family[1], ASKED[0]), (Model("organism", "local", "job2"), ASKED[0])])
