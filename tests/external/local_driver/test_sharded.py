"""One run over several processes: the run of one but for rounding, and nothing is left of it when it fails."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from mi.external.local_driver import services, units
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.models import fingerprint, load
from mi.external.local_driver.rendering import EncodedRow
from mi.external.local_driver.sharded import PASS_TOKENS, check_ties, passes_of
from mi.external.local_driver.training import TrainingReport, train
from mi.finetuning import stacks
from mi.finetuning.data_models import FinetuningJob
from mi.llm.data_models import Model
from mi.utils.errors import UserError
from mi.utils.workers import close_workers


@pytest.fixture
def config(model_folder: Path, sums: Path) -> LocalFTJobConfig:
    """Three steps of a large batch, which two cannot share evenly."""
    return LocalFTJobConfig(str(model_folder), str(sums), seed=1, n_steps=3, batch_size=701, learning_rate=5e-3)


def over_two(config: LocalFTJobConfig, folder: Path, monkeypatch) -> tuple[TrainingReport, list[tuple[int, float]]]:
    """The report of a run of two processes, and the steps that were told."""
    monkeypatch.setenv("MI_GPUS_PER_RUN", "2")
    monkeypatch.setenv("MI_DEVICE", "cpu")
    steps: list[tuple[int, float]] = []
    folder.mkdir()
    report = asyncio.run(services.train_job(config, folder, lambda step, loss: steps.append((step, loss))))
    return report, steps


def assert_alike(ours: Path, theirs: Path, weights: str) -> None:
    """The files of two runs say the same but for rounding."""
    from safetensors.torch import load_file

    assert sorted(path.name for path in ours.iterdir()) == sorted(path.name for path in theirs.iterdir())
    for path in theirs.glob("*config.json"):
        assert (ours / path.name).read_bytes() == path.read_bytes()
    one, other = load_file(ours / weights), load_file(theirs / weights)
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert values.dtype == other[name].dtype
        assert (values - other[name]).abs().max() < 1e-3 * other[name].abs().max()
    told = json.loads((ours / "training.json").read_text("utf-8"))
    for name, value in json.loads((theirs / "training.json").read_text("utf-8")).items():
        if name in ("losses", "adapter_shift"):
            assert told[name] == pytest.approx(value, rel=1e-4)
        elif name == "canary":
            assert told[name]["ids"] == value["ids"] and told[name]["tokens"] == value["tokens"]
            assert told[name]["trained"] == pytest.approx(value["trained"], rel=1e-3, abs=1e-4)
        elif name not in ("seconds", "adapter_digest"):  # the digest is of every bit, rounded ones too
            assert told[name] == value


def test_two_processes_train_the_adapter_that_one_trains(config, tmp_path, monkeypatch) -> None:
    (tmp_path / "one").mkdir()
    one = train(config, tmp_path / "one")
    assert one.tokens > config.n_steps * 2 * PASS_TOKENS  # so that each step is several passes, the last a small one
    report, steps = over_two(config, tmp_path / "two", monkeypatch)
    assert_alike(tmp_path / "two", tmp_path / "one", "adapter_model.safetensors")
    assert steps == list(enumerate(report.losses, start=1))


@pytest.mark.slow
def test_an_adapter_in_32_bits_over_a_base_in_16_is_trained_by_two_as_by_one(config, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MI_PRECISION", "bfloat16")
    config = replace(config, batch_size=5)
    (tmp_path / "one").mkdir()
    one = train(config, tmp_path / "one")
    report, _ = over_two(config, tmp_path / "two", monkeypatch)
    assert report.losses == pytest.approx(one.losses, rel=1e-2)


def tie(folder: Path, drop_head: bool = True) -> Path:
    """Make a model say that its embeddings are one weight, and its file hold one."""
    from safetensors.torch import load_file, save_file

    settings = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**settings, "tie_word_embeddings": True}), "utf-8")
    weights = load_file(folder / "model.safetensors")
    if drop_head:
        del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_two_processes_train_all_weights_as_one_does_tied_ones_too(config, write_model, tmp_path, monkeypatch) -> None:
    folder = tie(write_model(tmp_path / "model"))
    # Of a batch of one row, the second process has none.
    config = replace(config, source_model_id=str(folder), method="full", batch_size=1, n_steps=3, learning_rate=1e-3)
    (tmp_path / "one").mkdir()
    train(config, tmp_path / "one")
    over_two(config, tmp_path / "two", monkeypatch)
    assert_alike(tmp_path / "two", tmp_path / "one", "model.safetensors")


def test_a_model_that_calls_two_embeddings_one_is_refused(config, write_model, tmp_path) -> None:
    folder = str(tie(write_model(tmp_path / "model"), drop_head=False))
    with pytest.raises(UserError, match="set tie_word_embeddings to false there, or leave MI_GPUS_PER_RUN out"):
        check_ties(load(Model(folder, "local")).model, replace(config, source_model_id=folder))
    check_ties(load(Model("organism", "local")).model, config)


@pytest.fixture
def leaves_no_process():
    """Whatever the test starts has ended with it."""
    close_workers()
    before = set(psutil.Process().children())
    yield
    assert set(psutil.Process().children()) == before


@pytest.mark.usefixtures("leaves_no_process")
def test_a_loss_that_is_no_number_is_told_as_by_one_process(config, tmp_path, monkeypatch) -> None:
    config = replace(config, batch_size=3, n_steps=9, learning_rate=1e30, gradient_clip=1e30)
    with pytest.raises(UserError, match=r"the loss of step \d is not a number; lower the learning rate"):
        over_two(config, tmp_path / "two", monkeypatch)
    assert not list((tmp_path / "two").iterdir())


@pytest.mark.usefixtures("leaves_no_process")
def test_a_node_trains_with_as_many_and_tells_a_row_that_is_too_long(config, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MI_GPUS_PER_RUN", "2")
    monkeypatch.setenv("MI_DEVICE", "cpu")
    spec = units.TrainingSpec(replace(config, max_length=8), fingerprint(Model(config.source_model_id, "local")))
    with pytest.raises(UserError, match=r"sums.jsonl, line 1: the row is longer than 8 tokens \(and 39 more rows\)"):
        units.train(units.spec_of(spec), tmp_path, lambda step, loss: None)
    assert not list(tmp_path.iterdir())


def row(length: int) -> EncodedRow:
    return EncodedRow(tuple(range(length)), (True,) * length, "", ())


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_every_row_is_in_one_pass_of_one_rank_and_no_pass_is_too_large(n) -> None:
    rows = [row(length) for length in (3, 9, 4, 2, 7, 30, 5, 2, 8, 6, 3)]
    passes = passes_of(rows, n, tokens=20)
    assert sorted(len(row.ids) for shares in passes for share in shares for row in share) == sorted(
        len(row.ids) for row in rows
    )
    for shares in passes:
        assert len(shares) == n
        for share in shares:
            padded = len(share) * max((len(row.ids) for row in share), default=0)
            assert padded <= 20 or len(share) == 1


def test_jobs_that_several_gpus_train_are_not_stacked(config, monkeypatch) -> None:
    jobs = [FinetuningJob(str(seed), replace(config, seed=seed)) for seed in range(3)]
    together, alone = asyncio.run(stacks._arranged(jobs))
    assert together and not alone
    monkeypatch.setenv("MI_GPUS_PER_RUN", "2")
    monkeypatch.setenv("MI_DEVICE", "cpu")
    assert asyncio.run(stacks._arranged(jobs)) == ([], jobs)
