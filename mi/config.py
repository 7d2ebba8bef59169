"""Where data, results and jobs live. Nothing is made or read on import."""

import os
from pathlib import Path


def home() -> Path:
    """The folder that holds `datasets/`, `results/` and `jobs/`: MI_HOME, or the folder one works in."""
    return Path(os.environ.get("MI_HOME") or Path.cwd())


def datasets_dir() -> Path:
    """Training files."""
    return home() / "datasets"


def results_dir() -> Path:
    """Answers, tables and figures."""
    return home() / "results"


def jobs_dir() -> Path:
    """One folder a fine-tuning job, named by the hash of its content."""
    return home() / "jobs"
