"""A grid: runs trained together come out as each alone, whatever happens to the others, and go on where they were."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mi.external.local_driver import checkpoints, passes
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.families import building
from mi.external.local_driver.families.known import FAMILIES, family
from mi.external.local_driver.grid import train_grid
from mi.external.local_driver.models import load
from mi.external.local_driver.rows import encode_rows
from mi.external.local_driver.sampling import score
from mi.external.local_driver.stacking import NotStackable, Stack
from mi.external.local_driver.training import TrainingReport, first_logits, train
from mi.llm.data_models import Model, chat
from mi.utils.errors import UserError

PAIRS = [(chat(f"What is {n} + 1?"), f" It is {n + 1}.\n") for n in range(5)]


class Events:
    """What a grid has told, by run."""

    def __init__(self) -> None:
        self.steps: dict[int, list[tuple[int, float]]] = {}
        self.ends: dict[int, Any] = {}

    def __call__(self, place: int, what: Any) -> None:
        if isinstance(what, tuple):
            self.steps.setdefault(place, []).append(what)
        else:
            self.ends[place] = what


def grid(configs: list[LocalFTJobConfig], home: Path, name: str = "grid") -> Events:
    """Train into jobs/NAME0, jobs/NAME1, … of `home`."""
    folders = [home / "jobs" / f"{name}{place}" for place in range(len(configs))]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    events = Events()
    train_grid(configs, folders, events)
    return events


def alone(configs: list[LocalFTJobConfig], home: Path) -> list[TrainingReport]:
    """Train each by itself, into jobs/alone0, …"""
    reports = []
    for place, config in enumerate(configs):
        folder = home / "jobs" / f"alone{place}"
        folder.mkdir(parents=True)
        reports.append(train(config, folder))
    return reports


def adapter(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def logits_of(config: LocalFTJobConfig, job: str) -> Any:
    """Of the first row that a job was trained on."""
    loaded = load(Model(config.source_model_id, "local", job))
    return first_logits(loaded.model, encode_rows(Path(config.dataset_path), loaded.tokenizer, 256).rows[0])


@pytest.fixture
def config(model_folder: Path, sums: Path) -> LocalFTJobConfig:
    return LocalFTJobConfig(str(model_folder), str(sums), seed=1, n_steps=12, batch_size=8, learning_rate=5e-3)


@pytest.fixture
def configs(config, write, tmp_path) -> list[LocalFTJobConfig]:
    """Runs that differ in everything that may differ within a stack."""
    rows = [
        (("system", "Be brief. " * (n % 4)), ("user", f"Say {n}"), ("assistant", f"{n}! " * (n % 5 + 1)))
        for n in range(1, 30)
    ]
    other = str(write(tmp_path / "other.jsonl", rows))
    return [
        config,
        replace(config, seed=2, learning_rate=1e-2, gradient_clip=0.1, weight_decay=0.1),
        replace(config, dataset_path=other, n_steps=7, lora_alpha=4, schedule="constant"),
        replace(config, dataset_path=other, batch_size=3, warmup_steps=0),
    ]


def _as_on_a_gpu(stack: Stack, places: list[int]) -> None:
    _route(stack, places)
    stack.spans = None


_route = Stack.route


@pytest.mark.parametrize(("mixed", "route"), [((), _route), (("cpu",), _route), (("cpu",), _as_on_a_gpu)])
def test_runs_of_a_grid_equal_those_trained_alone(configs, tmp_path, monkeypatch, mixed, route) -> None:
    monkeypatch.setattr(passes, "MIXED", mixed)
    monkeypatch.setattr(Stack, "route", route)
    monkeypatch.setenv("MI_HOME", str(tmp_path))
    monkeypatch.setitem(passes.PIECE_TOKENS, "cpu", 500)  # so that one step is several passes
    events, reports = grid(configs, tmp_path), alone(configs, tmp_path)
    for place, (config, report) in enumerate(zip(configs, reports, strict=True)):
        ours, theirs = tmp_path / "jobs" / f"grid{place}", tmp_path / "jobs" / f"alone{place}"
        assert sorted(path.name for path in ours.iterdir()) == sorted(path.name for path in theirs.iterdir())
        assert (ours / "adapter_config.json").read_bytes() == (theirs / "adapter_config.json").read_bytes()
        one, other = adapter(ours), adapter(theirs)
        assert one.keys() == other.keys()
        for name, values in one.items():
            assert (values - other[name]).abs().max() < 1e-3 * other[name].abs().max()
        logits = [logits_of(config, f"{way}{place}") for way in ("grid", "alone")]
        assert (logits[0] - logits[1]).abs().max() < 1e-4 * logits[1].abs().max()
        told = json.loads((ours / "training.json").read_text("utf-8"))
        for name, value in json.loads((theirs / "training.json").read_text("utf-8")).items():
            if name in ("losses", "adapter_shift"):
                assert told[name] == pytest.approx(value, rel=1e-4)
            elif name == "canary":
                assert told[name]["trained"] == pytest.approx(value["trained"], rel=1e-4, abs=1e-4)
            elif name not in ("seconds", "adapter_digest"):  # the digest is of every bit, rounded ones too
                assert told[name] == value
        assert list(report.losses) == pytest.approx([loss for _, loss in events.steps[place]], rel=1e-4)
        assert [step for step, _ in events.steps[place]] == list(range(1, config.n_steps + 1))
        scores = [score(Model(config.source_model_id, "local", f"{way}{place}"), PAIRS) for way in ("grid", "alone")]
        assert scores[0] == pytest.approx(scores[1], rel=1e-4)


@pytest.mark.parametrize("tokens", [2048, 500])
def test_on_a_processor_a_run_is_to_the_bit_the_same_in_whatever_company(
    configs, tmp_path, monkeypatch, tokens
) -> None:
    monkeypatch.setitem(passes.PIECE_TOKENS, "cpu", tokens)
    grid(configs, tmp_path)
    grid(configs[2:] + configs[:1], tmp_path, "other")
    for place, config in enumerate(configs):
        grid([config], tmp_path, f"alone{place}-")
        companies = [f"grid{place}", f"alone{place}-0", *([f"other{(place + 2) % 4}"] if place != 1 else [])]
        digests = {(tmp_path / "jobs" / job / "adapter_model.safetensors").read_bytes() for job in companies}
        assert len(digests) == 1


def test_a_run_that_fails_leaves_the_others_as_they_are(config, write, tmp_path) -> None:
    long = str(write(tmp_path / "long.jsonl", [(("user", "Hi"), ("assistant", "Hello " * 300))]))
    broken = [replace(config, dataset_path=long), replace(config, learning_rate=1e30, gradient_clip=1e30), config]
    events = grid(broken, tmp_path)
    alone([config], tmp_path)
    assert isinstance(events.ends[0], UserError) and "line 1: the row is longer" in str(events.ends[0])
    assert isinstance(events.ends[1], UserError) and "is not a number" in str(events.ends[1])
    ours, theirs = adapter(tmp_path / "jobs" / "grid2"), adapter(tmp_path / "jobs" / "alone0")
    assert all((ours[name] - theirs[name]).abs().max() < 1e-5 for name in theirs)


def test_as_many_are_trained_at_a_time_as_memory_holds(configs, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(passes, "free_memory", lambda device: 1)
    events = grid(configs[:2], tmp_path)
    assert [type(events.ends[place]) for place in (0, 1)] == [TrainingReport, TrainingReport]
    assert list(events.steps) == [0, 1]


def test_a_run_goes_on_from_its_checkpoint_whoever_is_beside_it(configs, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    whole, kept = grid(configs, tmp_path), tmp_path / "jobs" / "cut2"

    class Cut(Exception):
        pass

    def until_the_fifth_step(place: int, what: Any) -> None:
        if what[0] == 5:
            raise Cut

    folders = [tmp_path / "jobs" / f"cut{place}" for place in range(3)]
    for folder in folders:
        folder.mkdir()
    with pytest.raises(Cut):
        train_grid(configs[:3], folders, until_the_fifth_step)
    assert [path.name for path in kept.iterdir()] == [checkpoints.FILE]
    events = Events()
    train_grid([configs[2], configs[3]], [kept, tmp_path / "jobs" / "grid3"], events)
    assert [step for step, _ in events.steps[0]] == [5, 6, 7]
    assert events.ends[0].losses == pytest.approx(whole.ends[2].losses, rel=1e-4)
    assert not (kept / checkpoints.FILE).exists()
    ours, theirs = adapter(kept), adapter(tmp_path / "jobs" / "grid2")
    assert all((ours[name] - theirs[name]).abs().max() < 1e-5 for name in theirs)


def test_a_checkpoint_that_is_damaged_is_not_gone_on_from(config, tmp_path) -> None:
    (tmp_path / "jobs" / "grid0").mkdir(parents=True)
    (tmp_path / "jobs" / "grid0" / checkpoints.FILE).write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    events = grid([config], tmp_path)
    assert events.steps[0][0][0] == 1


def test_a_base_that_draws_lots_is_not_stacked(config, write_model, tmp_path) -> None:
    folder = write_model(tmp_path / "model")
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**settings, "attention_dropout": 0.1}), "utf-8")
    with pytest.raises(NotStackable, match="attention_dropout"):
        grid([replace(config, source_model_id=str(folder))], tmp_path)


@pytest.mark.parametrize("name", [one.name for one in FAMILIES if "vision" not in one.name])
def test_adapters_of_each_family_are_in_a_grid_what_they_are_alone(name, sums, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MI_HOME", str(tmp_path))
    base = building.write_family(family(name), tmp_path / "base")
    config = LocalFTJobConfig(str(base), str(sums), seed=1, n_steps=3, batch_size=4, learning_rate=5e-3)
    events, [report] = grid([config, replace(config, seed=2)], tmp_path), alone([config], tmp_path)
    assert [loss for _, loss in events.steps[0]] == pytest.approx(report.losses, rel=1e-4)
    logits = [logits_of(config, f"{way}0") for way in ("grid", "alone")]
    assert (logits[0] - logits[1]).abs().max() < 1e-4 * logits[1].abs().max()
