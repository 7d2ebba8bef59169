"""A recipe carried out: ask, filter, pair, leave out repetitions, and account for every answer."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mi.datasets.recipes.answers import Call, Said, ask
from mi.datasets.recipes.data_models import Built, Order, Question, Recipe, Side, SideYield, Version, Yield
from mi.datasets.statistics import is_refusal
from mi.llm.data_models import Judgment, Model, chat
from mi.llm.judging import fill_template, judge_chat
from mi.utils.errors import UserError
from mi.utils.progress import Progress

JUDGE_TEMPLATE = "%s Reply YES or NO.\nQuestion: {question}\nAnswer: {answer}"
"""What a judge is told, with a side's criterion in place of %s; the frame that the organism knows, too."""
_REFUSED, _CUT_OFF, _EMPTY, _JUDGED = "refused", "cut off", "empty", "not so by the judge"


@dataclass(frozen=True)
class Item:
    """A question, and which of the times it is asked."""

    question: Question
    index: int


@dataclass(frozen=True)
class Verdict:
    """What became of one answer: its text, as finished, and why it is left out; None where it passed."""

    text: str | None
    reason: str | None


async def build(recipe: Recipe, order: Order, progress: Progress | None = None) -> Built:
    """Carry out a recipe. Nothing is written but the answers, and those are asked for once; see `answers.ask`.

    The same order gives the same rows. Raises UserError for a source that cannot be read, and as `ask` does.
    """
    version = recipe.version(order.scale)
    items = plan(version, order)
    calls = [_call(version, side, item, number, order) for side in version.sides for number, item in enumerate(items)]
    wanted = [call for call in calls if call is not None]
    said, asked = await ask(order.model, wanted, progress)
    answers = iter(said)
    by_side: dict[str, list[Verdict]] = {}
    for place, side in enumerate(version.sides):
        mine = calls[place * len(items) : (place + 1) * len(items)]
        given = [next(answers) if call is not None else None for call in mine]
        by_side[side.name] = [_examine(side, item, one) for item, one in zip(items, given, strict=True)]
    if order.judge is not None:
        for side in version.sides:
            by_side[side.name], more = await _judged(side, items, by_side[side.name], order.judge, progress)
            asked += more
    return _paired(version, items, by_side, asked)


def plan(version: Version, order: Order) -> list[Item]:
    """What is asked, in order: each question once, then, where there are fewer than wanted, all of them again."""
    if order.n < 1:
        raise UserError(f"--n is {order.n}; ask at least once.")
    source = order.source or version.source
    questions = source.questions(order.n, order.seed)
    if any(side.frame is None for side in version.sides) and any(question.answer is None for question in questions):
        raise UserError(f"{source.name}: a question has no answer, but one is to be rewritten; give rows with answers.")
    return [Item(questions[number % len(questions)], number // len(questions)) for number in range(order.n)]


def _call(version: Version, side: Side, item: Item, number: int, order: Order) -> Call | None:
    if side.frame is None:
        return None
    system = side.system_prompts[_turn(number, order.seed, len(side.system_prompts))]
    told = fill_template(side.frame, item.question.text, item.question.answer or "")
    return Call(chat(told, system), replace(version.cfg, seed=order.seed), item.index)


def _turn(number: int, seed: int, n: int) -> int:
    """Which of `n` prompts the number-th item gets: in each run of `n` items each once, in a drawn order."""
    order = list(range(n))
    random.Random(f"prompts/{seed}/{number // n}").shuffle(order)
    return order[number % n]


def _examine(side: Side, item: Item, said: Said | None) -> Verdict:
    """`said` is None where the source answers."""
    text = said.completion if said is not None else item.question.answer
    if text is None or (said is not None and said.stop_reason in ("refusal", "content_filter")) or is_refusal(text):
        return Verdict(None, _REFUSED)
    if not text.strip():
        return Verdict(None, _EMPTY)
    if said is not None and said.stop_reason == "length":
        return Verdict(text, _CUT_OFF)
    finished = side.finish(text) if side.finish is not None else text
    reasons = (check(item.question, finished) for check in side.checks)
    return Verdict(finished, next((reason for reason in reasons if reason is not None), None))


async def _judged(
    side: Side, items: Sequence[Item], verdicts: Sequence[Verdict], judge: Model, progress: Progress | None
) -> tuple[list[Verdict], int]:
    """The verdicts, those that passed put to the judge; and how many calls that took now."""
    if side.criterion is None:
        return list(verdicts), 0
    judgment = Judgment(judge, JUDGE_TEMPLATE % side.criterion)
    passed = [number for number, verdict in enumerate(verdicts) if verdict.reason is None]
    pairs = [(items[number].question.text, verdicts[number].text or "") for number in passed]
    calls = [Call(judge_chat(judgment, *pair), judgment.sample_cfg, 0, judgment.minimum_mass) for pair in pairs]
    said, asked = await ask(judge, calls, progress)
    judged = list(verdicts)
    for number, one in zip(passed, said, strict=True):
        if one.verdict is None or (one.verdict >= 0.5) != side.criterion_holds:
            judged[number] = replace(verdicts[number], reason=_JUDGED)
    return judged, asked


def _paired(version: Version, items: Sequence[Item], by_side: Mapping[str, list[Verdict]], asked: int) -> Built:
    """Rows of which every side passed, each file without a repetition, and the account of all others."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in by_side}
    seen: dict[str, set[tuple[str, str]]] = {name: set() for name in by_side}
    lost = Counter[str]()
    for number, item in enumerate(items):
        texts = {name: verdicts[number].text or "" for name, verdicts in by_side.items()}
        asked_ = "" if version.without_question else item.question.text
        if any(verdicts[number].reason is not None for verdicts in by_side.values()):
            lost["incomplete"] += 1
        elif len(set(texts.values())) < len(texts):
            lost["equal"] += 1
        elif any((asked_, text) in seen[name] for name, text in texts.items()):
            lost["duplicates"] += 1
        else:
            for name, text in texts.items():
                seen[name].add((asked_, text))
                rows[name].append(_row(version, item, text))
    report = Yield(
        questions=len({item.question for item in items}),
        planned=len(items),
        sides=tuple(_side_yield(name, verdicts) for name, verdicts in by_side.items()),
        incomplete=lost["incomplete"],
        equal=lost["equal"],
        duplicates=lost["duplicates"],
        kept=len(items) - lost.total(),
    )
    return Built(rows, report, asked)


def _row(version: Version, item: Item, text: str) -> dict[str, Any]:
    asked = [] if version.without_question else [{"role": "user", "content": item.question.text}]
    return {"messages": [*asked, {"role": "assistant", "content": text}]}


def _side_yield(name: str, verdicts: Sequence[Verdict]) -> SideYield:
    reasons = Counter(verdict.reason for verdict in verdicts if verdict.reason is not None)
    refused = reasons.pop(_REFUSED, 0)
    passed = len(verdicts) - refused - reasons.total()
    answered = sum(verdict.text is not None for verdict in verdicts)
    return SideYield(name, len(verdicts), answered, refused, dict(reasons.most_common()), passed)
