"""Runs of bench/grid.py, trained and asked by `mi`: `python grid_ours.py RUNS.json all`, or a run's number.

Prints one line of JSON: seconds that imports took, the loss of the last ten steps of each run, and how many answers.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.finetuning.services import get_finetuned_model, get_job_info, launch_or_retrieve_job, launch_together
from mi.llm.data_models import Message, Model, SampleCfg
from mi.llm.services import batch_sample, request
from mi.utils.workers import run_in_worker, worker_count

IMPORTS = "import peft, torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer"
"""What a worker imports for training and sampling."""


async def ask(model: Model, questions: list[dict[str, Any]]) -> int:
    """How many answers a model gave."""
    asked = []
    for question in questions:
        chat = tuple(Message(**message) for message in question["messages"])
        cfg = SampleCfg(temperature=question["temperature"], max_tokens=question["max_tokens"])
        asked += [request(chat, cfg, index) for index in range(question["n"])]
    return len(await batch_sample(model, asked))


async def work(runs: list[dict[str, Any]], together: bool) -> dict[str, Any]:
    """Train, then ask; what there is to tell of it."""
    await asyncio.gather(*(run_in_worker(exec, IMPORTS) for _ in range(worker_count())))
    imports = time.time() - float(os.environ["BENCH_STARTED"])
    configs = [LocalFTJobConfig(**run["config"]) for run in runs]
    jobs = await launch_together(configs) if together else [await launch_or_retrieve_job(configs[0])]
    models = [get_finetuned_model(job) for job in jobs]
    answers = await asyncio.gather(*(ask(model, run["questions"]) for model, run in zip(models, runs, strict=True)))
    losses = [get_job_info(job).report["losses"][-10:] for job in jobs]
    return {"imports": imports, "losses": [sum(each) / len(each) for each in losses], "answers": sum(answers)}


def main() -> None:
    """All runs together, or one alone in one worker."""
    runs, which = json.loads(Path(sys.argv[1]).read_text("utf-8")), sys.argv[2]
    if which != "all":
        os.environ["MI_WORKERS"] = "1"
        runs = [runs[int(which)]]
    print(json.dumps(asyncio.run(work(runs, which == "all"))))


if __name__ == "__main__":
    main()
