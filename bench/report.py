"""How long the page of a finished experiment takes to make, against only reading its answers, as answers grow.

    python bench/report.py [EXPERIMENT] [--times 1 3 9]

The experiment must have been run here (`mi run EXPERIMENT`); its answers are taken once and repeated as further
seeds. Prints a line of JSON for each size: answers, seconds to gather and to render, seconds to read the answers'
columns into Python's lists, and the ratio of the first two together to the last. A page whose cost lay in its cells
times its answers would have a ratio that grows.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from mi.experiments.config import experiment
from mi.experiments.report import gather, page


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of a call, and what it gave."""
    began = time.perf_counter()
    given = call()
    return time.perf_counter() - began, given


def main() -> None:
    """Measure each size in turn."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("experiment", nargs="?", default="specific_inoculation")
    told.add_argument("--times", type=int, nargs="+", default=[1, 3, 9])
    args = told.parse_args()
    chosen, read = experiment(args.experiment), gather._answers
    gather.gather(chosen, "organism")  # imports and caches are nobody's
    for times in args.times:

        def repeated(of: Any, path: Path, times: int = times) -> Any:
            answers = read(of, path)
            apart = 1 + answers["seed"].max()
            copies = [answers.assign(seed=answers["seed"] + apart * copy) for copy in range(times)]
            return pd.concat(copies, ignore_index=True)

        gather._answers = repeated
        gathering, sources = timed(lambda: gather.gather(chosen, "organism"))
        rendering, _ = timed(lambda found=sources: page.render(found))
        reading, _ = timed(lambda found=sources: [found.answers[name].tolist() for name in found.answers])
        found = {"answers": len(sources.answers), "gather": gathering, "render": rendering, "read": reading}
        rounded = {name: round(value, 2) for name, value in found.items()}
        print(json.dumps(rounded | {"ratio": round((gathering + rendering) / reading, 1)}), flush=True)


if __name__ == "__main__":
    main()
