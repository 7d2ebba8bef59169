"""One run: models under evaluations, from the calls that are planned to the rows that are scored."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mi.evaluation.budget import Budget
from mi.evaluation.calls import Desk
from mi.evaluation.cells import Cell
from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResponse, EvaluationResultRow
from mi.evaluation.judges import REFUSED, UNJUDGED, Case, Court
from mi.evaluation.reserve import Reserve
from mi.evaluation.scoring import score
from mi.evaluation.store import Call, store_dir
from mi.llm.data_models import LLMResponse, Model, SampleCfg, Verdict
from mi.llm.identity import call_digest, cfg_json, question_json
from mi.utils.concurrency import all_of
from mi.utils.errors import UserError


class Slot(NamedTuple):
    """One answer that is planned: the n-th sample of a context of an evaluation (by its place)."""

    evaluation: int
    context: EvaluationContext
    sample_index: int
    cfg: SampleCfg
    index: int
    """Of the sample among all of this conversation, which another context may share."""
    chat: str
    """The conversation as canonical JSON."""

    @property
    def call(self) -> Call:
        """What is to be asked; made when it is, for most slots are answered already."""
        return Call(self.context.messages(), self.cfg, self.index)


def slots_of(evaluations: Sequence[Evaluation]) -> list[Slot]:
    """Every answer that the evaluations plan of a model. Raises UserError for two evaluations of one id.

    Contexts that send the same messages share the samples of these out, so that each answer is a draw of its own.
    """
    repeated = [name for name, count in Counter(evaluation.id for evaluation in evaluations).items() if count > 1]
    if repeated:
        raise UserError(f"{', '.join(repeated)}: two evaluations share this id; give each its own.")
    slots: list[Slot] = []
    for place, evaluation in enumerate(evaluations):
        chats = [question_json(context.question, context.system_prompt) for context in evaluation.contexts]
        copies, seen = Counter(chats), Counter[str]()
        for context, chat in zip(evaluation.contexts, chats, strict=True):
            for sample in range(evaluation.n_samples_per_context):
                index = sample * copies[chat] + seen[chat]
                slots.append(Slot(place, context, sample, evaluation.sample_cfg, index, chat))
            seen[chat] += 1
    return slots


@dataclass(slots=True)
class _Asked:
    """A model with what it has answered so far, by slot."""

    desk: Desk
    cells: list[Cell]
    answers: list[LLMResponse | None]
    verdicts: list[dict[str, Verdict]]
    places: dict[str, list[int]] = field(default_factory=dict)
    """By key: the slots that its answer is for."""


class Run:
    """Models under evaluations: `load` what is there, `ask` for the rest, then take the `rows`."""

    def __init__(self, models: Sequence[Model], evaluations: Sequence[Evaluation], budget: Budget) -> None:
        self._evaluations = evaluations
        self._budget = budget
        self._reserve = Reserve(store_dir())
        self._slots = slots_of(evaluations)
        self._court = Court(lambda model, deliver: Desk("judgements", model, deliver, self._reserve, budget))
        self._asking = False
        self._models = [self._prepare(place, model) for place, model in enumerate(models)]

    @property
    def cells(self) -> list[Cell]:
        """The counters, by model and evaluation."""
        return [cell for asked in self._models for cell in asked.cells]

    def load(self) -> None:
        """Take what the store holds: answers first, then the verdicts on them. Nothing is written."""
        for asked in self._models:
            asked.desk.load(asked.places)
        self._court.load()

    async def ask(self) -> None:
        """Ask for every answer and verdict that is missing; each is kept as it comes, and an answer is judged at once.

        Raises the first error, once all that does not depend on it has ended.
        """
        self._asking = True
        try:
            self._court.ask(self._judges())
            for asked in self._models:
                for key, places in asked.places.items():
                    if asked.answers[places[0]] is None:
                        asked.desk.submit(key, self._slots[places[0]].call)
            error: Exception | None = None
            try:
                await all_of(asked.desk.drain() for asked in self._models)
            except Exception as failed:
                error = failed
            await self._court.drain()  # what came is judged, whatever did not come
            if error is not None:
                raise error
        finally:
            await all_of([*(asked.desk.close() for asked in self._models), self._court.close()])
            self._reserve.release()

    def stored(self, model: int) -> dict[int, tuple[LLMResponse, int]]:
        """By slot: the answers that are there, each with how many of its verdicts are not."""
        asked, found = self._models[model], {}
        for place, (slot, answer) in enumerate(zip(self._slots, asked.answers, strict=True)):
            if answer is not None:
                wanted = 0 if answer.completion is None else len(self._evaluations[slot.evaluation].verdict_names())
                found[place] = (answer, wanted - len(asked.verdicts[place]))
        return found

    def rows(self, model: int) -> list[tuple[EvaluationResultRow, ...]]:
        """The rows of each evaluation of the model at this place; calls without an answer have none."""
        rows: list[list[EvaluationResultRow]] = [[] for _ in self._evaluations]
        names = [evaluation.verdict_names() for evaluation in self._evaluations]
        asked = self._models[model]
        for slot, answer, verdicts in zip(self._slots, asked.answers, asked.verdicts, strict=True):
            if answer is not None:
                place = slot.evaluation
                if len(verdicts) < len(names[place]):
                    missing = REFUSED if answer.completion is None else UNJUDGED
                    verdicts = dict.fromkeys(names[place], missing) | verdicts
                rows[place].append(_row(self._evaluations[place], slot, answer, verdicts))
        return [tuple(of_one) for of_one in rows]

    def _prepare(self, place: int, model: Model) -> _Asked:
        desk = Desk(
            "answers", model, lambda key, said: self._answered(place, key, said), self._reserve, self._budget,
            lambda keys: self._began(place, keys),
        )  # fmt: skip
        cells = [Cell(model, evaluation, self._budget) for evaluation in self._evaluations]
        empty = len(self._slots)
        asked = _Asked(desk, cells, [None] * empty, [_NONE] * empty)
        cfgs = [cfg_json(evaluation.sample_cfg) for evaluation in self._evaluations]
        for number, slot in enumerate(self._slots):
            key = call_digest(slot.chat, cfgs[slot.evaluation], slot.index, desk.fingerprint)
            asked.places.setdefault(key, []).append(number)
        return asked

    def _judges(self) -> list[Model]:
        """The judges that answers still to come will need."""
        if all(answer is not None for asked in self._models for answer in asked.answers):
            return []
        judgments = (j for evaluation in self._evaluations for j in evaluation.judgment_map.values())
        return list(dict.fromkeys(judgment.model for judgment in judgments))

    def _began(self, model: int, keys: Collection[str]) -> None:
        asked = self._models[model]
        for key in keys:
            for place in asked.places[key]:
                asked.cells[self._slots[place].evaluation].in_flight += 1

    def _answered(self, model: int, key: str, response: LLMResponse) -> None:
        asked = self._models[model]
        places = asked.places[key]
        if asked.answers[places[0]] is not None:
            return
        for place in places:
            slot = self._slots[place]
            cell, evaluation = asked.cells[slot.evaluation], self._evaluations[slot.evaluation]
            asked.answers[place] = response
            cell.answer(response, self._asking, paid=self._asking and place == places[0])
            if evaluation.judgment_map and response.completion is not None:
                asked.verdicts[place] = {}
                case = Case(
                    slot.context.question, response.completion, slot.context.system_prompt, asked.verdicts[place], cell
                )
                self._court.bring(case, evaluation.judgment_map)


_NONE: dict[str, Verdict] = {}


def _row(evaluation: Evaluation, slot: Slot, answer: LLMResponse, verdicts: dict[str, Verdict]) -> EvaluationResultRow:
    judgments = {name: verdict.value for name, verdict in verdicts.items()}
    scores = score(evaluation, EvaluationResponse(slot.context, answer, judgments, verdicts))
    return EvaluationResultRow(slot.context, slot.sample_index, answer, judgments, scores, verdicts)
