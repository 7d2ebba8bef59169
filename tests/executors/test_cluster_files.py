"""The files that begin clusters: they parse, and each `mi` command in them is one that its own parser takes."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from mi.cli import app

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "cluster"
PINNED = dict(
    line.split("==") for line in (FOLDER.parents[1] / "constraints.txt").read_text().splitlines() if "==" in line
)


def commands_in(text: str) -> list[list[str]]:
    """The words of each line that runs `mi`, variables in them replaced by 1."""
    lines = re.findall(r"(?:^|[\s&])(mi (?:run|archive) .*)$", text.replace("\\\n", " "), re.M)
    return [shlex.split(re.sub(r'"?\$(@|\w+|\{[^}]*\})"?', "1", line)) for line in lines]


@pytest.mark.parametrize("name", ["slurm.sh", "skypilot.yaml"])
def test_what_a_file_runs_is_a_command_that_exists(name):
    found = commands_in((FOLDER / name).read_text())
    assert found
    for _, verb, *rest in found:
        command: Any = get_command(app)
        command.commands[verb].make_context(verb, rest)


def test_the_script_for_slurm_is_a_script():
    subprocess.run(["bash", "-n", str(FOLDER / "slurm.sh")], check=True)


def test_the_script_for_skypilot_is_a_script():
    file = yaml.safe_load((FOLDER / "skypilot.yaml").read_text())
    for part in ("setup", "run"):
        subprocess.run(["bash", "-n"], input=file[part], text=True, check=True)


def test_all_files_name_the_ray_that_is_pinned():
    cluster = yaml.safe_load((FOLDER / "kuberay.yaml").read_text())
    assert cluster["spec"]["rayVersion"] == PINNED["ray"]
    assert f"rayproject/ray:{PINNED['ray']}-" in (FOLDER / "Dockerfile").read_text()
