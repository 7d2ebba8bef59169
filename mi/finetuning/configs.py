"""From the name of a base model to a configuration of the backend that trains it."""

from dataclasses import asdict, replace

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.openai_driver.data_models import OpenAIFTJobConfig
from mi.external.openai_driver.finetuning import server_name
from mi.finetuning.data_models import FTJobConfig
from mi.llm.names import model_named

REMOTE = "openai/"


def config_for(model: str, training: LocalFTJobConfig) -> FTJobConfig:
    """`training`, with its file and seed, of the base `model` (see `model_named`).

    OpenAI itself is left its three hyper-parameters as "auto": it knows no others, and no absolute ones. A server of
    one's own is sent those of `training`, so that it trains what is trained in process.
    """
    base = model_named(model)
    if base.type == "local":
        return replace(training, source_model_id=base.id)
    config = OpenAIFTJobConfig(base.id, training.dataset_path, training.seed, endpoint=base.endpoint)
    if server_name(config.endpoint) == "openai":
        return config
    settings = asdict(training)
    for placed in ("source_model_id", "dataset_path", "seed", "batch_size"):
        del settings[placed]
    given = {name: value for name, value in settings.items() if value is not None}
    return replace(config, batch_size=training.batch_size, server_options=given)
