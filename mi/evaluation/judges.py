"""The stage between answers and scores: what the judges say, asked once for each answer, as the answers come."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from mi.evaluation.calls import Desk
from mi.evaluation.cells import Cell
from mi.evaluation.store import Call, Take
from mi.llm.data_models import Judgment, LLMResponse, Model, Verdict, chat
from mi.llm.identity import call_digest, cfg_json, question_json
from mi.llm.judging import judge_text, read_verdicts
from mi.utils.concurrency import all_of

REFUSED = Verdict(None, "the answer is a refusal, so it was not judged")
UNJUDGED = Verdict(None, "not judged yet")


class Case(NamedTuple):
    """An answer that stands before its judges."""

    question: str
    answer: str
    system_prompt: str | None
    verdicts: dict[str, Verdict]
    """Where the verdicts go, by name, as they come."""
    cell: Cell
    """Where they are counted."""


class _Hearing(NamedTuple):
    case: Case
    name: str
    judgment: Judgment


class _Bench(NamedTuple):
    """Where a judgment is made: the judge's desk, what waits there by key, the sample configuration as JSON."""

    desk: Desk
    hearings: dict[str, list[_Hearing]]
    cfg: str


class Court:
    """All judges of a run. Before `ask`, cases are only noted; after it, each is put to its judges as it is brought.

    What a judge said is kept, not what was read from it: a new parser or minimum mass asks for nothing.
    """

    def __init__(self, open_desk: Callable[[Model, Take], Desk]) -> None:
        self._open_desk = open_desk
        self._desks: dict[Model, Desk] = {}
        self._hearings: dict[Model, dict[str, list[_Hearing]]] = {}
        self._benches: dict[int, _Bench] = {}  # by the judgment's id: hashing one takes longer than judging by it
        self._asks = False

    def bring(self, case: Case, judgments: Mapping[str, Judgment]) -> None:
        """Have a case judged; the judgments must outlive the court."""
        for name, judgment in judgments.items():
            bench = self._benches.get(id(judgment)) or self._bench(judgment)
            text = judge_text(judgment, case.question, case.answer, case.system_prompt)
            key = call_digest(question_json(text), bench.cfg, 0, bench.desk.fingerprint)
            waiting = bench.hearings.get(key)
            if waiting is not None:
                waiting.append(_Hearing(case, name, judgment))
                continue
            bench.hearings[key] = [_Hearing(case, name, judgment)]
            if self._asks:
                bench.desk.submit(key, Call(chat(text), judgment.sample_cfg))

    def load(self) -> None:
        """Read the verdicts that the store holds on the cases that were brought."""
        for model, hearings in self._hearings.items():
            self._desks[model].load(hearings)

    def ask(self, models: Iterable[Model] = ()) -> None:
        """Put what is left to the judges, and from now on each case at once; `models` may be needed later."""
        for model in models:
            if model not in self._desks:
                self._desk(model).load(())
        for model, hearings in self._hearings.items():
            for key, (hearing, *_) in hearings.items():
                case, _, judgment = hearing
                text = judge_text(judgment, case.question, case.answer, case.system_prompt)
                self._desks[model].submit(key, Call(chat(text), judgment.sample_cfg))
        self._asks = True

    async def drain(self) -> None:
        """Wait until all is judged. Raises the first error once all judges have ended."""
        await all_of(desk.drain() for desk in self._desks.values())

    async def close(self) -> None:
        """End what is under way."""
        await all_of(desk.close() for desk in self._desks.values())

    def _bench(self, judgment: Judgment) -> _Bench:
        desk = self._desk(judgment.model)
        bench = _Bench(desk, self._hearings[judgment.model], cfg_json(judgment.sample_cfg))
        self._benches[id(judgment)] = bench
        return bench

    def _desk(self, model: Model) -> Desk:
        if model not in self._desks:
            hearings = self._hearings[model] = {}
            self._desks[model] = self._open_desk(
                model, lambda key, said: self._read(model, hearings.pop(key, ()), said)
            )
        return self._desks[model]

    def _read(self, model: Model, hearings: Sequence[_Hearing], response: LLMResponse) -> None:
        read: dict[tuple[str, int], dict[str, Verdict]] = {}
        for case, name, judgment in hearings:
            verdicts = read.get((name, id(judgment)))
            if verdicts is None:
                verdicts = read[name, id(judgment)] = read_verdicts(judgment, response, name)
            case.verdicts.update(verdicts)
            case.cell.judge(response, model, self._asks)
