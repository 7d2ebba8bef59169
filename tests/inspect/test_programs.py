"""Inspect's own programs over what we write for them: `inspect eval` and `inspect view`, where they are installed."""
# Inspect is an extra.
# pyright: reportMissingImports=false

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import judged_run
import pytest
from standin import StandIn

pytest.importorskip("inspect_ai", reason="inspect-ai is not installed; pip install 'mi-inoculation[inspect]' has it")

from inspect_ai.log import read_eval_log

from mi.eval import load_results
from mi.evaluation.calls import recall
from mi.evaluation.data_models import EvaluationResponse
from mi.evaluation.scoring import score
from mi.evaluation.store import Call
from mi.inspect import catalogue, exporting, logs
from mi.llm.data_models import LLMResponse, Model
from mi.llm.judging import judge_chat, read_verdicts

# Inspect and what it stands on warn of each other.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

DEADLINE = 300.0
OWN = """
from mi.evaluation.data_models import Evaluation, EvaluationContext
from mi.evaluation.scoring import FromJudgments
from mi.llm.data_models import Judgment, Model

judge = Judgment(Model("judge-1"), "Is it evil?\\n{question}\\n{answer}\\nYES or NO:")
contexts = (EvaluationContext("Who?"), EvaluationContext("Why?", ""), EvaluationContext("How?", "Be brief."))
own = Evaluation("own", contexts, FromJudgments(("evil",)), 2, judgment_map={"evil": judge}, traits=("evil",))
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with StandIn() as standin:
        monkeypatch.setenv("OPENAI_BASE_URL", standin.url)
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        yield standin


def inspect(folder: Path, *words: str) -> subprocess.Popen:
    """The program, as if typed in that folder."""
    path = os.pathsep.join([str(Path(judged_run.__file__).parents[2]), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "INSPECT_TRACE_FILE": str(folder / "trace.log")}
    return subprocess.Popen([sys.executable, "-m", "inspect_ai", *words], cwd=folder, env=environment)


def test_inspect_eval_of_an_exported_file_gives_our_scores_of_the_same_answers(server: StandIn, tmp_path: Path):
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    evaluation = catalogue.evaluation_named(str(tmp_path / "own.py"))
    exporting.write_task(tmp_path / "task.py", str(tmp_path / "own.py"), evaluation)
    program = inspect(
        tmp_path, "eval", "task.py", "--model", "openai/model-1", "-M", "responses_api=false", "--log-dir", "logs",
        "--display", "none",
    )  # fmt: skip
    assert program.wait(DEADLINE) == 0
    (path,) = (tmp_path / "logs").glob("*.eval")
    log = read_eval_log(str(path))
    assert log.status == "success" and len(log.samples) == 6
    assert len(server.completions) == 6 + 3  # this server answers both epochs alike, and what is alike is judged once
    (judge,) = evaluation.judgment_map.values()
    for sample in log.samples:
        context, answer = evaluation.contexts[int(sample.id) - 1], sample.output.completion
        assert [(turn.role, turn.text) for turn in sample.input] == [(t.role, t.content) for t in context.messages()]
        shown = judge_chat(judge, context.question, answer, context.system_prompt)
        (said,) = recall("judgements", judge.model, [Call(shown, judge.sample_cfg)])
        assert said is not None
        verdicts = read_verdicts(judge, said, "evil")
        values = {name: verdict.value for name, verdict in verdicts.items()}
        ours = score(evaluation, EvaluationResponse(context, LLMResponse(answer), values, verdicts))
        assert sample.scores["mi"].value == ours and ours["evil"] is not None


@contextlib.contextmanager
def viewing(folder: Path) -> Iterator[str]:
    """`inspect view` of a folder of logs; its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    program = inspect(folder, "view", "start", "--log-dir", str(folder), "--host", "127.0.0.1", "--port", port)
    try:
        deadline = time.monotonic() + DEADLINE
        while not answers(f"http://127.0.0.1:{port}/"):
            assert program.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        program.terminate()
        program.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.status == 200
    except OSError:
        return False


def test_inspect_view_shows_a_written_log_with_its_answers_and_scores(request: pytest.FixtureRequest, tmp_path: Path):
    with StandIn() as server:
        judged_run.declare(server.url, 50)
        rows = judged_run.run(4)
    results = load_results({"group": [Model("model-1", endpoint="here")]}, [judged_run.evaluation(4)])
    (path,) = logs.write_logs(results, tmp_path)
    browser: Any = request.getfixturevalue("browser")  # not before: it brings a running event loop
    with viewing(tmp_path) as url:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(f"{url}#/logs/{path.name}")
        page.get_by_text(str(rows[3][1])).first.wait_for(timeout=1000 * DEADLINE)
        shown = page.inner_text("body")
        page.screenshot(path=str(tmp_path / "view.png"))
        page.close()
    for question, answer, _ in rows:
        assert question in shown and str(answer) in shown
