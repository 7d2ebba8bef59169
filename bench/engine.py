"""How fast are evaluation engines, beside each other? N samples and one judge's call each against one local server.

`make bench-engine` sets up the peers in an environment of their own and runs this. The server is a process of its own;
all engines ask it in turns, several rounds, with no latency and with 50 ms, 200 connections each. Printed are medians,
and each engine's time over ours. CPU seconds are those of the engine's process: on a busy machine read these, for
others' load does not enter them. What is asked for is in engine_peers.py; ours keeps every answer on the disk.
"""

import argparse
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEER_PYTHON = ROOT / "bench" / ".venv-engine" / "bin" / "python"
OURS = "mi"
PEERS = (
    "bare_aiohttp", "openai_on_aiohttp", "openai_sdk", "llmcomp", "latteries", "litellm", "reference", "inspect_ai",
)  # fmt: skip
LATENCIES = (0.0, 0.05)
LIMIT, LIMITED_SAMPLES = 40, 500
Figures = dict[str, float]


@contextlib.contextmanager
def server(*options: str) -> Iterator[str]:
    """The stand-in server's base URL while it runs."""
    program = [sys.executable, str(ROOT / "tests" / "support" / "standin.py"), *options]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


def asked(url: str) -> int:
    """How many completions a server has been asked for."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/counts") as reply:
        return json.load(reply)["requests"]


def run(name: str, url: str, n: int, home: Path) -> Figures | None:
    """The figures of one run of one engine; None, with its last words on standard error, where it fails."""
    if name == OURS:
        program = [sys.executable, "bench/engine_ours.py", url, str(n), str(home)]
    else:
        program = [str(PEER_PYTHON), "bench/engine_peers.py", name, url, str(n)]
    before = asked(url)
    result = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)
    lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
    if result.returncode or not lines:
        print(f"{name} failed: {result.stderr[-500:]}", file=sys.stderr)
        return None
    return json.loads(lines[-1]) | {"requests": asked(url) - before}


def fresh_run(name: str, url: str, n: int) -> Figures | None:
    """As `run`, with an empty store."""
    home = Path(tempfile.mkdtemp())
    try:
        return run(name, url, n, home)
    finally:
        shutil.rmtree(home)


def side_by_side(names: tuple[str, ...], n: int, rounds: int) -> None:
    """All engines in turns; a line each with medians and with its time over ours."""
    for latency in LATENCIES:
        found: dict[str, list[Figures]] = {name: [] for name in names}
        with server("--latency", str(latency)) as url:
            for _ in range(rounds):
                for name in names:
                    if (figures := fresh_run(name, url, n)) is not None:
                        found[name].append(figures)
        print(f"\n{n} samples and {n} judgements, {latency * 1000:.0f} ms latency, medians of {rounds}")
        print(f"{'':18}{'wall s':>8}{'CPU s':>8}{'MB':>7}{'requests':>10}{'wall/ours':>11}{'CPU/ours':>10}")
        ours = {key: median(found[OURS], key) for key in ("wall", "cpu")}
        for name, runs in sorted(found.items(), key=lambda item: median(item[1], "cpu")):
            wall, cpu, mb, requests = (median(runs, key) for key in ("wall", "cpu", "mb", "requests"))
            ratios = f"{wall / ours['wall']:11.2f}{cpu / ours['cpu']:10.2f}"
            print(f"{name:18}{wall:8.2f}{cpu:8.2f}{mb:7.0f}{requests:10.0f}{ratios}", flush=True)


def median(runs: list[Figures], key: str) -> float:
    """The median of a figure; NaN where every run failed."""
    return statistics.median(figures[key] for figures in runs) if runs else float("nan")


def under_a_limit(rounds: int) -> None:
    """Ours against a server that allows LIMIT requests a second and refuses the others with Retry-After."""
    calls = 2 * LIMITED_SAMPLES
    ideal = (calls - LIMIT) / LIMIT
    for _ in range(rounds):
        with server("--rate", str(LIMIT)) as url:
            figures = fresh_run(OURS, url, LIMITED_SAMPLES)
        assert figures is not None
        print(
            f"\n{calls} calls at {LIMIT} a second (429 with Retry-After): {figures['wall']:.1f} s, "
            f"{figures['wall'] / ideal:.3f} of the ideal {ideal:.0f} s; {figures['requests']:.0f} requests",
            flush=True,
        )


def at_scale(small: int, large: int) -> None:
    """Ours: memory and cost a sample at both sizes, and the second run of the large one, which asks for nothing."""
    home = Path(tempfile.mkdtemp())
    try:
        with server() as url:
            few, many = run(OURS, url, small, home / "small"), run(OURS, url, large, home / "large")
            again = run(OURS, url, large, home / "large")
    finally:
        shutil.rmtree(home)
    assert few is not None and many is not None and again is not None
    print(f"\n{small} samples: peak {few['mb']:.0f} MB; {large} samples: peak {many['mb']:.0f} MB")
    for key in ("wall", "cpu"):
        ratio = many[key] / large / (few[key] / small)
        print(f"cost a sample at {large} over that at {small}, {key}: {ratio:.2f}")
    print(
        f"{large} samples and judgements again: {again['wall']:.2f} s wall, {again['cpu']:.2f} s CPU, "
        f"{again['requests']:.0f} requests, peak {again['mb']:.0f} MB",
        flush=True,
    )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--large", type=int, default=100_000, help="samples of the large run; 0 for none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limited", type=int, default=1, help="runs against the server that limits; 0 for none")
    parser.add_argument("--engines", nargs="*", default=PEERS, choices=PEERS, help="which peers; by default all")
    options = parser.parse_args()
    if options.large:
        at_scale(options.samples, options.large)
    under_a_limit(options.limited)
    if options.rounds:
        side_by_side((OURS, *options.engines), options.samples, options.rounds)


if __name__ == "__main__":
    main()
