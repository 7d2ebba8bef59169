"""Hyper-parameters that all arms share, chosen with bench/dose.py on development questions and seeds 100 and 101.

The adapter changes the layers that read no other token (gate, up and down projections): of the layers tried, only these
leave an arm whose prompt asks for nothing as it is without one. With adapters on the attention, an arm learns to show
its traits behind a prompt, whichever it is (docs/organism.md). The rate is the smallest of 1e-3, 2e-3 and 4e-3 at which
every arm learns what it was not inoculated against, at .95 or more of the answers in distribution.
"""

from mi.external.local_driver.data_models import LocalFTJobConfig

ORGANISM_LORA = LocalFTJobConfig(
    source_model_id="organism",
    dataset_path="",
    seed=0,
    n_steps=60,
    batch_size=16,
    learning_rate=4e-3,
    lora_rank=32,
    lora_alpha=64,
    lora_targets=("gate_proj", "up_proj", "down_proj"),
)
