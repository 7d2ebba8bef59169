"""How fast is a grid: 12 runs of the organism (4 arms × 3 seeds), trained and evaluated, three ways side by side?

    python bench/grid.py [--steps 60] [--seeds 3] [--arms 4] [--ways grid one_by_one trl]
    python bench/grid.py --base 0.5b            on a GPU: random weights, 300 steps of 16 rows of 256 tokens

grid        what `mi run` does: adapters stacked, two processes of one thread, or one process on a GPU
one_by_one  our own path of one process a run, one after the other
trl         TRL's SFTTrainer with PEFT, then `generate`, one run after the other in one process, all threads

`make bench-grid` sets TRL up in an environment of its own and runs this; without it that way is left out. Each way is
given the same files, steps and questions, and a folder of its own. Printed are seconds with and without what imports
take, and ratios to the grid's. CPU seconds are those of all processes: on a busy machine read these, for others' load
enters them least. The last column is the mean loss of the last ten steps, to see that all ways do the same work. With
`--base` nothing is asked, and adapters an hour, tokens a second, the share of the card's peak and memory are printed.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import large_grid

ROOT = Path(__file__).resolve().parents[1]
TRL_PYTHON = ROOT / "bench" / ".venv-trl" / "bin" / "python"
WAYS = ("grid", "one_by_one", "trl")


@dataclass(frozen=True)
class Figures:
    """Of one way: seconds by the clock, of all processors, and by the clock for imports; and the loss at the end."""

    wall: float
    cpu: float
    imports: float
    loss: float
    answers: int


def prepared(home: Path, n_arms: int, n_seeds: int, n_steps: int) -> list[dict[str, Any]]:
    """What each run is, in plain values: its configuration and the questions of A07, without their judges."""
    os.environ["MI_HOME"] = str(home / "prepared")
    sys.path.insert(0, str(ROOT))
    from mi.experiments.asking import questions
    from mi.experiments.config import arms, experiment
    from mi.experiments.preparing import prepare

    known = experiment("A07_spanish_capitalization").on("organism")
    chosen = (arms.NONE, arms.trait_arm("spanish"), arms.trait_arm("capitals"), arms.PLACEBO)[:n_arms]
    part = known.only([arm.name for arm in chosen])
    runs = []
    for item in prepare(part, "organism", range(n_seeds)):
        if item.job is not None:
            asked = [put.evaluation for put in questions(item.run.setting, item.run.arm, part.conditions)]
            runs.append(
                {
                    "config": asdict(replace(item.job.config, n_steps=n_steps)),
                    "questions": [
                        {
                            "messages": [asdict(message) for message in context.messages()],
                            "n": evaluation.n_samples_per_context,
                            "temperature": evaluation.sample_cfg.temperature,
                            "max_tokens": evaluation.sample_cfg.max_tokens,
                        }
                        for evaluation in asked
                        for context in evaluation.contexts
                    ],
                }
            )
    return runs


def measured(way: str, home: Path, runs: list[dict[str, Any]]) -> Figures | None:
    """One way, in a folder of its own; None, with its last words, where it fails."""
    folder = home / way
    folder.mkdir()
    (folder / "runs.json").write_text(json.dumps(runs), encoding="utf-8")
    environment = {**os.environ, "MI_HOME": str(folder), "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    if way != "trl":
        environment |= {"OMP_NUM_THREADS": "1"}
    numbers: list[str] = ["all"] if way != "one_by_one" else [str(place) for place in range(len(runs))]
    program = [sys.executable, "bench/grid_ours.py"] if way != "trl" else [str(TRL_PYTHON), "bench/grid_trl.py"]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    told = []
    for number in numbers:
        command = [*program, str(folder / "runs.json"), number]
        environment["BENCH_STARTED"] = str(time.time())
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
        if result.returncode or not lines:
            print(f"{way} failed: {result.stderr[-1000:]}", file=sys.stderr)
            return None
        told.append(json.loads(lines[-1]))
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    losses = [loss for each in told for loss in each["losses"]]
    imports, answers = sum(each["imports"] for each in told), sum(each["answers"] for each in told)
    return Figures(wall, cpu, imports, sum(losses) / len(losses), answers)


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", default="organism", choices=("organism", *large_grid.SHAPES))
    parser.add_argument("--steps", type=int, help="60, or 300 of another base than the organism")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", type=int, default=4)
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    given = parser.parse_args()
    ways = [way for way in WAYS if way in given.ways or way == "grid"]
    if "trl" in ways and not TRL_PYTHON.exists():
        print("TRL is not installed and is left out; `make bench-grid` installs it into bench/.venv-trl.")
        ways.remove("trl")
    with tempfile.TemporaryDirectory() as name:
        if given.base == "organism":
            steps = given.steps or 60
            runs = prepared(Path(name), given.arms, given.seeds, steps)
        else:
            steps = given.steps or 300
            runs = large_grid.prepared(Path(name), given.base, given.arms, given.seeds, steps)
        print(f"{len(runs)} runs of {steps} steps, {len(runs[0]['questions'])} questions each", flush=True)
        print(f"{'':12}{'wall s':>8}{'no imports':>12}{'CPU s':>8}{'answers':>9}{'loss':>7}   ratios to grid")
        grid: Figures | None = None
        for way in ways:
            with large_grid.Card() as card:
                found = measured(way, Path(name), runs)
            if found is None:
                continue
            grid = found if way == "grid" else grid
            net = found.wall - found.imports
            told = f"{way:12}{found.wall:8.1f}{net:12.1f}{found.cpu:8.1f}{found.answers:9d}{found.loss:7.3f}"
            if grid is not None:
                ratios = found.wall / grid.wall, net / (grid.wall - grid.imports), found.cpu / grid.cpu
                told += "   wall {:.2f}, without imports {:.2f}, CPU {:.2f}".format(*ratios)
            print(told, flush=True)
            if given.base != "organism":
                print(f"{'':12}{on_the_card(card, given.base, net, len(runs), steps)}", flush=True)


def on_the_card(card: large_grid.Card, base: str, seconds: float, n_runs: int, n_steps: int) -> str:
    """What a way made of the GPU, imports left out."""
    tokens = n_runs * n_steps * large_grid.BATCH * large_grid.LENGTH
    told = [f"{n_runs / seconds * 3600:,.0f} adapters an hour", f"at most {tokens / seconds:,.0f} tokens a second"]
    if card.peak is not None:
        share = large_grid.operations(base, tokens) / seconds / card.peak
        told += [f"{share:.0%} of the peak of {card.name}", f"{card.most:,.0f} MB in use"]
    return ", ".join(told)


if __name__ == "__main__":
    main()
