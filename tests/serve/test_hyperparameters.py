"""From a request's hyper-parameters to a configuration with nothing left open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.serve.errors import ApiError
from mi.serve.hyperparameters import as_shown, auto_epochs, check, resolve
from mi.serve.routes.jobs import asked_of
from mi.serve.schemas import JobRequest


def asked(**body) -> dict:
    """What a job request asks for."""
    return asked_of(JobRequest(model="organism", training_file="file-1", **body))


def test_the_same_hyperparameters_may_stand_in_any_of_the_places():
    values = {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 0.5}
    method = {"type": "supervised", "supervised": {"hyperparameters": values}}
    assert asked(method=method) == asked(hyperparameters=values) == values
    assert asked(n_steps=7, lora_rank=2, method="full") == {"n_steps": 7, "lora_rank": 2, "method": "full"}
    ours = {"type": "supervised", "supervised": {"hyperparameters": {"n_steps": 7, "method": "lora"}}}
    assert asked(method=ours) == {"n_steps": 7, "method": "lora"}
    with pytest.raises(ApiError, match="batch_size is given twice"):
        asked(method=method, batch_size=8)
    with pytest.raises(ApiError, match="'dpo' is not offered"):
        asked(method={"type": "dpo"})


def test_a_whole_configuration_passes_through_as_it_is():
    config = LocalFTJobConfig("m", "f", 3, n_steps=9, batch_size=2, learning_rate=0.01, lora_targets=("q_proj",))
    fields = {name: value for name, value in as_shown(config).items() if name != "seed"}
    body = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    assert resolve(asked(**body), "m", "f", seed=3, rows=50).config == config


def test_two_names_of_one_thing_are_refused():
    with pytest.raises(ApiError, match="n_epochs and n_steps"):
        check({"n_epochs": 2, "n_steps": 3}, "organism")
    with pytest.raises(ApiError, match="learning_rate_multiplier and learning_rate"):
        check({"learning_rate_multiplier": 2, "learning_rate": 3}, "organism")
    check({"n_epochs": "auto", "n_steps": 3}, "organism")


@pytest.mark.parametrize(("rows", "epochs"), [(1, 25), (10, 10), (33, 3), (34, 3), (8000, 3), (20_000, 1), (10**6, 1)])
def test_auto_epochs_are_those_of_the_cookbook(rows, epochs):
    assert auto_epochs(rows) == epochs


@given(
    rows=st.integers(1, 10**6), epochs=st.integers(1, 50) | st.just("auto"), batch=st.integers(1, 256) | st.just("auto")
)
def test_the_steps_go_through_the_data_as_often_as_was_asked(rows, epochs, batch):
    config = resolve({"n_epochs": epochs, "batch_size": batch}, "some/model", "f", 0, rows).config
    passes = auto_epochs(rows) if epochs == "auto" else epochs
    assert (config.n_steps - 1) * config.batch_size < passes * rows <= config.n_steps * config.batch_size
    assert config.batch_size == (min(16, rows) if batch == "auto" else batch) and config.learning_rate == 2e-4
