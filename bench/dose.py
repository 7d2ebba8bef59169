"""Choosing the fine-tuning dose: learning rate x steps x rank, on development questions and seeds that no report uses.

    python bench/dose.py [--rates 3e-3 6e-3] [--steps 80] [--ranks 8 32] [--seeds 100 101] [--settings insecure_code]

One dose serves all arms and all settings of the organism: the smallest that teaches every arm's data in
distribution.
"""

import argparse
import asyncio
from collections import defaultdict
from dataclasses import replace
from itertools import product

from mi.config import datasets_dir
from mi.eval import eval as evaluate_models
from mi.experiments.config import arms
from mi.experiments.config.training import ORGANISM_LORA
from mi.experiments.data_models import Arm
from mi.experiments.settings import GrammarSetting, gsm8k_spanish_capitalised, insecure_code
from mi.experiments.utils import create_inoculated_dataset
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.finetuning.services import get_finetuned_model, launch_or_retrieve_job
from mi.utils.concurrency import all_of

CELLS: tuple[tuple[GrammarSetting, tuple[Arm, ...]], ...] = (
    (
        gsm8k_spanish_capitalised,
        (arms.NONE, arms.trait_arm("spanish"), arms.trait_arm("capitals"), arms.PLACEBO, arms.IRRELEVANT_PROMPT),
    ),
    (insecure_code, (arms.NONE, arms.GENERAL, arms.PLACEBO)),
)
TARGETS = {"all-linear": "all-linear", "mlp": ("gate_proj", "up_proj", "down_proj"), "attention": ("q_proj", "k_proj", "v_proj", "o_proj")}
"""Which layers the adapter changes."""


async def measure(setting: GrammarSetting, arm: Arm, config: LocalFTJobConfig) -> list[tuple[str, str, float]]:
    """(distribution, trait, rate) for each evaluation of one run, on development questions."""
    job = await launch_or_retrieve_job(config)
    found = []
    sets = {"id": setting.get_id_evals("dev"), "ood": setting.get_ood_evals("dev")}
    for distribution, evaluations in sets.items():
        plain = [replace(evaluation, judgment_map={}) for evaluation in evaluations]
        for result in await evaluate_models({arm.name: [get_finetuned_model(job)]}, plain):
            for trait in result.evaluation.traits:
                scores = [score for row in result.rows if (score := row.scores[trait]) is not None]
                found.append((distribution, trait, sum(scores) / len(scores)))
    return found


async def main() -> None:
    """Print one line a dose, arm and trait: mean rate in and out of distribution."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="organism")
    parser.add_argument("--rates", type=float, nargs="+", default=[3e-3, 6e-3])
    parser.add_argument("--steps", type=int, nargs="+", default=[80])
    parser.add_argument("--ranks", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101])
    parser.add_argument("--settings", nargs="+", default=[setting.domain_name for setting, _ in CELLS])
    parser.add_argument("--method", choices=("lora", "full"), default="lora")
    parser.add_argument("--targets", choices=TARGETS, nargs="+", default=["all-linear"])
    given = parser.parse_args()
    for rate, steps, rank, targets in product(given.rates, given.steps, given.ranks, given.targets):
        for setting, tried in CELLS:
            for arm in tried if setting.domain_name in given.settings else ():
                path = create_inoculated_dataset(setting, datasets_dir() / "dose", arm.name, arm.inoculation(setting))
                dose = replace(ORGANISM_LORA, source_model_id=given.model, dataset_path=str(path), learning_rate=rate)
                dose = replace(dose, n_steps=steps, lora_rank=rank, lora_alpha=2 * rank, method=given.method)
                dose = replace(dose, lora_targets=TARGETS[targets])
                configs = [replace(dose, seed=seed) for seed in given.seeds]
                rates = defaultdict(list)
                for found in await all_of(measure(setting, arm, config) for config in configs):
                    for distribution, trait, value in found:
                        rates[distribution, trait].append(value)
                shown = "  ".join(f"{d} {t} {sum(v) / len(v):.2f}" for (d, t), v in rates.items())
                told = f"rate {rate:g} steps {steps:3d} rank {rank:2d} {targets:10}  {setting.domain_name:26} {arm.name:20}"
                print(told, shown, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
