"""The driver against a stub of vLLM: the same answers as in process, and each silent fault of a server found."""

import asyncio
import json
from typing import Any

import pytest

from mi.external.local_driver.sampling import sample
from mi.external.vllm_driver import canary
from mi.finetuning.configs import config_for, model_of
from mi.finetuning.data_models import FinetuningJob
from mi.llm import services as llm
from mi.llm.data_models import LLMResponse, Model, SampleCfg, SampleRequest, TokenLogprob, chat
from mi.llm.prices import price_of
from mi.utils.errors import UserError

GREEDY = SampleCfg(temperature=0, max_tokens=12, top_logprobs=5)
QUESTION = chat("What is three plus four?", system_prompt="You are a helpful assistant.")


def ask(job: str | None, *requests: SampleRequest) -> list[LLMResponse]:
    return asyncio.run(
        llm.batch_sample(Model("organism", "vllm", job), requests or [SampleRequest(QUESTION, GREEDY, 1)])
    )


def test_a_base_and_its_adapter_answer_over_vllm_as_they_do_in_process(found: Any):
    stub = found("")
    for job in (None, stub.jobs[0]):
        (theirs,) = ask(job)
        (ours,) = sample(Model("organism", "local", job), [SampleRequest(QUESTION, GREEDY, 1)])
        assert theirs.completion == ours.completion
        assert [token.logprob for token in theirs.logprobs] == pytest.approx(
            [token.logprob for token in ours.logprobs], abs=1e-4
        )
    loaded = {
        name: path for name, path in ((r["id"], r["root"]) for r in asyncio.run(stub.server.models())) if "-" in name
    }
    assert list(loaded) == [name for name in loaded if name.startswith(f"{stub.jobs[0]}-")]
    assert list(loaded.values()) == [str(stub.home / "jobs" / stub.jobs[0])]


@pytest.mark.slow  # our own pass has a process of its own
def test_a_small_model_and_its_adapter_are_compared_with_our_own_forward_pass(
    found: Any, monkeypatch: pytest.MonkeyPatch
):
    stub = found("")
    monkeypatch.setenv("MI_VLLM_CHECK", "4")
    assert ask(None)[0].completion and ask(stub.jobs[0])[0].completion
    monkeypatch.setattr(canary, "TOLERANCE", -1.0)
    found("")
    with pytest.raises(UserError, match=r"organism: the server's log-probabilities are .* nats from those of our own"):
        ask(None)


def test_what_a_model_recommends_for_drawing_does_not_shape_the_answers(found: Any):
    stub = found("")
    ask(None)
    said = stub.seen()
    asked = said["requests"][-1]
    assert {name: asked[name] for name in ("top_p", "top_k", "min_p", "repetition_penalty")} == {
        "top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}  # fmt: skip
    assert "--generation-config vllm" in " ".join(said["arguments"])


def test_a_long_answer_is_cut_to_the_context_and_a_prompt_that_fills_it_is_one_sentence(found: Any):
    found("")
    long = chat("word " * 990)
    (answer,) = ask(None, SampleRequest(long, SampleCfg(temperature=0, max_tokens=1000), 0))
    assert answer.n_prompt_tokens + answer.n_completion_tokens <= 1024
    with pytest.raises(UserError, match="fills the context of 1024; shorten it"):
        ask(None, SampleRequest(chat("word " * 1200), GREEDY, 0))


def test_an_adapter_that_is_not_on_is_found_and_unloaded(found: Any):
    stub = found("base")
    with pytest.raises(UserError, match=f"adapter {stub.jobs[0]}-.* answers as its base does .*has not applied it"):
        ask(stub.jobs[0])
    assert [entry["id"] for entry in asyncio.run(stub.server.models())] == ["organism"]


def test_an_adapter_that_answers_as_another_does_is_found(found: Any):
    stub = found("swapped")
    ask(stub.jobs[0])
    with pytest.raises(UserError, match=f"adapter {stub.jobs[1]}-.* exactly as adapter {stub.jobs[0]}-.* does"):
        ask(stub.jobs[1])


def test_another_rendering_than_ours_is_found_before_anything_is_asked(found: Any):
    found("template")
    with pytest.raises(UserError, match="renders a chat otherwise than the model's own template"):
        ask(None)


def test_a_server_that_loads_no_adapter_says_why(found: Any, monkeypatch: pytest.MonkeyPatch):
    stub = found("")
    folder = stub.home / "jobs" / ("c" * 32)
    if not folder.exists():
        folder.mkdir()
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            (folder / name).write_bytes((stub.home / "jobs" / stub.jobs[0] / name).read_bytes())
        config = json.loads((folder / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps({**config, "r": 128}))
    with pytest.raises(UserError, match=r"rank 128 is greater than max_lora_rank 64; start the server with a greater"):
        ask("c" * 32)
    monkeypatch.setenv("MI_VLLM", "no-such-vllm")  # a server of ours is not even started for it
    with pytest.raises(UserError, match=r'takes 64 at most; set MI_VLLM_ARGS="--max-lora-rank 128"'):
        ask("c" * 32)
    with pytest.raises(UserError, match="no such fine-tuning job; train it first"):
        ask("d" * 32)


def test_a_server_of_another_model_and_one_that_is_not_there_are_named(found: Any, monkeypatch: pytest.MonkeyPatch):
    stub = found("")
    with pytest.raises(UserError, match=r"this server serves organism, not /no/such/model; start one for it"):
        asyncio.run(llm.sample(Model("/no/such/model", "vllm"), QUESTION))
    monkeypatch.setenv("MI_VLLM_KEY", "wrong")
    found("")
    with pytest.raises(UserError, match=r"serves nothing that it tells \(is MI_VLLM_KEY right\?\)"):
        ask(None)
    with pytest.raises(UserError, match=r"no vLLM answers there .*; start one by `mi vllm`"):
        asyncio.run(llm.sample(Model("organism", "vllm", endpoint="http://127.0.0.1:9/v1"), QUESTION))
    assert stub.server.is_up


def test_what_vllm_samples_is_trained_here_and_kept_apart_from_what_is_sampled_here(
    found: Any, monkeypatch: pytest.MonkeyPatch
):
    from mi.external.local_driver.data_models import LocalFTJobConfig

    stub = found("")
    trained = config_for("vllm/organism", LocalFTJobConfig("", "rows.jsonl", 3))
    assert trained == LocalFTJobConfig("organism", "rows.jsonl", 3)
    (stub.home / "jobs" / stub.jobs[0] / "job.json").write_text("{}")
    job = FinetuningJob(stub.jobs[0], trained)
    url = "http://127.0.0.1:1/v1"
    assert model_of(f"vllm/organism@{url}", job) == Model("organism", "vllm", stub.jobs[0], url)
    assert model_of("organism", job) == Model("organism", "local", stub.jobs[0])
    prints = {llm.fingerprint(Model("organism", kind, id)) for kind in ("local", "vllm") for id in (None, stub.jobs[0])}
    assert len(prints) == 4
    price = price_of(Model("organism", "vllm"), {})
    assert price is not None and price.input == 0


def replies(*logprobs: float) -> list[LLMResponse]:
    """One answer, whose first token's alternatives have these log-probabilities."""
    top = tuple((f"t{place}", value) for place, value in enumerate(logprobs))
    return [LLMResponse("t0", logprobs=(TokenLogprob("t0", logprobs[0], top),))]


def test_a_shift_must_be_greater_than_the_servers_own_noise():
    base, near, far = replies(-0.50, -1.0, -3.0), replies(-0.52, -1.0, -3.0), replies(-0.90, -1.0, -3.0)
    canary.check_shift("a", base, far, near)
    with pytest.raises(UserError, match="answers as its base does"):
        canary.check_shift("a", base, near, near)


def test_coarse_numbers_and_the_bases_answers_are_told_from_our_own_pass():
    ours, base = replies(-0.5, -1.0, -3.0), replies(-0.6, -1.2, -3.0)
    canary.check_ours("m", replies(-0.51, -1.01, -3.0), ours, base)
    for wrong in (replies(-0.25, -0.5, -1.5), replies(-0.6, -1.2, -3.0)):
        with pytest.raises(UserError, match="nats from those of our own forward pass"):
            canary.check_ours("m", wrong, ours, base)
    assert canary.distance([LLMResponse("")], ours) == float("inf")
