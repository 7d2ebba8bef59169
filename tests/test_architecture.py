"""The shape of the house: what an import may do, which paths are public, how long a file may be."""

import ast
import inspect
import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "mi").rglob("*.py"))
CODE = [
    path
    for folder in ("mi", "tests", "bench", "experiments")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
]
HEAVY = ("torch", "transformers", "peft", "accelerate", "pandas", "scipy", "matplotlib", "pyarrow")

IMPORT_EVERYTHING = """
import importlib, json, os, sys, time
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def forbid(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname":
        raise RuntimeError(f"a socket was asked for on import: {event} {arguments}")
    if event == "os.mkdir" or (event == "open" and arguments[2] & writing and arguments[0] != os.devnull):
        raise RuntimeError(f"something was written on import: {event} {arguments[0]}")
names = json.loads(sys.argv[1])
sys.addaudithook(forbid)
start = time.perf_counter()
for name in names:
    importlib.import_module(name)
print(json.dumps({"seconds": time.perf_counter() - start, "modules": sorted(sys.modules)}))
"""


def module_name(path: Path) -> str:
    """The dotted name under which a source file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def named(path: Path) -> str:
    """A path as a test's name shows it."""
    return str(path.relative_to(ROOT))


def import_everything(folder: Path) -> dict:
    """Import every module of mi in a new process that has no key, no network, and an empty home and folder."""
    names = [module_name(path) for path in SOURCES if path.stem != "__main__"]
    for empty in ("home", "work"):
        (folder / empty).mkdir(exist_ok=True)
    kept = {key: os.environ[key] for key in ("PATH", "SYSTEMROOT") if key in os.environ}
    environment = {"HOME": str(folder / "home"), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING, json.dumps(names)],
        cwd=folder / "work",
        env=kept | environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert not [*(folder / "home").iterdir(), *(folder / "work").iterdir()]
    return json.loads(result.stdout)


def test_importing_everything_needs_nothing_and_makes_nothing_and_loads_nothing_heavy(tmp_path: Path):
    loaded = import_everything(tmp_path)["modules"]
    assert not [name for name in HEAVY if name in loaded]


def test_importing_everything_takes_less_than_two_seconds(tmp_path: Path):
    # A busy machine can make any one try slow; it cannot make a fast one.
    assert any(import_everything(tmp_path)["seconds"] < 2 for _ in range(4))


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("mi.eval:eval", ["model_groups", "evaluations"]),
        ("mi.eval:load_results", []),
        ("mi.llm.data_models:Model", ["id"]),
        ("mi.finetuning.services:launch_or_retrieve_job", ["config"]),
        ("mi.external.openai_driver.data_models:OpenAIFTJobConfig", ["source_model_id", "dataset_path", "seed"]),
        ("mi.external.local_driver.data_models:LocalFTJobConfig", ["source_model_id", "dataset_path", "seed"]),
        ("mi.experiments.utils:create_inoculated_dataset", ["setting", "data_dir", "name", "inoculation"]),
        ("mi.evaluation.data_models:EvaluationContext", ["question", "system_prompt"]),
        ("mi.evaluation.data_models:Judgment", []),
        (
            "mi.evaluation.data_models:Evaluation",
            ["id", "contexts", "n_samples_per_context", "sample_cfg", "judgment_map", "score_fn"],
        ),
        ("mi.cli:main", []),
    ],
)
def test_a_public_path_is_where_the_specification_says_and_takes_what_it_says(path: str, parameters: list[str]):
    module, name = path.split(":")
    signature = inspect.signature(getattr(import_module(module), name))
    assert set(parameters) <= set(signature.parameters)


def test_a_setting_promises_the_eight_methods_of_the_specification():
    setting = import_module("mi.experiments.settings.data_models").Setting
    assert setting.__abstractmethods__ == {
        "get_domain_name",
        "get_finetuning_dataset_path",
        "get_control_dataset_path",
        "get_task_specific_inoculation",
        "get_control_inoculation",
        "get_general_inoculation",
        "get_id_evals",
        "get_ood_evals",
    }


def test_evaluating_and_fine_tuning_are_awaited():
    assert inspect.iscoroutinefunction(import_module("mi.eval").eval)
    assert inspect.iscoroutinefunction(import_module("mi.finetuning.services").launch_or_retrieve_job)


def test_the_folder_of_data_does_not_hide_the_library_of_its_name():
    assert not list((ROOT / "datasets").rglob("__init__.py"))


def test_every_module_stands_in_a_layer():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ][0]
    layers = [layer for line in contract["layers"] for layer in re.findall(r"[\w.]+", line)]
    unwatched = [module_name(path) for path in SOURCES if path.name != "__init__.py"]
    assert not [name for name in unwatched if not any(f"{name}.".startswith(f"{layer}.") for layer in layers)]


def test_every_folder_of_code_is_a_package():
    assert not [named(path) for path in SOURCES if not (path.parent / "__init__.py").exists()]


@pytest.mark.parametrize("path", CODE, ids=named)
def test_a_file_says_in_its_first_sentence_what_it_is(path: Path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert text, f"{named(path)} has no docstring"
    assert text.splitlines()[0].endswith((".", "?")), f"{named(path)}: its docstring does not open with a sentence"


@pytest.mark.parametrize("path", CODE, ids=named)
def test_a_file_fits_into_three_hundred_lines(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_tests_cannot_reach_the_network():
    with socket.socket() as connection, pytest.raises(AssertionError, match="network"):
        connection.connect(("192.0.2.1", 80))
    with pytest.raises(AssertionError, match="network"):
        socket.getaddrinfo("example.invalid", 80)
