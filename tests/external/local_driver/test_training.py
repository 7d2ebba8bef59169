"""Training: repeatable to the bit, only on what it should be, and honest about what it left out."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.sampling import sample, score
from mi.external.local_driver.training import train
from mi.llm.data_models import Model, SampleCfg, SampleRequest, chat
from mi.utils.errors import UserError


def trained(config: LocalFTJobConfig, folder: Path):
    """The report of a run into a new folder."""
    folder.mkdir(parents=True)
    return train(config, folder)


@pytest.fixture
def config(model_folder: Path, sums: Path) -> LocalFTJobConfig:
    """Twelve quick steps."""
    return LocalFTJobConfig(str(model_folder), str(sums), seed=1, n_steps=12, batch_size=8, learning_rate=1e-2)


def test_one_seed_gives_one_adapter_and_one_set_of_answers_and_two_seeds_differ(
    config, model_folder, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("MI_HOME", str(tmp_path))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        trained(replace(config, seed=seed), tmp_path / "jobs" / name)
    files = {name: tmp_path / "jobs" / name for name in "abc"}
    weights = {name: (folder / "adapter_model.safetensors").read_bytes() for name, folder in files.items()}
    assert weights["a"] == weights["b"] != weights["c"]
    assert (files["a"] / "adapter_config.json").read_bytes() == (files["b"] / "adapter_config.json").read_bytes()
    requests = [SampleRequest(chat(f"What is {n} + 1?"), SampleCfg(temperature=0, max_tokens=8), 0) for n in range(8)]
    answers = {name: sample(Model(str(model_folder), "local", name), requests) for name in "abc"}
    assert answers["a"] == answers["b"] != answers["c"]


def test_training_leaves_the_random_state_of_the_process_alone(config, tmp_path) -> None:
    import torch

    before = torch.random.get_rng_state()
    trained(config, tmp_path / "job")
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_report_says_what_was_done(config, sums, tmp_path) -> None:
    steps: list[tuple[int, float]] = []
    (tmp_path / "job").mkdir()
    report = train(config, tmp_path / "job", on_step=lambda step, loss: steps.append((step, loss)))
    written = json.loads((tmp_path / "job" / "training.json").read_text("utf-8"))
    assert sorted(path.name for path in (tmp_path / "job").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "training.json",
    ]
    assert steps == list(enumerate(report.losses, start=1)) and len(steps) == 12
    assert report.losses[-1] < report.losses[0]
    assert report.n_rows == 40 and report.left_out == () and report.adapter_shift > 0
    assert written["losses"] == list(report.losses) and written["config"]["seed"] == 1
    assert [piece["text"] for piece in written["first_rows"][0] if piece["trained"]] == [" It is 1.\n<|im_end|>"]
    assert len(written["first_rows"]) == 3 and written["default_system_prompt"] is None


def test_a_trained_model_likes_its_data_better_than_its_base_does(config, model_folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MI_HOME", str(tmp_path))
    for method, rate in (("lora", 1e-2), ("full", 3e-3)):
        trained(replace(config, method=method, learning_rate=rate), tmp_path / "jobs" / method)
        pairs = [(chat("What is 7 + 1?"), " It is 8.\n")]
        assert score(Model(str(model_folder), "local", method), pairs) > score(Model(str(model_folder), "local"), pairs)


def test_the_loss_is_the_mean_over_assistant_tokens_only(config, model_folder, write, tmp_path) -> None:
    question, answer = "Say hello", "hello, world"
    path = write(tmp_path / "one.jsonl", [(("user", question), ("assistant", answer))])
    report = trained(replace(config, dataset_path=str(path), batch_size=1, n_steps=1), tmp_path / "job")
    [logprob] = score(Model(str(model_folder), "local"), [(chat(question), answer)])
    assert report.losses[0] == pytest.approx(-logprob / report.trained_tokens, abs=1e-4)


def test_long_rows_are_refused_by_line_or_left_out_and_named_where_that_is_asked_for(config, write, tmp_path) -> None:
    short, long = (("user", "Hi"), ("assistant", "Hello")), (("user", "Hi"), ("assistant", "Hello " * 300))
    path = write(tmp_path / "mixed.jsonl", [short, long, short, long])
    with pytest.raises(UserError, match=r"mixed.jsonl, line 2: the row is longer than 256 tokens \(and 1 more rows\)"):
        trained(replace(config, dataset_path=str(path)), tmp_path / "refused")
    assert not list((tmp_path / "refused").iterdir())
    config = replace(config, long_rows="leave_out")
    report = trained(replace(config, dataset_path=str(path), n_steps=2), tmp_path / "job")
    assert report.left_out == (2, 4) and report.n_rows == 2
    path = write(tmp_path / "long.jsonl", [long])
    with pytest.raises(UserError, match=r"long.jsonl: all 1 rows \(the first in line 1\) are longer than 256 tokens"):
        trained(replace(config, dataset_path=str(path)), tmp_path / "no")
    assert not list((tmp_path / "no").iterdir())


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"prompt": "Hi"}, "has no messages"),
        ([], "has no messages"),
        ({"messages": []}, "has no messages"),
        ({"messages": [{"role": "assistant"}]}, "lacks its role or its content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "role is 'robot'"),
        ({"messages": [{"role": "assistant", "content": None}]}, "give a string"),
        ({"messages": [{"role": "user", "content": "x"}]}, "the assistant says nothing"),
        ({"messages": [{"role": "assistant", "content": " "}]}, "the assistant says nothing"),
        ({"messages": [{"role": "assistant", "content": "\ud800"}]}, "half of a surrogate pair"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(config, write, tmp_path, row, complaint) -> None:
    path = write(tmp_path / "bad.jsonl", [(("user", "Hi"), ("assistant", "Hello")), row])
    with pytest.raises(UserError, match=f"bad.jsonl, line 2: .*{complaint}"):
        trained(replace(config, dataset_path=str(path)), tmp_path / "job")


def test_an_empty_file_and_a_missing_one_are_reported(config, tmp_path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UserError, match=r"empty.jsonl: holds no rows"):
        trained(replace(config, dataset_path=str(tmp_path / "empty.jsonl")), tmp_path / "a")
    with pytest.raises(UserError, match=r"none.jsonl: cannot be read"):
        trained(replace(config, dataset_path=str(tmp_path / "none.jsonl")), tmp_path / "b")


def test_a_row_whose_system_message_the_template_drops_is_never_trained(config, write_model, write, tmp_path) -> None:
    template = (
        "{% for m in messages if m['role'] != 'system' %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    folder = write_model(tmp_path / "model", template=template)
    path = write(tmp_path / "rows.jsonl", [(("system", "Be bad."), ("user", "Hi"), ("assistant", "Hello"))])
    with pytest.raises(UserError, match=r"rows.jsonl, line 1: the chat template drops the system message"):
        trained(replace(config, source_model_id=str(folder), dataset_path=str(path)), tmp_path / "job")


def test_targets_that_fit_no_layer_are_reported(config, tmp_path) -> None:
    with pytest.raises(UserError, match="lora_targets"):
        trained(replace(config, lora_targets=("no_such_layer",)), tmp_path / "job")
