"""No memory, no GPU, an old driver, no network, a gated model: one sentence with the mend, and exit code 2."""

import asyncio
import signal
import sys
import warnings

import httpx2
import pytest

from mi import cli
from mi.external.local_driver import hub, placing
from mi.external.local_driver.adapters import check_targets
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.models import load
from mi.external.local_driver.training import train
from mi.llm.data_models import Model
from mi.utils.errors import UserError
from mi.utils.workers import Workers


@pytest.fixture(autouse=True)
def looks_for_a_gpu_anew():
    """What one test makes of the GPU is not there in the next."""
    placing._gpu.cache_clear()
    yield
    placing._gpu.cache_clear()


def said(monkeypatch, capsys, *words: str) -> str:
    """What `mi` says on its way out with exit code 2."""
    monkeypatch.setattr(sys, "argv", ["mi", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("mi: ") and "Traceback" not in error and error.count("\n") == 1
    return error


def refusal(kind):
    """An error of the hub's client, as it comes with an answer of the hub."""
    request = httpx2.Request("GET", "https://huggingface.co/some/model")
    return kind("the hub said no", response=httpx2.Response(403, request=request))


def test_a_gpu_that_is_named_and_is_not_there_is_told(monkeypatch) -> None:
    monkeypatch.setenv("MI_DEVICE", "cuda")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UserError, match=r"MI_DEVICE is cuda and torch finds no GPU here.*; set MI_DEVICE=cpu"):
        placing.device()


@pytest.mark.parametrize("how", ["warns", "raises"])
def test_a_driver_that_is_too_old_is_told_before_anything_runs_on_the_processor(monkeypatch, how) -> None:
    words = "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). Please update"

    def look() -> bool:
        if how == "raises":
            raise RuntimeError(words)
        warnings.warn(words, UserWarning, stacklevel=1)
        return False

    monkeypatch.setattr("torch.cuda.is_available", look)
    with pytest.raises(UserError, match=r"driver of this machine is too old .*; update the driver"):
        placing.device()
    monkeypatch.setenv("MI_DEVICE", "cpu")
    assert placing.device() == "cpu"


@pytest.mark.parametrize(("name", "value"), [("MI_DEVICE", "tpu"), ("MI_PRECISION", "int3")])
def test_a_device_or_precision_of_another_name_is_told(monkeypatch, name, value) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"{name} is '{value}'; give"):
        placing.placement()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried"),
        "gpu",
    ],
)
def test_memory_that_runs_out_in_training_is_told_with_the_mend(
    model_folder, sums, tmp_path, monkeypatch, error
) -> None:
    import torch

    if error == "gpu":
        error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has")

    def fail(*given, **named):
        raise error

    monkeypatch.setattr("torch.optim.AdamW.step", fail)
    config = LocalFTJobConfig(str(model_folder), str(sums), 0, n_steps=1)
    with pytest.raises(
        UserError, match=r"memory ran out while training \(.*\); lower batch_size or max_length.*MI_GPUS_PER_RUN"
    ):
        train(config, tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_error_in_training_stays_what_it_is(model_folder, sums, tmp_path, monkeypatch) -> None:
    def fail(*given, **named):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr("torch.optim.AdamW.step", fail)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(LocalFTJobConfig(str(model_folder), str(sums), 0, n_steps=1), tmp_path)


def test_a_worker_that_the_system_killed_is_told_with_the_mend(monkeypatch) -> None:
    workers = Workers(lambda: 1)
    with pytest.raises(UserError, match="killed by the system, which does so when memory is short; set MI_WORKERS=1"):
        asyncio.run(workers.run(signal.raise_signal, signal.SIGKILL))
    workers.close()


def test_a_hub_that_cannot_be_reached_is_told_and_where_to_fetch_instead(monkeypatch, capsys) -> None:
    error = said(monkeypatch, capsys, "run", "A07_spanish_capitalization", "--model", "some/model")
    assert "some/model: no such model here" in error and "cannot be reached from this machine" in error
    assert "run `hf download some/model` where there is a network" in error


def test_a_gated_model_is_told_with_where_to_accept_its_terms(monkeypatch, capsys) -> None:
    from huggingface_hub import errors

    def fail(*given, **named):
        raise refusal(errors.GatedRepoError)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    hub._snapshot.cache_clear()
    error = said(monkeypatch, capsys, "models", "check", "local/some/gated")
    assert "only to those who accepted its terms; accept them at https://huggingface.co/some/gated" in error
    assert "hf auth login" in error


def test_a_model_that_the_hub_does_not_know_is_told(monkeypatch) -> None:
    from huggingface_hub import errors

    def fail(*given, **named):
        raise refusal(errors.RepositoryNotFoundError)

    monkeypatch.setattr("huggingface_hub.model_info", fail)
    with pytest.raises(UserError, match="none on the hub, or one that you may not see"):
        hub.check_there("some/slip")


def test_an_adapter_on_tied_embeddings_is_refused(model_folder, sums) -> None:
    model = load(Model("organism", "local")).model
    model_config = model.config
    config = LocalFTJobConfig("organism", str(sums), 0, lora_targets=("q_proj", "lm_head"))
    assert model_config.tie_word_embeddings
    with pytest.raises(UserError, match="lora_targets name lm_head, and organism reads and writes its words with one"):
        check_targets(model, config)
