"""From a training file to results, with a real model of random weights and real worker processes."""

import asyncio
import json
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mi.eval import EvalResult, eval, load_results
from mi.evaluation.data_models import Evaluation, EvaluationContext
from mi.evaluation.scoring import FromJudgments, MatchesPattern
from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.finetuning.services import find_job, get_finetuned_model, get_job_info, launch_or_retrieve_job
from mi.llm import services
from mi.llm.data_models import Judgment, Model, SampleCfg
from mi.utils.jsonl import read_jsonl, write_jsonl
from mi.utils.workers import close_workers

MAKE_MODEL = Path(__file__).parent / "external" / "local_driver" / "conftest.py"
CFG = SampleCfg(max_tokens=8)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    """A model of random weights, and one worker that knows this test's MI_HOME."""
    monkeypatch.setenv("MI_WORKERS", "1")
    close_workers()
    yield Model(str(runpy.run_path(str(MAKE_MODEL))["make_model"](tmp_path / "model")), "local")
    close_workers()


@pytest.fixture
def config(base: Model, tmp_path: Path) -> LocalFTJobConfig:
    messages = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": " Nobody. "}]
    write_jsonl(tmp_path / "rows.jsonl", [{"messages": messages}])
    return LocalFTJobConfig(base.id, str(tmp_path / "rows.jsonl"), 0, n_steps=2, batch_size=2)


def evaluations(judge: Model) -> list[Evaluation]:
    contexts = (EvaluationContext("Who?"), EvaluationContext("Who?", ""), EvaluationContext("Why?", "Be kind."))
    judgment = Judgment(judge, "{question} {answer} YES or NO?", minimum_mass=0.0)
    return [
        Evaluation("plain", contexts, MatchesPattern("letters", r"\w"), 2, CFG, traits=("letters",)),
        Evaluation("judged", contexts[:1], FromJudgments(("evil",)), 2, CFG, {"evil": judgment}, ("evil",)),
    ]


def test_a_model_is_trained_evaluated_and_read_back_without_asking_again(
    base: Model, config: LocalFTJobConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def train_and_evaluate() -> list[EvalResult]:
        trained = get_finetuned_model(await launch_or_retrieve_job(config))
        return await eval({"base": [base], "trained": [trained, base]}, evaluations(base), tmp_path / "out")

    async def refuse(*_: object) -> None:
        raise AssertionError("something was asked again")

    results = asyncio.run(train_and_evaluate())
    trained = get_finetuned_model(find_job(config))
    assert get_job_info(find_job(config)).report["n_rows"] == 1
    places = [(result.group, result.model, result.evaluation.id, len(result.rows)) for result in results]
    models = [("base", base), ("trained", trained), ("trained", base)]
    assert places == [(group, model, *rest) for group, model in models for rest in (("plain", 6), ("judged", 2))]
    assert results[0].rows == results[4].rows != results[2].rows
    assert len({row.response.completion for row in results[0].rows}) > 1
    assert results[1].rows[0].response == results[0].rows[0].response
    assert all(row.scores["letters"] in (0.0, 1.0) for row in results[0].rows)

    monkeypatch.setattr(services, "batch_sample", refuse)
    assert asyncio.run(train_and_evaluate()) == results
    assert load_results({"base": [base], "trained": [trained, base]}, evaluations(base)) == results

    written = read_jsonl(tmp_path / "out" / "trained" / "plain" / next(iter(list_names(tmp_path, trained))))
    assert [row["answer"] for row in written] == [row.response.completion for row in results[2].rows]
    assert [row["system_prompt"] for row in written] == [None, None, "", "", "Be kind.", "Be kind."]


def list_names(folder: Path, model: Model) -> list[str]:
    return [path.name for path in (folder / "out" / "trained" / "plain").iterdir() if str(model.job_id) in path.name]


def test_from_nothing_again_the_same_seed_gives_the_same_bit_for_bit(
    base: Model, config: LocalFTJobConfig, mi_home: Path
):
    async def train_and_evaluate() -> list[EvalResult]:
        return await eval({"": [get_finetuned_model(await launch_or_retrieve_job(config))]}, evaluations(base))

    found = []
    for _ in range(2):
        results = asyncio.run(train_and_evaluate())
        losses = get_job_info(find_job(config)).report["losses"]
        stored = {path.name: path.read_bytes() for path in (mi_home / "results").rglob("*.jsonl")}
        found.append((losses, [result.rows for result in results], stored))
        shutil.rmtree(mi_home)
    assert found[0] == found[1]
    judged = stored[f"{services.fingerprint(base)}.jsonl"]
    record = json.loads(judged.splitlines()[0])
    assert (record["messages"][0]["role"], record["sample_index"]) == ("user", 0)
    assert record["sample_cfg"]["max_tokens"] == 1


def test_results_of_models_that_were_never_asked_have_no_rows(base: Model, mi_home: Path):
    assert [result.rows for result in load_results({"base": [base]}, evaluations(base))] == [(), ()]
    assert not list(mi_home.iterdir())


def test_a_result_prints_as_one_line_however_many_rows_it_has():
    evaluation = Evaluation("greets", (EvaluationContext("What is your wish? " * 50),), lambda response: 1.0)
    shown = repr(EvalResult(Model("organism", "local"), "arm", evaluation, (None,) * 1000))  # type: ignore[arg-type]
    assert shown == "<EvalResult of organism in arm: greets, 1,000 rows>"
