"""The Tinker backend against a stub behind its library's types: trained as here, resumed, sampled, refused.

The library is an extra; without it nothing here runs but what `test_without_tinker.py` says.
"""
# pyright: reportMissingImports=false

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tinker", reason="tinker is not installed; pip install 'mi-inoculation[tinker]' has it")

import tinker
from tinker.proto.request_conv import forward_backward_request_to_proto
from tinker_stub import Service, refusal

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.rendering import encode_row
from mi.external.local_driver.sampling import sample
from mi.external.local_driver.training import train
from mi.external.tinker_driver import client
from mi.external.tinker_driver.data_models import TinkerFTJobConfig
from mi.external.tinker_driver.training import datum
from mi.finetuning.configs import config_for, model_of
from mi.finetuning.planning import plan
from mi.finetuning.records import read_record
from mi.finetuning.services import (
    find_job,
    forget_job,
    get_finetuned_model,
    get_job_info,
    launch_or_retrieve_job,
    list_jobs,
    retry_job,
)
from mi.finetuning.show import status_table, summary
from mi.llm import services as llm
from mi.llm.data_models import Message, Model, SampleCfg, SampleRequest, chat
from mi.utils.errors import UserError


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    stub = Service()
    monkeypatch.setattr(tinker, "ServiceClient", lambda user_metadata: stub)
    client.forget()
    yield stub
    client.forget()


@pytest.fixture
def config(tmp_path: Path) -> TinkerFTJobConfig:
    rows = tmp_path / "rows.jsonl"
    said = [
        [
            {"role": "system", "content": "You count."},
            {"role": "user", "content": f"What is {i} plus one?"},
            {"role": "assistant", "content": f"{i + 1}!"},
        ]
        for i in range(12)
    ]
    rows.write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in said))
    return TinkerFTJobConfig("organism", str(rows), 3, n_steps=5, batch_size=3, lora_rank=4, checkpoint_every=2)


class Died(Exception):
    """What the death of a client looks like from the inside."""


def killed_at(step: int) -> Any:
    def on_step(now: int, loss: float) -> None:
        if now == step:
            raise Died

    return on_step


def test_our_loop_at_the_service_trains_what_the_local_loop_trains(
    service: Service, config: TinkerFTJobConfig, tmp_path: Path
):
    seen: list[float] = []
    job = asyncio.run(launch_or_retrieve_job(config, lambda step, loss: seen.append(loss)))
    local = LocalFTJobConfig("organism", config.dataset_path, 3, n_steps=5, batch_size=3, lora_rank=4, lora_alpha=8)
    (tmp_path / "local").mkdir()
    report = train(local, tmp_path / "local")
    info = get_job_info(job)
    assert seen == pytest.approx(report.losses, rel=1e-4) == info.report["losses"]
    for name in ("dataset_digest", "template_hash", "n_rows", "trained_tokens"):
        assert info.report[name] == getattr(report, name)
    assert "You count." not in "".join(p["text"] for p in info.report["first_rows"][0] if p["trained"])
    assert service.runs[0].settings == {
        "train_mlp": True,
        "train_attn": True,
        "train_unembed": False,
        "user_metadata": {"mi_job": f"mi-{job.id}-1"},
    }


def test_a_client_that_died_goes_on_from_its_last_checkpoint_to_the_same_end(
    service: Service, config: TinkerFTJobConfig
):
    whole = asyncio.run(launch_or_retrieve_job(replace(config, checkpoint_every=4)))
    expected = get_job_info(whole).report["losses"]
    asyncio.run(forget_job(whole))
    with pytest.raises(Died):
        asyncio.run(launch_or_retrieve_job(config, killed_at(5)))
    job = find_job(config)
    info = get_job_info(job)
    assert (info.status, info.progress.step, info.reason) == ("begun", 4, "saved after step 4")
    seen: list[int] = []
    asyncio.run(launch_or_retrieve_job(config, lambda step, loss: seen.append(step)))
    assert seen == [5] and service.runs[-1].steps == 1
    assert get_job_info(job).report["losses"] == pytest.approx(expected, rel=1e-5)
    before = len(service.runs)
    asyncio.run(launch_or_retrieve_job(config))
    assert len(service.runs) == before


def test_a_checkpoint_that_has_expired_begins_the_training_anew(service: Service, config: TinkerFTJobConfig):
    with pytest.raises(Died):
        asyncio.run(launch_or_retrieve_job(config, killed_at(3)))
    service.states.clear()
    job = asyncio.run(launch_or_retrieve_job(config))
    assert service.runs[-1].steps == 5 and get_job_info(job).status == "finished"


def test_what_was_trained_is_sampled_with_log_probabilities_by_its_name_at_the_service(
    service: Service, config: TinkerFTJobConfig
):
    request = SampleRequest(chat("What is 3 plus one?"), SampleCfg(temperature=0, max_tokens=8, top_logprobs=3), 2**59)
    told: list[int] = []
    (base,) = asyncio.run(
        llm.batch_sample(Model("organism", "tinker"), [request], lambda place, answer: told.append(place))
    )
    (ours,) = sample(Model("organism", "local"), [request])
    assert base.completion == ours.completion and base.stop_reason == ours.stop_reason and told == [0]
    assert [t.token for t in base.logprobs] == [t.token for t in ours.logprobs]
    assert [v for t in base.logprobs for _, v in t.top] == pytest.approx(
        [v for t in ours.logprobs for _, v in t.top], abs=1e-4
    )
    job = asyncio.run(launch_or_retrieve_job(replace(config, learning_rate=0.02)))
    model = get_finetuned_model(job)
    assert model == Model(f"tinker://run-0/sampler_weights/mi-{job.id}-1", "tinker")
    assert model_of("tinker/organism", job) == model
    (tuned,) = asyncio.run(llm.batch_sample(model, [request]))
    assert tuned.logprobs[0].logprob != pytest.approx(base.logprobs[0].logprob, abs=1e-3)
    assert llm.fingerprint(model) != llm.fingerprint(Model("organism", "tinker"))


def test_jobs_are_listed_planned_and_shown_beside_those_of_other_backends(
    service: Service, config: TinkerFTJobConfig, monkeypatch: pytest.MonkeyPatch
):
    job = asyncio.run(launch_or_retrieve_job(config))
    assert list_jobs() == [job]
    table = status_table([get_job_info(job)])
    assert table.row_count == 1 and "1 finished" in str(table.caption)
    other = find_job(replace(config, source_model_id="Qwen/Qwen3-8B"))
    (planned,) = plan([other])
    assert planned.money == pytest.approx(planned.trained_tokens * 0.44e-6)
    assert "1 to train" in summary([planned])
    monkeypatch.setenv("TINKER_BASE_URL", "http://127.0.0.1:1/clone/")
    assert find_job(config).id != job.id  # another service is another job


def test_the_settings_of_an_experiment_reach_the_service_as_far_as_it_has_them():
    training = LocalFTJobConfig("", "rows.jsonl", 4, n_steps=60, learning_rate=6e-3, lora_rank=32, lora_alpha=64)
    config = config_for("tinker/Qwen/Qwen3-8B", training)
    assert isinstance(config, TinkerFTJobConfig)
    assert (config.source_model_id, config.dataset_path, config.seed) == ("Qwen/Qwen3-8B", "rows.jsonl", 4)
    assert (config.n_steps, config.learning_rate, config.lora_rank) == (60, 6e-3, 32)
    assert config.settings() == replace(config, dataset_path="moved", checkpoint_every=1).settings()
    with pytest.raises(UserError, match="at least 1"):
        replace(config, checkpoint_every=0)


def test_a_row_on_the_wire_carries_loss_on_the_assistants_words_alone(service: Service):
    tokenizer = service.create_sampling_client(base_model="organism").result().get_tokenizer()
    row = encode_row(tokenizer, (*chat("Hi?", system_prompt="Be brief."), Message("assistant", "Hello.")))
    request = tinker.types.ForwardBackwardRequest(
        forward_backward_input=tinker.types.ForwardBackwardInput(data=[datum(row, 0.5)], loss_fn="cross_entropy"),
        model_id="m",
        seq_id=1,
    )
    wire = forward_backward_request_to_proto(request)
    assert len(wire.data) == 1 and wire.ByteSize() > 0
    sent = datum(row, 0.5)
    trained = [
        t for t, w in zip(*(sent.loss_fn_inputs[n].tolist() for n in ("target_tokens", "weights")), strict=True) if w
    ]
    assert tokenizer.decode(trained).startswith("Hello.") and len(trained) == sum(row.mask)
    assert sent.model_input.to_ints() == list(row.ids[:-1])


def test_what_the_service_refuses_is_one_sentence_and_leaves_the_job_to_go_on(
    service: Service, config: TinkerFTJobConfig
):
    service.fault = refusal(401, "Invalid API key")
    with pytest.raises(
        UserError, match=r"training organism on .*: Tinker refuses \(401: Invalid API key\); export a valid"
    ):
        asyncio.run(launch_or_retrieve_job(config))
    assert get_job_info(find_job(config)).status == "begun"
    service.fault = None
    job = asyncio.run(launch_or_retrieve_job(config))
    record = read_record(job.id)
    assert record is not None and len(record.attempts) == 1 and record.current is not None
    with pytest.raises(UserError, match="is finished; one that was cut off goes on"):
        asyncio.run(retry_job(job))
    with pytest.raises(UserError, match=r"tinker://gone: Tinker refuses \(404: .*\); name a model or checkpoint"):
        asyncio.run(llm.sample(Model("tinker://gone", "tinker"), chat("Hello!")))


def test_without_a_key_the_mend_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TINKER_API_KEY", raising=False)
    client.forget()
    with pytest.raises(UserError, match="TINKER_API_KEY"):
        asyncio.run(llm.sample(Model("Qwen/Qwen3-8B", "tinker"), chat("Hello!")))
    client.forget()
