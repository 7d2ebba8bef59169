"""After each load: a wrong adapter, one that is not on, another base and damage by padding are noted and told."""

import json
import shutil

import pytest

from mi.external.local_driver import canary, models
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.local_driver.sampling import sample
from mi.external.local_driver.training import train
from mi.llm import services as llm
from mi.llm.data_models import Model, SampleCfg, SampleRequest, chat
from mi.utils.hashing import file_digest

ASKED = [SampleRequest(chat("What is 3 + 1?"), SampleCfg(max_tokens=4), 0)]


@pytest.fixture
def jobs(model_folder, sums, mi_home, monkeypatch):
    """Two adapters of one base, and a function that forgets what is in memory."""
    forget(monkeypatch)
    for seed in range(2):
        config = LocalFTJobConfig(str(model_folder), str(sums), seed, n_steps=4, batch_size=4, learning_rate=0.05)
        folder = mi_home / "jobs" / f"job{seed}"
        folder.mkdir(parents=True)
        train(config, folder)
    return mi_home / "jobs"


def forget(monkeypatch) -> None:
    """Begin as a new process does, with nothing in memory."""
    monkeypatch.setattr(models, "_cache", type(models._cache)())
    monkeypatch.setattr(models, "_host", None)
    canary._looked_at.clear()


def told(model: Model) -> str:
    """What is noted when a model is asked; asking goes on in any case."""
    assert len(sample(model, ASKED)) == 1
    return " ".join(llm.notes(model))


def redeclare(folder) -> None:
    """Let the training's record name the adapter that lies there now."""
    record = json.loads((folder / "training.json").read_text())
    record["adapter_digest"] = file_digest(folder / "adapter_model.safetensors")
    (folder / "training.json").write_text(json.dumps(record))


def test_an_adapter_that_is_its_own_leaves_no_note_and_takes_an_old_one_away(jobs, model_folder) -> None:
    model = Model(str(model_folder), "local", "job0")
    (jobs / ".loads").mkdir()
    (jobs / ".loads" / "job0.json").write_text('{"problems": ["old"]}')
    assert llm.notes(model) == ("old",)
    assert told(model) == "" and told(Model(str(model_folder), "local")) == ""
    assert not list((jobs / ".loads").iterdir())


def test_an_adapter_in_anothers_place_is_told_with_the_mend(jobs, model_folder) -> None:
    shutil.copy(jobs / "job1" / "adapter_model.safetensors", jobs / "job0" / "adapter_model.safetensors")
    found = told(Model(str(model_folder), "local", "job0"))
    assert "job job0: its adapter is not the one that was trained" in found
    assert "mi results forget --model job0" in found


def test_another_adapter_than_was_asked_for_is_told_by_its_logits(jobs, model_folder, monkeypatch) -> None:
    shutil.copy(jobs / "job1" / "adapter_model.safetensors", jobs / "job0" / "adapter_model.safetensors")
    redeclare(jobs / "job0")
    assert "the adapter that was loaded is another than it trained" in told(Model(str(model_folder), "local", "job0"))
    forget(monkeypatch)
    monkeypatch.setattr(models, "_CACHE_PARAMETERS", 0)
    assert "the adapter that was loaded is another" in told(Model(str(model_folder), "local", "job0"))
    assert told(Model(str(model_folder), "local", "job1")) == ""


@pytest.mark.filterwarnings("ignore:Found missing adapter keys")
def test_an_adapter_whose_weights_fit_nowhere_and_were_not_loaded_is_told(jobs, model_folder) -> None:
    from safetensors.torch import load_file, save_file

    path = jobs / "job0" / "adapter_model.safetensors"
    save_file({f"other_prefix.{name}": weight for name, weight in load_file(path).items()}, path)
    redeclare(jobs / "job0")
    assert "its adapter was not loaded, for the model gives the same logits" in told(
        Model(str(model_folder), "local", "job0")
    )


def test_an_adapter_of_another_base_is_told(jobs, model_folder, tmp_path) -> None:
    changed = shutil.copytree(model_folder, tmp_path / "changed")
    template = changed / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    assert "was trained on another base than" in told(Model(str(changed), "local", "job0"))


def test_damage_by_padding_on_the_left_is_told(model_folder, monkeypatch) -> None:
    forget(monkeypatch)
    model = Model(str(model_folder), "local")
    loaded = models.load(model)
    forward = loaded.model.forward

    def heedless(*given, attention_mask=None, position_ids=None, **named):
        return forward(*given, **named)

    monkeypatch.setattr(loaded.model, "forward", heedless)
    assert "padding on the left changes what this model says" in told(model)


def test_a_model_is_looked_at_once_and_not_with_every_question(jobs, model_folder, monkeypatch) -> None:
    looked: list[str] = []
    look = canary.look
    monkeypatch.setattr(canary, "look", lambda model, loaded: looked.append(str(model.job_id)) or look(model, loaded))
    for _ in range(3):
        sample(Model(str(model_folder), "local", "job0"), ASKED)
    assert looked == ["job0"]
