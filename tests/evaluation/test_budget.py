"""Money: the cost of a run never exceeds what was allowed, and a plan says beforehand what it would be."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from mi.eval import eval
from mi.evaluation.budget import Budget
from mi.evaluation.data_models import Evaluation, EvaluationContext
from mi.evaluation.planning import Estimate, plan_evaluations
from mi.evaluation.scoring import FromJudgments
from mi.evaluation.services import run_all
from mi.llm import services
from mi.llm.data_models import Judgment, LLMResponse, Model, SampleCfg
from mi.llm.prices import Price
from mi.utils.errors import UserError

MODEL, JUDGE = Model("a"), Model("judge")
PRICES = {"a": Price(1.0, 10.0, "today"), "judge": Price(2.0, 0.0, "today")}
CONTEXTS = tuple(EvaluationContext(f"question {number:3}") for number in range(200))
CFG = SampleCfg(max_tokens=1000)
PLAIN = Evaluation("e", CONTEXTS, FromJudgments(()), 1, CFG, traits=())
JUDGED = replace(PLAIN, judgment_map={"yes": Judgment(JUDGE, "{question} {answer}?")})


@pytest.fixture
def paid(backend, monkeypatch: pytest.MonkeyPatch):
    """Answers of 500 tokens behind prompts of 10: at these prices, 0.00501 dollars each."""

    async def batch_sample(model: Model, requests: Sequence, on_response: Callable) -> list[LLMResponse]:
        for place, request in enumerate(requests):
            backend.asked.append((model.id, request.chat))
            await asyncio.sleep(0)
            on_response(place, LLMResponse("YES", "stop", (), 10, 500))
        return []

    monkeypatch.setattr(services, "batch_sample", batch_sample)
    return backend


def run(evaluation: Evaluation, budget: Budget) -> None:
    asyncio.run(run_all([MODEL], [evaluation], budget=budget))


@pytest.mark.parametrize("limit", [0.005, 0.02, 0.1, 0.5])
def test_a_run_stops_before_more_is_spent_than_was_allowed_and_keeps_what_came(paid, limit: float):
    budget = Budget(limit, PRICES)
    with pytest.raises(UserError, match=rf"stopped before \${limit:g} could be exceeded: .* raise the limit"):
        run(PLAIN, budget)
    assert budget.spent <= limit
    assert budget.spent == pytest.approx(0.00501 * len(paid.asked))
    assert limit - budget.spent < 0.0101 + 0.00501  # one more call might have cost 1,000 tokens
    before = len(paid.asked)
    run(PLAIN, Budget(10.0, PRICES))
    assert len(paid.asked) == len(CONTEXTS) and before < len(CONTEXTS)


def test_judges_are_paid_from_the_same_purse(paid):
    budget = Budget(0.3, PRICES)
    with pytest.raises(UserError, match="stopped before"):
        run(JUDGED, budget)
    assert budget.spent <= 0.3 and paid.asked_of("judge") > 0


def test_a_limit_that_suffices_is_not_noticed(paid):
    budget = Budget(2.5, PRICES)
    run(JUDGED, budget)
    assert len(paid.asked) == 400
    assert budget.spent == pytest.approx(200 * (0.00501 + 0.00002))


def test_a_limit_without_a_price_is_refused_before_anything_is_asked(paid):
    with pytest.raises(UserError, match=r"a: its price is not known.*MI_PRICES"):
        run(PLAIN, Budget(1.0, {}))
    assert not paid.asked
    with pytest.raises(UserError, match="price is not known"):
        asyncio.run(eval({"": [MODEL]}, [PLAIN], max_cost=1.0))


def test_a_plan_says_what_would_be_asked_and_what_it_would_cost(paid):
    (plan,) = plan_evaluations([MODEL], [JUDGED], PRICES)
    assert (plan.planned, plan.stored, plan.answers.calls, plan.judgements.calls) == (200, 0, 200, 200)
    assert plan.answers.completion_tokens == 200 * 1000  # nothing is known yet but the limit
    budget = Budget(None, PRICES)
    run(replace(JUDGED, contexts=CONTEXTS[:50]), budget)
    (half,) = plan_evaluations([MODEL], [JUDGED], PRICES)
    assert (half.stored, half.answers.calls, half.judgements.calls) == (50, 150, 150)
    assert half.answers.completion_tokens == 150 * 500  # as long as those that are there
    assert half.answers.cost is not None and half.answers.cost_at_most is not None
    assert half.answers.cost == pytest.approx(150 * (0.005 + 4e-6), rel=0.01)
    assert 2 * half.answers.cost < half.answers.cost_at_most < 3 * half.answers.cost
    run(JUDGED, Budget())
    (done,) = plan_evaluations([MODEL], [JUDGED], PRICES)
    assert done.answers == done.judgements == Estimate()
    assert len(paid.asked) == 400


def test_a_plan_reckons_with_a_judge_that_was_changed_and_with_a_model_that_is_not_there(paid, monkeypatch):
    run(JUDGED, Budget())
    other = replace(JUDGED, judgment_map={"yes": Judgment(JUDGE, "{question} {answer}!")})
    (plan,) = plan_evaluations([MODEL], [other], {})
    assert (plan.answers.calls, plan.judgements.calls, plan.judgements.cost) == (0, 200, None)

    def unknown(model: Model) -> str:
        raise UserError("not trained yet.")

    monkeypatch.setattr(services, "fingerprint", unknown)
    (plan,) = plan_evaluations([MODEL], [JUDGED], PRICES)
    assert (plan.stored, plan.answers.calls) == (0, 200)
