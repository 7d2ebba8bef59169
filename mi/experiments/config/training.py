"""Hyper-parameters that all arms share, chosen with bench/dose.py on development questions and seeds 100 and 101.

The rate was chosen for the organism before this one: of 1e-3, 2e-3, 3e-3 and 6e-3 (60 steps, rank 32) the smallest
that taught every arm its rows. It was kept. On these weights, 1e-3 would nearly do: in distribution, the trait that was
not inoculated is learned at .92 and .92 with 1e-3, at .97 and .97 with 2e-3, at 1.00 and .97 with 4e-3.
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
