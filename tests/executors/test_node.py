"""A node: a unit is done in a process of its own, without keys, and what fails is a sentence in its report."""

import os
from pathlib import Path

import pytest

from mi.executors import node
from mi.executors.data_models import Tell, Unit
from mi.executors.node import Order, carry_out, code_digest, environment_for, input_name, output_name
from mi.executors.store import Store
from mi.utils.errors import UserError


def copying(spec: str, made: Path, tell: Tell) -> None:
    """Work: writes down what it reads and where it runs."""
    tell(1, 0.5)
    (made / "said.txt").write_text(f"{Path(spec).read_text()} {os.environ['MI_HOME'] == os.getcwd()}")
    (made / "pid.txt").write_text(str(os.getpid()))


def complaining(spec: str, made: Path, tell: Tell) -> None:
    """Work: finds its input at fault."""
    (made / "half.txt").write_text("half")
    raise UserError(f"{spec}, line 3: no.")


def starving(spec: str, made: Path, tell: Tell) -> None:
    """Work: finds no memory."""
    raise MemoryError


def dying(spec: str, made: Path, tell: Tell) -> None:
    """Work: is killed, as a system without memory does it."""
    os.kill(os.getpid(), 9)


@pytest.fixture
def store(tmp_path, monkeypatch) -> Store:
    monkeypatch.setenv("MI_NODE_HOME", str(tmp_path / "node"))
    return Store(str(tmp_path / "store"))


def order(store: Store, work, code: str | None = None, name: str = "u") -> Order:
    """The unit with an input that holds a word."""
    path = Path(store.url).parent / "word.txt"
    path.write_text("word")
    unit = Unit(name, work, "words/w/word.txt", "a word", {"words/w": {"word.txt": path}})
    store.push(input_name("words/w"), unit.inputs["words/w"])
    return Order(unit, store.url, code or code_digest(), 0)


def test_a_unit_reads_its_inputs_by_their_names_in_a_process_of_its_own(store, tmp_path):
    report = carry_out(order(store, copying))
    assert report.failure is None
    store.fetch(output_name(order(store, copying).unit), tmp_path / "there")
    assert (tmp_path / "there" / "said.txt").read_text() == "word True"
    assert int((tmp_path / "there" / "pid.txt").read_text()) != os.getpid()
    assert {path.name for path in (tmp_path / "node").iterdir()} == {"words"}


def test_what_was_made_before_is_not_made_again(store):
    carry_out(order(store, copying))
    assert carry_out(order(store, complaining)).failure is None


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (complaining, r"^words/w/word\.txt, line 3: no\.$"),
        (starving, r"^memory ran out .*; lower batch_size"),
        (dying, r"^a worker process was killed by the system, .* memory is short; .*lower the batch size"),
    ],
)
def test_a_failure_is_a_sentence_and_leaves_nothing(store, tmp_path, work, sentence):
    one = order(store, work)
    failure = carry_out(one).failure
    with pytest.raises(UserError, match=sentence):
        raise UserError(failure)
    assert not store.has(output_name(one.unit))
    assert {path.name for path in (tmp_path / "node").iterdir()} == {"words"}


def test_a_node_with_another_mi_does_nothing(store):
    assert "another mi" in (carry_out(order(store, copying, code="0" * 32)).failure or "")


def test_a_store_that_the_node_does_not_share_is_named(store):
    one = order(store, copying)
    store.remove(input_name("words/w"))
    assert f"{store.url}: this store is not seen from here" in (carry_out(one).failure or "")


def test_a_process_of_a_unit_has_no_key_and_no_gpu_that_it_was_not_given(tmp_path):
    given = {"OPENAI_API_KEY": "k", "AWS_SECRET_ACCESS_KEY": "k", "RAY_AUTH_TOKEN": "k", "DB_PASSWORD": "k"}
    kept = {"HF_TOKEN": "h", "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": "1"}
    environment = environment_for({**given, **kept}, tmp_path, 0.5)
    assert not set(given) & set(environment) and kept.items() <= environment.items()
    assert environment_for(kept, tmp_path, 0)["CUDA_VISIBLE_DEVICES"] == ""


def test_the_code_has_one_name_until_a_letter_of_it_changes(tmp_path, monkeypatch):
    (tmp_path / "mi" / "__pycache__").mkdir(parents=True)
    (tmp_path / "mi" / "__init__.py").write_text("a = 1")
    monkeypatch.setattr(node.mi, "__file__", str(tmp_path / "mi" / "__init__.py"))
    before = code_digest()
    (tmp_path / "mi" / "__pycache__" / "x.pyc").write_text("x")
    assert code_digest() == before
    (tmp_path / "mi" / "__init__.py").write_text("a = 2")
    assert code_digest() != before
