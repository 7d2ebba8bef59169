"""How often the intervals of `mi` hold the truth: every design of the simulation tests, and where they fall short.

    python bench/coverage.py [--studies 20000]

Writes bench/results/coverage.json, from which docs/statistics.md is filled (`mi docs`). Trains and asks nothing.
"""

import argparse
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

from mi.documents.measured import write
from mi.utils.stats import coverage as c
from mi.utils.stats.simulate import Design, Variances

QUESTIONS = ("fixed", "sampled")


def main_table(n: int) -> Iterator[dict[str, Any]]:
    """One row a quantity, estimand, design and rate."""
    for questions, design, truth in product(QUESTIONS, c.DESIGNS, c.RATES):
        yield row("covers", questions, design, truth, c.coverage(design, questions, n, truth))
        yield row("told apart", questions, design, truth, c.false_alarms(design, questions, n, truth))
    for design, effect in product(c.DESIGNS, c.EFFECTS):
        yield row("effect covered", "sampled", design, effect[0], c.effect_covered(design, effect, n))


def row(what: str, questions: str, design: Design, truth: float, share: float) -> dict[str, Any]:
    """A row, and a line to be seen while it runs."""
    print(f"{what:14} {questions:8} {design} {truth:.2f}  {share:.3f}", flush=True)
    return {"what": what, "questions": questions, "seeds": design.seeds, "of": design.questions, "share": share}


def common_ways(n: int) -> dict[str, Any]:
    """The ways that are common, at three seeds and a rate of .24; resampling is slow, so studies are fewer."""
    few = max(250, n // 20)
    return {
        "legacy": {questions: c.legacy_covered(questions, few) for questions in QUESTIONS},
        "pooled": c.pooled_covered(few),
        "crossed_bootstrap": {str(seeds): c.crossed_covered(seeds, max(100, n // 80)) for seeds in c.SEEDS},
    }


def falls_short(n: int) -> dict[str, list[float]]:
    """Coverage where seeds or questions differ more than the defaults say."""
    wide = Variances(seed=1.0, question=1.0, question_by_arm=0)
    apart = Variances(question=2.0, question_by_arm=0)
    two = [design for design in c.DESIGNS if design.seeds == 2 and design.questions > 8]
    eight = [design for design in c.DESIGNS if design.questions == 8]
    return {
        "two_wide_seeds": [c.where_sampled_differ_much(d, wide, n, t) for d in two for t in c.RATES],
        "eight_questions": [c.where_sampled_differ_much(d, apart, n, t) for d in eight for t in (0.02, 0.08)],
        "wide_seeds_fixed": [c.where_seeds_differ_much(s, 1.5, n, t) for s in c.SEEDS for t in (0.02, 0.05)],
        "nothing_seen": [c.where_seeds_differ_much(s, 0.35, n, 0.001) for s in c.SEEDS],
    }


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=20_000)
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    found = {"rows": list(main_table(given.studies)), **common_ways(given.studies)}
    found["falls_short"] = falls_short(given.studies)
    print(write(given.into, "coverage", {"studies": given.studies}, found))


if __name__ == "__main__":
    main()
