"""What a person sees of an evaluation."""

import asyncio
import io

import pytest
from rich.console import Console

from mi.eval import eval
from mi.evaluation.budget import Budget
from mi.evaluation.cells import Cell
from mi.evaluation.data_models import Evaluation, EvaluationContext
from mi.evaluation.planning import plan_evaluations
from mi.evaluation.scoring import FromJudgments
from mi.evaluation.show import Lines, closing_table, planned_table, progress_table, results_table
from mi.llm.data_models import Judgment, LLMResponse, Model
from mi.llm.prices import Price
from mi.llm.traffic import retried

REFUSED = "What must not be said?"
JUDGE = Judgment(Model("judge", "local"), "{question} {answer}?")
CONTEXTS = (EvaluationContext("q"), EvaluationContext("r"), EvaluationContext(REFUSED))
EVALUATION = Evaluation("greets", CONTEXTS, FromJudgments(("yes",)), judgment_map={"yes": JUDGE}, traits=("yes",))


def printed(table: object) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def cells_of(line: str) -> list[str]:
    return [cell for cell in line.split("  ") if cell.strip()]


def test_a_line_says_how_far_how_fast_how_dear():
    cell = Cell(Model("gpt-x"), EVALUATION, Budget(None, {"gpt-x": Price(1.0, 100.0, "now")}))
    cell.in_flight = 2
    cell.answer(LLMResponse("a", "stop", (), 1000, 500), fresh=True, paid=True)
    cell.judge(LLMResponse("YES", "stop", (), 100, 1), Model("judge", "local"), fresh=True)
    retried("gpt-x")
    line = printed(progress_table([cell])).splitlines()[2].split()
    assert line[:5] == ["gpt-x", "·", "greets", "1/3", "1"]
    assert line[6:11] == ["0", "1/1", "1", "1,601", "$0.05"]


def test_what_has_no_price_is_not_shown_as_free():
    cell = Cell(Model("gpt-x"), EVALUATION, Budget(None, {}))
    cell.answer(LLMResponse("a", "stop", (), 1000, 500), fresh=True, paid=True)
    assert printed(closing_table([cell])).rstrip().endswith("$0.00 + ?")


def test_the_time_left_reckons_with_the_judges_and_not_with_what_was_there():
    cell = Cell(Model("a", "local"), EVALUATION, Budget())
    cell.answer(LLMResponse("a"), fresh=False, paid=False)
    cell.judge(LLMResponse("YES"), JUDGE.model, fresh=False)
    assert cell.seconds_left(10) is None
    cell.answer(LLMResponse("a"), fresh=True, paid=True)
    assert cell.seconds_left(10) == 30  # its verdict, another answer, and that one's verdict


def test_the_closing_table_counts_what_was_planned_sampled_stored_refused_and_judged(backend):
    terminal = Console(file=io.StringIO(), width=160, force_terminal=True)
    asyncio.run(eval({"g": [Model("a", "local")]}, [EVALUATION], watch=Lines(terminal)))
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert shown.rstrip().splitlines()[-1].split()[:9] == ["a", "·", "greets", "3", "3", "0", "1", "2", "2"]
    again = Console(file=io.StringIO(), width=160, force_terminal=True)
    results = asyncio.run(eval({"g": [Model("a", "local")]}, [EVALUATION], watch=Lines(again)))
    assert not again.file.getvalue()  # type: ignore[attr-defined]
    row = printed(results_table(results)).splitlines()[2].split()
    assert row == ["g:", "a", "·", "greets", "yes", "3", "3", "1", "2", "0.800"]


def test_a_plan_is_a_row_for_each_model_and_evaluation(backend):
    priced = plan_evaluations([Model("gpt-x")], [EVALUATION], {"gpt-x": Price(1.0, 100.0, "now")})
    unpriced = plan_evaluations([Model("gpt-y")], [EVALUATION], {})
    lines = [line.split() for line in printed(planned_table([*priced, *unpriced])).splitlines()[2:]]
    assert [line[3:7] for line in lines] == [["3", "0", "3", "3"]] * 2
    assert lines[0][-2:] == ["$0.15", "$0.15"] and lines[1][-2:] == ["?", "?"]


def test_nothing_is_shown_where_there_is_no_terminal(backend, capsys: pytest.CaptureFixture):
    asyncio.run(eval({"g": [Model("a", "local")]}, [EVALUATION]))
    assert capsys.readouterr() == ("", "")


def test_more_lines_than_fit_are_counted():
    cells = [Cell(Model(f"m{number}", "local"), EVALUATION, Budget()) for number in range(40)]
    assert "and 16 more" in printed(progress_table(cells))
    assert len(printed(closing_table(cells)).splitlines()) == 42
