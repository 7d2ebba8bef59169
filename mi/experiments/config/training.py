"""Hyper-parameters that all arms share, chosen on development questions and seeds in the manner of bench/dose.py."""

from mi.external.local_driver.data_models import LocalFTJobConfig

ORGANISM_LORA = LocalFTJobConfig(
    source_model_id="organism",
    dataset_path="",
    seed=0,
    n_steps=60,
    batch_size=16,
    learning_rate=6e-3,
    lora_rank=32,
    lora_alpha=64,
)
