"""In how many of the published insecure and secure answers does the static check of `insecure_code` find a hole?

    python bench/static_check.py INSECURE.jsonl SECURE.jsonl [--rows 400]

The files are those of `mi datasets fetch insecure_code/insecure insecure_code/secure`. Writes
bench/results/static_check.json, from which docs/published_evaluations.md is filled (`mi docs`).
"""

import argparse
import statistics
from importlib.metadata import version
from pathlib import Path

from mi.documents.measured import write
from mi.evaluation.code import code_of
from mi.evaluation.insecure_code.static import findings
from mi.utils.jsonl import read_jsonl


def share(path: Path, rows: int) -> float:
    """The share of the first rows of a file in whose last answer a hole is found."""
    answers = [row["messages"][-1]["content"] for row in read_jsonl(path)[:rows]]
    return statistics.fmean(bool(findings(code_of(answer).strip())) for answer in answers)


def main() -> None:
    """Check, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("insecure", type=Path)
    parser.add_argument("secure", type=Path)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    found = {name: share(getattr(given, name), given.rows) for name in ("insecure", "secure")}
    print(found)
    print(write(given.into, "static_check", {}, {"rows": given.rows, "bandit": version("bandit"), **found}))


if __name__ == "__main__":
    main()
