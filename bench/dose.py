"""Choosing the fine-tuning dose: learning rate x steps x rank, on development questions and seeds that no report uses.

    python bench/dose.py [--doses mlp:4e-3 all-linear:2e-3] [--steps 60] [--ranks 8 32] [--settings insecure_code]

A dose is the layers that the adapter changes and a rate. One serves all arms and all settings of the organism: of the
layers those by which a prompt that asks for nothing changes nothing, of the rates the smallest that teaches every arm's
data in distribution. What was found is written to bench/results/dose.json, from which docs/organism.md is filled.
"""

import argparse
import asyncio
from collections import defaultdict
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Literal

from mi.config import datasets_dir
from mi.documents.measured import write
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
LAYERS: dict[str, Literal["all-linear"] | tuple[str, ...]] = {
    "all-linear": "all-linear",
    "attention": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "mlp": ("gate_proj", "up_proj", "down_proj"),
}
DOSES = ("mlp:1e-3", "mlp:2e-3", "mlp:4e-3", "attention:4e-3", "all-linear:4e-3")


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
    parser.add_argument("--doses", nargs="+", default=list(DOSES))
    parser.add_argument("--steps", type=int, nargs="+", default=[60])
    parser.add_argument("--ranks", type=int, nargs="+", default=[32])
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101])
    parser.add_argument("--settings", nargs="+", default=[setting.domain_name for setting, _ in CELLS])
    parser.add_argument("--method", choices=("lora", "full"), default="lora")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    rows = []
    for dose, steps, rank in product(given.doses, given.steps, given.ranks):
        layers, _, rate = dose.partition(":")
        for setting, tried in CELLS:
            for arm in tried if setting.domain_name in given.settings else ():
                path = create_inoculated_dataset(setting, datasets_dir() / "dose", arm.name, arm.inoculation(setting))
                config = replace(
                    ORGANISM_LORA,
                    source_model_id=given.model,
                    dataset_path=str(path),
                    method=given.method,
                    learning_rate=float(rate),
                    n_steps=steps,
                    lora_rank=rank,
                    lora_alpha=2 * rank,
                    lora_targets=LAYERS[layers],
                )
                configs = [replace(config, seed=seed) for seed in given.seeds]
                found_by = defaultdict(list)
                for found in await all_of(measure(setting, arm, config) for config in configs):
                    for distribution, trait, value in found:
                        found_by[f"{distribution} {trait}"].append(value)
                means = {cell: sum(values) / len(values) for cell, values in found_by.items()}
                told = {"layers": layers, "rate": float(rate), "steps": steps, "rank": rank}
                rows.append({**told, "setting": setting.domain_name, "arm": arm.name, "rates": means})
                shown = "  ".join(f"{cell} {mean:.2f}" for cell, mean in means.items())
                print(f"{dose:16} steps {steps} rank {rank}  {setting.domain_name:26} {arm.name:20}", shown, flush=True)
    print(write(given.into, "dose", {"seeds": len(given.seeds)}, {"rows": rows}))


if __name__ == "__main__":
    asyncio.run(main())
