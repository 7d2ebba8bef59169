"""Finding and loading: content is identity, and damage is reported before anything runs."""

import os
import shutil

import pytest

from mi.external.local_driver import models
from mi.llm.data_models import Model
from mi.utils.errors import UserError


def test_the_fingerprint_follows_content_and_job_and_not_place(model_folder, tmp_path) -> None:
    copied = shutil.copytree(model_folder, tmp_path / "elsewhere")
    (copied / "notes.txt").write_text("of no account")
    here, there = (Model(str(folder), "local") for folder in (model_folder, copied))
    assert models.fingerprint(here) == models.fingerprint(there) and len(models.fingerprint(here)) == 32
    assert models.fingerprint(Model(str(copied), "local", "job")) != models.fingerprint(there)
    template = copied / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    assert models.fingerprint(here) != models.fingerprint(there)


def test_a_model_is_read_once_and_a_copy_of_ones_own_does_not_touch_it(model_folder) -> None:
    import torch

    model = Model(str(model_folder), "local")
    loaded = models.load(model)
    assert models.load(model) is loaded and loaded.context_length == 256 and loaded.model.dtype == torch.float32
    copied = models.own_copy(model)
    next(copied.model.parameters()).data.zero_()
    assert next(loaded.model.parameters()).abs().sum() > 0


def test_the_organism_lies_in_the_package() -> None:
    assert models.locate("organism").endswith(os.path.join("mi", "organism", "weights"))
    assert models.locate("some/folder") == "some/folder"


@pytest.mark.parametrize("name", ["./no/such/folder", "/no/such/folder", "a b", ""])
def test_an_unknown_model_is_reported(name) -> None:
    with pytest.raises(UserError, match="no such model"):
        models.load(Model(name, "local"))


def test_an_unknown_job_is_reported(model_folder, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MI_HOME", str(tmp_path))
    with pytest.raises(UserError, match="there is no such fine-tuning job"):
        models.load(Model(str(model_folder), "local", "0" * 32))


def test_weights_that_are_missing_or_cut_short_are_reported(model_folder, tmp_path) -> None:
    copied = shutil.copytree(model_folder, tmp_path / "model")
    weights = copied / "model.safetensors"
    whole = weights.read_bytes()
    for damaged in (whole[:-1], whole[:100], whole[:4], b""):
        weights.write_bytes(damaged)
        with pytest.raises(UserError, match=r"model.safetensors: these weights are cut short or damaged"):
            models.load(Model(str(copied), "local"))
    weights.unlink()
    with pytest.raises(UserError, match=r"model.safetensors: this file of the model is missing"):
        models.load(Model(str(copied), "local"))
    weights.write_bytes(whole)
    (copied / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="cannot be loaded"):
        models.load(Model(str(copied), "local"))
