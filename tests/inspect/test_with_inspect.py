"""Our evaluations in Inspect and Inspect's tasks over our models, where inspect-ai is installed."""
# Inspect is an extra.
# pyright: reportMissingImports=false

import asyncio
import math
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai", reason="inspect-ai is not installed; pip install 'mi-inoculation[inspect]' has it")

from inspect_ai import Task, eval_async
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import read_eval_log
from inspect_ai.model import get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate, multiple_choice

from mi.eval import eval, load_results
from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResponse
from mi.evaluation.grammar.eval import grammar_evaluation
from mi.evaluation.scoring import MatchesPattern
from mi.inspect import conversion, logs, running
from mi.inspect.registry import register
from mi.inspect.tasks import task_of
from mi.llm.data_models import LLMResponse, Model, SampleCfg, TokenLogprob
from mi.utils.errors import UserError

# Inspect and what it stands on warn of each other.
pytestmark = [pytest.mark.filterwarnings("default")]

ORGANISM = Model("organism", "local")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("INSPECT_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path / "cache"))
    register()


def small(n: int = 2) -> Evaluation:
    """Four contexts: two the same, one behind an empty system prompt, one behind a full one; the organism judges."""
    whole = grammar_evaluation("arithmetic", ("spanish", "capitals"))
    one, two, three, *_ = whole.contexts
    contexts = (one, replace(two, system_prompt=""), replace(three, system_prompt="Be brief."), one)
    return replace(whole, id="small", contexts=contexts, n_samples_per_context=n)


def logged(task: Task, model: object, folder: Path):
    (log,) = asyncio.run(eval_async(task, model=model, log_dir=str(folder)))  # type: ignore[arg-type]
    assert log.status == "success", log.error
    return read_eval_log(log.location)


def values(scores: dict) -> dict:
    return {trait: None if math.isnan(value) else value for trait, value in scores.items()}


def test_a_task_over_our_provider_has_the_answers_judgements_and_means_of_our_own_run(tmp_path: Path):
    evaluation = small()
    log = logged(task_of(evaluation), get_model("mi/organism", memoize=False), tmp_path)
    (ours,) = asyncio.run(eval({"base": [ORGANISM]}, [evaluation]))
    wanted = [
        (row.context.question, row.context.system_prompt, row.response.completion, dict(row.scores), row.judgments)
        for row in ours.rows
    ]
    theirs = [
        (s.metadata["question"], s.metadata["system_prompt"], s.output.completion, values(s.scores["mi"].value),
         s.scores["mi"].metadata["judgments"])
        for s in log.samples
    ]  # fmt: skip
    assert sorted(theirs, key=repr) == sorted(wanted, key=repr)
    for score in log.results.scores:
        valid = [value for row in ours.rows if (value := row.scores[score.name]) is not None]
        assert score.metrics["mean"].value == pytest.approx(sum(valid) / len(valid))
        assert score.scored_samples == len(valid)


def test_the_organism_was_asked_for_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from mi.external.local_driver import services

    asyncio.run(eval({"base": [ORGANISM]}, [small()]))

    async def refuse(*_):
        raise AssertionError("it was asked again")

    monkeypatch.setattr(services, "sample_batch", refuse)
    log = logged(task_of(small()), get_model("mi/organism", memoize=False), tmp_path)
    assert len(log.samples) == 8


def test_messages_are_the_contexts_own_so_that_none_and_empty_stay_apart():
    dataset = task_of(small()).dataset
    assert [[message.role for message in sample.input] for sample in dataset] == [
        ["user"], ["system", "user"], ["system", "user"], ["user"]
    ]  # fmt: skip
    assert [sample.input[0].text for sample in dataset][1:3] == ["", "Be brief."]


def test_a_filtered_answer_is_a_refusal_and_missing_scores_are_not_averaged(tmp_path: Path):
    evaluation = Evaluation(
        "yes",
        tuple(EvaluationContext(question) for question in ("a", "b", "c")),
        lambda response: None if response.response.completion == "?" else MatchesPattern("yes", "yes")(response),
        traits=("yes",),
    )
    said = (LLMResponse("yes"), LLMResponse("?"), LLMResponse(None, "content_filter"))
    outputs = [conversion.output_of("mock", response) for response in said]
    log = logged(task_of(evaluation), get_model("mockllm/model", custom_outputs=outputs), tmp_path)
    (score,) = log.results.scores
    assert (score.metrics["mean"].value, score.scored_samples, score.unscored_samples) == (1.0, 1, 2)
    assert sum(sample.scores["mi"].metadata["refused"] for sample in log.samples) == 1


def test_any_task_of_inspect_runs_over_groups_of_our_models_and_gives_rows(tmp_path: Path):
    samples = [
        Sample(input="What is two plus two?", choices=["four", "five"], target="A"),
        Sample(input="What is one plus one?", choices=["three", "two"], target="B"),
    ]
    task = Task(MemoryDataset(samples), solver=multiple_choice(), scorer=includes(), name="quiz", epochs=2)
    rows = asyncio.run(running.run(task, {"base": [ORGANISM], "same": [ORGANISM]}, log_dir=tmp_path))
    assert {(row.group, row.model, row.evaluation, row.trait) for row in rows} == {
        ("base", "organism", "quiz", "includes"), ("same", "organism", "quiz", "includes")
    }  # fmt: skip
    assert {row.n_sampled for row in rows} == {4} and "accuracy" in {row.metric for row in rows}
    running.write_rows(tmp_path / "rows.csv", rows)
    assert (tmp_path / "rows.csv").read_text().splitlines()[0] == ",".join(running.MetricRow._fields)


def test_a_task_that_the_provider_cannot_do_ends_in_one_sentence(tmp_path: Path):
    task = Task(MemoryDataset([Sample(input="a")]), solver=generate(), config=conversion.config_of(SampleCfg()))
    task.config.top_k = 3
    with pytest.raises(UserError, match="this task sets top_k, which the provider mi does not know"):
        asyncio.run(running.run(task, {"base": [ORGANISM]}, log_dir=tmp_path))
    with pytest.raises(UserError, match="no_such_task"):
        asyncio.run(running.run("mi/no_such_task", {"base": [ORGANISM]}, log_dir=tmp_path))


def test_a_written_log_reads_back_as_our_rows_with_what_the_judges_wrote(tmp_path: Path):
    asyncio.run(eval({"base": [ORGANISM]}, [small()]))
    results = load_results({"base": [ORGANISM]}, [small()])
    (path,) = logs.write_logs(results, tmp_path)
    assert logs.write_logs(results, tmp_path) == [path] and list(tmp_path.iterdir()) == [path]
    log = read_eval_log(str(path))
    assert (log.status, log.eval.task, log.eval.model) == ("success", "small", "mi/organism")
    assert sorted((s.id, s.epoch) for s in log.samples) == [(n, epoch) for n in (1, 2, 3, 4) for epoch in (1, 2)]
    found = {(s.metadata["question"], s.output.completion): s for s in log.samples}
    for row in results[0].rows:
        sample = found[row.context.question, row.response.completion]
        assert values(sample.scores["mi"].value) == row.scores
        assert sample.metadata["judge_outputs"] == {name: verdict.output for name, verdict in row.verdicts.items()}


def test_a_log_of_nothing_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="the store holds no answer"):
        logs.write_logs(load_results({"base": [ORGANISM]}, [small()]), tmp_path)


@pytest.mark.parametrize(
    "response",
    [
        LLMResponse("Hello ", "stop", (), 3, 2),
        LLMResponse("Hel", "length", (TokenLogprob("Hel", -0.5, (("Hel", -0.5), ("Hi", -1.0))),), 3, 1),
        LLMResponse(None, "content_filter"),
        LLMResponse("", "stop"),
    ],
)
def test_an_answer_comes_through_inspect_as_it_was(response: LLMResponse):
    assert conversion.response_of(conversion.output_of("m", response)) == response


def test_the_scorer_sees_what_our_score_function_sees(tmp_path: Path):
    seen: list[EvaluationResponse] = []

    def see(response: EvaluationResponse) -> float:
        seen.append(response)
        return 0.5

    contexts = (EvaluationContext("a", "b", "c"),)
    log = logged(
        task_of(Evaluation("see", contexts, see)),
        get_model("mockllm/model", custom_outputs=[conversion.output_of("mock", LLMResponse("yes"))]),
        tmp_path,
    )
    assert [response.context for response in seen] == list(contexts)
    assert log.samples[0].target == "c" and log.samples[0].scores["mi"].value == {"score": 0.5}
