"""From the name of a base model to a configuration of the backend that trains it."""

from dataclasses import asdict, fields, replace
from typing import Any

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.openai_driver.data_models import OpenAIFTJobConfig
from mi.external.openai_driver.finetuning import server_name
from mi.external.tinker_driver.data_models import TinkerFTJobConfig
from mi.finetuning.data_models import FinetuningJob, FTJobConfig
from mi.finetuning.services import get_finetuned_model
from mi.llm.data_models import Model
from mi.llm.names import model_named

REMOTE = "openai/"


def config_for(model: str, training: LocalFTJobConfig) -> FTJobConfig:
    """`training`, with its file and seed, of the base `model` (see `model_named`).

    OpenAI itself is left its three hyper-parameters as "auto": it knows no others, and no absolute ones. A server of
    one's own is sent those of `training`, so that it trains what is trained in process. What vLLM samples is trained
    here; Tinker is given those of `training` that it has.
    """
    base = model_named(model)
    if base.type in ("local", "vllm"):
        return replace(training, source_model_id=base.id)
    if base.type == "tinker":
        shared = {field.name for field in fields(TinkerFTJobConfig)} & {field.name for field in fields(training)}
        given: dict[str, Any] = {name: getattr(training, name) for name in shared - {"source_model_id"}}
        return TinkerFTJobConfig(source_model_id=base.id, **given)
    config = OpenAIFTJobConfig(base.id, training.dataset_path, training.seed, endpoint=base.endpoint)
    if server_name(config.endpoint) == "openai":
        return config
    settings = asdict(training)
    for placed in ("source_model_id", "dataset_path", "seed", "batch_size"):
        del settings[placed]
    options = {name: value for name, value in settings.items() if value is not None}
    return replace(config, batch_size=training.batch_size, server_options=options)


def model_of(base: str, job: FinetuningJob) -> Model:
    """The model that a job made of `base`, asked by whom that name says; raises as `get_finetuned_model` does."""
    asked, made = model_named(base), get_finetuned_model(job)
    return replace(made, type=asked.type, endpoint=asked.endpoint) if asked.type == "vllm" else made
