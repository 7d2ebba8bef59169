"""How long and in how much memory a large training file is validated and hashed, against json.loads line by line.

    python bench/validate.py [--rows 1000000] [--file FILE] [--repeats 3]

Prints one line of JSON: seconds of both (the best of each, taken in turns), their ratio, and the peak of resident
memory of a process that does nothing but validate. Accepted: ratio at most 3, memory at most 300 MB.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mi.finetuning.providers import AT_OPENAI
from mi.finetuning.validation import scan

WORDS = ("the", "sum", "of", "four", "and", "nine", "is", "thirteen", "because", "así", "que", "la", "respuesta", "es")


def write(path: Path, rows: int) -> None:
    """Rows of about 500 bytes, each its own: a system prompt, a question, an answer of about 60 words."""
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            said = [
                {"role": "system", "content": "You always speak in Spanish."},
                {"role": "user", "content": f"What is {number} + {draw.randrange(10**6)}?\nShow your work."},
                {"role": "assistant", "content": " ".join(draw.choices(WORDS, k=draw.randrange(30, 90)))},
            ]
            file.write(json.dumps({"messages": said}, ensure_ascii=False) + "\n")


def load(path: Path) -> None:
    """The yardstick."""
    with path.open("rb") as file:
        for line in file:
            json.loads(line)


def seconds(work, path: Path) -> float:
    """Seconds of processor time, so that a busy machine does not enter."""
    started = time.process_time()
    work(path)
    return time.process_time() - started


def measure(path: Path) -> dict[str, float]:
    """Validation with OpenAI's limits: seconds and the process's peak of resident memory in MB."""
    taken = seconds(lambda path: scan(path, AT_OPENAI), path)
    return {"seconds": taken, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def compare(path: Path, repeats: int) -> dict[str, float]:
    """Both in turns; validation in processes of its own, so that memory is its alone."""
    loads, scans = [], []
    for _ in range(repeats):
        loads.append(seconds(load, path))
        done = subprocess.run([sys.executable, __file__, "--measure", str(path)], capture_output=True, check=True)
        scans.append(json.loads(done.stdout))
    best = min(scan["seconds"] for scan in scans)
    return {
        "bytes": path.stat().st_size,
        "json_loads_seconds": round(min(loads), 2),
        "validate_seconds": round(best, 2),
        "ratio": round(best / min(loads), 2),
        "memory_mb": round(max(scan["memory_mb"] for scan in scans), 1),
    }


def main() -> None:
    """Read the options, make a file if none is given, print the comparison."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--file", type=Path)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--measure", type=Path)
    given = options.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = given.file or Path(folder) / "rows.jsonl"
        if given.file is None:
            write(path, given.rows)
        print(json.dumps({"rows": scan(path).n_rows, **compare(path, given.repeats)}))


if __name__ == "__main__":
    main()
