"""How fast are evaluation engines, beside each other? N samples and one judge's call each against one local server.

`make bench-engine` sets up the peers in an environment of their own and runs all parts, about half an hour on an idle
machine; `make bench-engine PART=scale` runs one, PART=table prints what is known, QUICK=1 tries everything with fifty
samples. What was measured is kept in bench/.engine: after a stop the same command goes on where it was, until the
engine, the peers or this benchmark change. AFRESH=1 measures anew.

The server is a process of its own; all engines ask it in turns over 200 connections, ours with its store on the disk
and over as many as it opens by default, and beside that over 200.
CPU seconds are those of the engine's process. Wall times count on an idle machine only: `others` is the share of the
machine's processors that was busy just before.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from engine_table import AGAIN, AT_200, OURS, Figures, Job, Sizes, print_tables

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "bench" / ".engine"
PEER_PYTHON = ROOT / "bench" / ".venv-engine" / "bin" / "python"
PEERS = (
    "bare_aiohttp", "openai_on_aiohttp", "openai_sdk", "llmcomp", "latteries", "litellm", "reference", "inspect_ai",
)  # fmt: skip
PARTS = {
    "wire-0ms": (),
    "wire-50ms": ("--latency", "0.05"),
    "limit": ("--rate", "40"),
    "scale": (),
}
"""What the server of each part is started with."""
WHAT_COUNTS = (
    "mi/eval.py", "mi/evaluation/*.py", "mi/external/openai_driver/*.py", "mi/llm/*.py", "mi/utils/*.py",
    "bench/engine*", "tests/support/*.py",
)  # fmt: skip
"""Files whose change makes what was measured before another benchmark's."""
TIMEOUT = 1800.0


QUICK = Sizes(50, 500, 60, 1)


def jobs_of(part: str, sizes: Sizes, engines: tuple[str, ...]) -> list[Job]:
    """What a part measures, in this order: the engines take turns."""
    rounds = range(sizes.rounds)
    if part == "limit":
        return [Job(part, OURS, sizes.limited, number) for number in rounds]
    if part == "scale":
        small = [Job(part, OURS, sizes.samples, number) for number in rounds]
        again = [Job(part, AGAIN, sizes.large, number) for number in rounds]
        return [*small, Job(part, OURS, sizes.large, 0), *again]
    return [Job(part, name, sizes.samples, number) for number in rounds for name in (OURS, AT_200, *engines)]


def version() -> str:
    """A digest of the engine, of what the peers are pinned to, and of this benchmark."""
    content = hashlib.sha256()
    for path in sorted(path for pattern in WHAT_COUNTS for path in ROOT.glob(pattern) if path.is_file()):
        content.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return content.hexdigest()[:16]


class Kept:
    """The figures of this version, a JSON line each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.found: dict[Job, Figures] = {}
        for line in path.read_text("utf-8").splitlines() if path.exists() else ():
            record = json.loads(line)
            self.found[Job(*record["job"])] = record["figures"]

    def add(self, job: Job, figures: Figures) -> None:
        """Keep one more."""
        self.found[job] = figures
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"job": job, "figures": figures}) + "\n")


@contextlib.contextmanager
def server(*options: str) -> Iterator[str]:
    """The stand-in server's base URL while it runs."""
    program = [sys.executable, str(ROOT / "tests" / "support" / "standin.py"), *options]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def asked(url: str) -> int:
    """How many completions a server has been asked for."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/counts") as reply:
        return json.load(reply)["requests"]


def others(seconds: float = 0.5) -> float:
    """The share of the machine's processors that is busy while we only wait; NaN where the system does not say."""

    def times() -> tuple[int, int]:
        fields = [int(field) for field in Path("/proc/stat").read_text("utf-8").split("\n", 1)[0].split()[1:]]
        return sum(fields[:8]), fields[3] + fields[4]

    try:
        total_before, idle_before = times()
    except OSError:
        return float("nan")
    time.sleep(seconds)
    total, idle = times()
    return 1 - (idle - idle_before) / max(total - total_before, 1)


def run(job: Job, url: str) -> Figures | None:
    """The figures of one run of one engine; None, with its last words on standard error, where it fails."""
    kept = job.part == "scale" and job.n > 0
    home = KEPT / f"store-{job.n}" if kept else Path(tempfile.mkdtemp())
    if job.engine != AGAIN:
        shutil.rmtree(home, ignore_errors=True)
    if job.engine in (OURS, AT_200, AGAIN):
        most = ["200"] if job.engine == AT_200 else []
        program = [sys.executable, "bench/engine_ours.py", url, str(job.n), str(home), *most]
    else:
        program = [str(PEER_PYTHON), "bench/engine_peers.py", job.engine, url, str(job.n)]
    busy, before = others(), asked(url)
    try:
        result = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        print(f"{job.engine} failed: it had not ended after {TIMEOUT:.0f} s", file=sys.stderr)
        return None
    finally:
        if not kept:
            shutil.rmtree(home, ignore_errors=True)
    lines = [line for line in result.stdout.splitlines() if line.startswith('{"wall"')]
    if result.returncode or not lines:
        print(f"{job.engine} failed: {result.stderr.strip()[-500:]}", file=sys.stderr)
        return None
    return json.loads(lines[-1]) | {"requests": asked(url) - before, "others": busy}


def measure(part: str, jobs: list[Job], kept: Kept) -> None:
    """Measure what is missing of a part."""
    missing = [job for job in jobs if job not in kept.found]
    if any(job.engine == AGAIN and not (KEPT / f"store-{job.n}").exists() for job in missing):
        large = next(job for job in jobs if job.engine == OURS and job.n == missing[-1].n)
        missing = [large, *(job for job in missing if job != large)]
    if not missing:
        return
    print(f"{part}: {len(missing)} runs of {len(jobs)} to do", flush=True)
    with server(*PARTS[part]) as url:
        for job in missing:
            if (figures := run(job, url)) is not None:
                kept.add(job, figures)
                told = ", ".join(f"{name} {value:.2f}" for name, value in figures.items())
                print(f"  {job.engine:18}{job.n:>7} samples, round {job.round + 1}: {told}", flush=True)
    if all(job in kept.found for job in jobs):
        for job in jobs:
            shutil.rmtree(KEPT / f"store-{job.n}", ignore_errors=True)


def main() -> None:
    """Measure, then print all tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", nargs="?", default="all", choices=("all", *PARTS, "table"))
    parser.add_argument("--quick", action="store_true", help="everything once, with fifty samples")
    parser.add_argument("--afresh", action="store_true", help="forget what was measured of this part")
    parser.add_argument("--engines", nargs="*", default=PEERS, choices=PEERS, help="which peers; by default all")
    options = parser.parse_args()
    sizes = QUICK if options.quick else Sizes()
    parts = [part for part in PARTS if options.part in ("all", part)]
    kept = Kept(KEPT / f"{version()}.jsonl")
    print(f"{os.cpu_count()} processors; the figures are kept in {KEPT.relative_to(ROOT)}", flush=True)
    for part in parts:
        jobs = jobs_of(part, sizes, tuple(options.engines))
        if options.afresh:
            kept.found = {job: figures for job, figures in kept.found.items() if job not in jobs}
        measure(part, jobs, kept)
    every = {job for part in PARTS for job in jobs_of(part, sizes, PEERS)}
    print_tables({job: figures for job, figures in kept.found.items() if job in every}, sizes, options.quick)


if __name__ == "__main__":
    main()
