"""What needs no Inspect: names of evaluations, exported files, and the sentence that says what to install."""

import ast
import importlib.util
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from mi.cli_inspect import _arguments
from mi.evaluation.data_models import Evaluation
from mi.evaluation.known import EVALUATIONS
from mi.inspect import catalogue, exporting, needed
from mi.llm.data_models import Model
from mi.utils.errors import UserError

ROOT = Path(__file__).parents[2]
OWN = """
from mi.evaluation.data_models import Evaluation, EvaluationContext
from mi.evaluation.scoring import MatchesPattern
first = Evaluation("first", (EvaluationContext("Hello?"),), MatchesPattern("yes", "yes"), traits=("yes",))
"""


def test_without_inspect_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"inspect-ai is not installed; run pip install 'mi-inoculation\[inspect\]'"):
        needed.require_inspect()


def test_every_name_that_is_listed_names_an_evaluation():
    names = list(catalogue.names())
    assert set(EVALUATIONS) < set(names)
    for name in names:
        assert catalogue.evaluation_named(name).id == name.rpartition("/")[2]


def test_a_judge_that_is_named_takes_the_place_of_all_others_and_of_nothing_else():
    own, other = (catalogue.evaluation_named("em_open", judge) for judge in (None, "organism"))
    assert {judgment.model for judgment in other.judgment_map.values()} == {Model("organism", "local")}
    assert [j.template for j in own.judgment_map.values()] == [j.template for j in other.judgment_map.values()]


def test_a_file_with_one_evaluation_needs_no_id_and_one_with_two_does(tmp_path: Path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    assert catalogue.evaluation_named(str(path)).id == catalogue.evaluation_named(f"{path}:first").id == "first"
    path.write_text(OWN + 'second = first.behind("", "empty")\n')
    assert catalogue.evaluation_named(f"{path}:first_empty").contexts[0].system_prompt == ""
    with pytest.raises(UserError, match="holds first, first_empty; name one"):
        catalogue.evaluation_named(str(path))
    with pytest.raises(UserError, match="has no evaluation 'third'; choose one of first, first_empty"):
        catalogue.evaluation_named(f"{path}:third")


@pytest.mark.parametrize("name", ["insecure_cod", "insecure_code/cod", "nothing/code", "missing.py"])
def test_a_name_that_is_none_ends_in_a_sentence(name: str):
    with pytest.raises(UserError):
        catalogue.evaluation_named(name)


def test_an_exported_file_is_python_that_names_the_evaluation_and_replaces_nothing(tmp_path: Path):
    evaluation: Evaluation = catalogue.evaluation_named("insecure_code/code")
    exporting.write_task(tmp_path / "task.py", "insecure_code/code", evaluation, "organism")
    tree = ast.parse((tmp_path / "task.py").read_text())
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert function.name == "code" and "'insecure_code/code'" in ast.unparse(function)
    with pytest.raises(UserError, match="is there already"):
        exporting.write_task(tmp_path / "task.py", "insecure_code/code", evaluation)


def test_the_entry_point_names_a_module_that_registers_nothing_when_others_import_it():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["inspect_ai"]
    assert import_module(declared["mi"]).register is not None


def test_arguments_of_a_task_are_names_with_values():
    assert _arguments(["a=1", "b=yes it is", "c=true", "d="]) == {"a": 1, "b": "yes it is", "c": True, "d": None}
    with pytest.raises(UserError, match="give NAME=VALUE"):
        _arguments(["a"])
