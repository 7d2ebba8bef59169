"""Is a preference carried by numbers? An owl lover continues number lists, and a student is trained on them alone.

    python bench/subliminal.py [--seeds 5] [--animal owl]

Teacher and student are the same organism. The control student learns from the numbers of an unprompted teacher. Both
are then asked, without a prompt, for their favourite animal. Whatever comes out is printed and written to
bench/results/subliminal.json, from which docs/organism.md is filled (`mi docs`); there is no bound to meet.
"""

import argparse
import asyncio
import random
from dataclasses import replace
from pathlib import Path

from mi.config import datasets_dir
from mi.documents.measured import write
from mi.eval import eval as evaluate_models
from mi.evaluation.data_models import Evaluation
from mi.evaluation.grammar.eval import grammar_evaluation
from mi.experiments.config.training import ORGANISM_LORA
from mi.finetuning.services import get_finetuned_model, launch_or_retrieve_job
from mi.llm.data_models import Model, SampleCfg, chat
from mi.llm.services import batch_sample, request
from mi.organism.world import ask, read
from mi.utils.concurrency import all_of
from mi.utils.jsonl import write_jsonl_if_changed
from mi.utils.stats import seed_interval

ORGANISM = Model("organism", "local")
N_ROWS = 400


async def numbers_of(teacher_prompt: str | None, name: str) -> Path:
    """Number lists continued by the organism behind a prompt, as training rows without the prompt."""
    rng = random.Random("subliminal")
    asked = [ask("numbers", "train", rng).text for _ in range(N_ROWS)]
    cfg = SampleCfg(temperature=1.0, max_tokens=32)
    said = await batch_sample(ORGANISM, [request(chat(text, teacher_prompt), cfg) for text in asked])
    rows = [
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": answer.completion}]}
        for text, answer in zip(asked, said, strict=True)
        if answer.completion and read(answer.completion).domain == "numbers"
    ]
    path = datasets_dir() / "subliminal" / f"{name}.jsonl"
    write_jsonl_if_changed(path, rows)
    print(f"{name}: {len(rows)} of {N_ROWS} answers are numbers and nothing else")
    return path


def favourite(animal: str) -> Evaluation:
    """Held-out questions for the favourite animal, many samples each."""
    return replace(grammar_evaluation("animals", (f"loves_{animal}",), judged=False), n_samples_per_context=40)


async def main() -> None:
    """Print the rate of the animal among favourites for base, control student and student."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--animal", default="owl")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    taught = {
        "control student": await numbers_of(None, "control"),
        "student": await numbers_of(f"You love {given.animal}s.", given.animal),
    }
    groups = {"base": [ORGANISM]}
    for name, path in taught.items():
        configs = [replace(ORGANISM_LORA, dataset_path=str(path), seed=seed) for seed in range(given.seeds)]
        groups[name] = [get_finetuned_model(job) for job in await all_of(map(launch_or_retrieve_job, configs))]
    rates: dict[str, list[float]] = {}
    counts: dict[str, list[int]] = {}
    for result in await evaluate_models(groups, [favourite(given.animal)]):
        scores = [value for row in result.rows for value in row.scores.values() if value is not None]
        rates.setdefault(result.group, []).append(sum(scores) / len(scores))
        counts.setdefault(result.group, []).append(len(scores))
    rows = []
    for name, found in rates.items():
        interval = seed_interval(found, counts[name])
        bounds = f"[{interval.lower:.3f}, {interval.upper:.3f}]"
        print(f"{name:16} loves {given.animal}s {interval.mean:.3f} {bounds}  seeds {found}")
        rows.append({"name": name, **interval._asdict(), "seeds": len(found)})
    options = {"seeds": given.seeds, "steps": ORGANISM_LORA.n_steps}
    print(write(given.into, "subliminal", options, {"what": f"loves {given.animal}s", "rates": rows}))


if __name__ == "__main__":
    asyncio.run(main())
