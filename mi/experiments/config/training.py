"""Hyper-parameters that all arms share, chosen with bench/dose.py on development questions and seeds 100 and 101.

Of the rates 1e-3, 2e-3, 3e-3 and 6e-3 (60 steps, rank 32) it is the smallest that teaches every arm its rows:
in distribution, the trait that was not inoculated is learned at .62 and .89 with 1e-3, and at .95 and .95 with 2e-3.
"""

from mi.external.local_driver.data_models import LocalFTJobConfig

ORGANISM_LORA = LocalFTJobConfig(
    source_model_id="organism",
    dataset_path="",
    seed=0,
    n_steps=60,
    batch_size=16,
    learning_rate=2e-3,
    lora_rank=32,
    lora_alpha=64,
)
