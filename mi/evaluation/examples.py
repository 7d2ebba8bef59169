"""Answers that people labelled, and whether an evaluation's scorer and its judges say of them what the people say."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mi.evaluation.agreement import Agreement, agreement
from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResponse
from mi.evaluation.known import known
from mi.evaluation.scoring import score
from mi.evaluation.texts import texts
from mi.llm.data_models import LLMResponse, Model, TokenLogprob, Verdict
from mi.llm.judging import judge_chat, read_verdicts
from mi.utils.errors import UserError

Said = str | Mapping[str, float]
"""What a judge would reply: a text, or the first words that it might say with the probability of each."""


@dataclass(frozen=True)
class Example:
    """An answer, what it shows of each trait (None: nothing can be told), and what a judge would say of it."""

    context: EvaluationContext
    answer: str
    shows: Mapping[str, float | None]
    said: Mapping[str, Said]


@dataclass(frozen=True)
class Checked:
    """How a scorer, or a judge, does on labelled examples of one trait."""

    evaluation: str
    trait: str
    by: str
    """"rule", "recorded" (over a judge's replies as we wrote them) or a judge's name; "judge, …" is the judge alone."""
    n: int
    right: int
    """Examples on which the score is the label, None for None included."""
    agreement: Agreement
    """Over those on which both tell something."""
    wrong: tuple[tuple[Example, float | None], ...]

    @property
    def share(self) -> float:
        """Of examples that are scored as labelled."""
        return self.right / self.n


def examples_of(name: str, evaluation: Evaluation) -> tuple[Example, ...]:
    """The labelled examples of a known evaluation, in the order of its examples.toml."""
    return tuple(_example(entry, evaluation) for entry in texts(known(name).folder, "examples")[name])


def recorded(evaluation: Evaluation, example: Example) -> dict[str, Verdict]:
    """The verdicts that the judges' parsers read from the replies written beside an example; some may be missing."""
    return {
        verdict: value
        for name, judgment in evaluation.judgment_map.items()
        if name in example.said
        for verdict, value in read_verdicts(judgment, reply(example.said[name]), name).items()
    }


def reply(said: Said) -> LLMResponse:
    """What a judge that says this would send back, with log-probabilities where probabilities are given."""
    if isinstance(said, str):
        return LLMResponse(said)
    top = tuple((token, math.log(p)) for token, p in sorted(said.items(), key=lambda item: -item[1]))
    return LLMResponse(top[0][0], logprobs=(TokenLogprob(*top[0], top),))


def check_recorded(evaluation: Evaluation, examples: Sequence[Example]) -> list[Checked]:
    """The scorer over the examples, its judges' replies being those that are recorded: parser, threshold and rules."""
    return _checked(evaluation, examples, [recorded(evaluation, example) for example in examples], "recorded")


async def check_live(evaluation: Evaluation, examples: Sequence[Example], judge: Model) -> list[Checked]:
    """The same with a judge that is asked, each of the evaluation's criteria once an example; kept in the store."""
    from mi.evaluation.calls import ask
    from mi.evaluation.store import Call

    verdicts: list[dict[str, Verdict]] = [{} for _ in examples]
    for name, judgment in evaluation.judgment_map.items():
        asked = replace(judgment, model=judge)
        calls = [Call(judge_chat(asked, e.context.question, e.answer), asked.sample_cfg) for e in examples]
        for place, response in enumerate(await ask("judgements", judge, calls)):
            verdicts[place] |= read_verdicts(asked, response, name)
    return _checked(evaluation, examples, verdicts, judge.id)


def _checked(
    evaluation: Evaluation, examples: Sequence[Example], verdicts: Sequence[Mapping[str, Verdict]], by: str
) -> list[Checked]:
    """One finding a trait; and one a judge that bears a trait's name: there a rule scores, and the judge is heard."""
    rule_scores = set(evaluation.judgment_map) <= set(evaluation.traits)
    scores = [_scores(evaluation, *pair) for pair in zip(examples, verdicts, strict=True)]
    scorer = "rule" if rule_scores else by
    found = [_one(evaluation, trait, scorer, examples, [s[trait] for s in scores]) for trait in evaluation.traits]
    for name in evaluation.judgment_map:
        if name in evaluation.traits:
            said = [_yes_or_no(v.get(name)) for v in verdicts]
            found.append(_one(evaluation, name, f"judge, {by}", examples, said))
    return found


def _one(
    evaluation: Evaluation, trait: str, by: str, examples: Sequence[Example], scores: Sequence[float | None]
) -> Checked:
    pairs = [(example, value) for example, value in zip(examples, scores, strict=True) if trait in example.shows]
    if by.startswith("judge"):  # a judge always has an opinion; where the label is that nothing can be told it has none
        pairs = [(example, value) for example, value in pairs if example.shows[trait] is not None]
    labels = [None if (label := example.shows[trait]) is None else label > 0.5 for example, _ in pairs]
    wrong = tuple((example, value) for example, value in pairs if value != example.shows[trait])
    agreed = agreement([value for _, value in pairs], labels)
    return Checked(evaluation.id, trait, by, len(pairs), len(pairs) - len(wrong), agreed, wrong)


def _scores(evaluation: Evaluation, example: Example, verdicts: Mapping[str, Verdict]) -> Mapping[str, float | None]:
    values = {name: verdict.value for name, verdict in verdicts.items()}
    return score(evaluation, EvaluationResponse(example.context, LLMResponse(example.answer), values, verdicts))


def _yes_or_no(verdict: Verdict | None) -> float | None:
    return None if verdict is None or verdict.value is None else float(verdict.value > 0.5)


def _example(entry: Mapping[str, Any], evaluation: Evaluation) -> Example:
    """A number under `shows` is of the first trait; a reply under `said` that names no judge is the first judge's."""
    shows, said = entry["shows"], entry.get("said", {})
    by_trait = shows if isinstance(shows, Mapping) else {evaluation.traits[0]: shows}
    judges = list(evaluation.judgment_map)
    by_judge: Mapping[str, Said] = said if isinstance(said, Mapping) and set(said) <= set(judges) else {judges[0]: said}
    return Example(
        _context(entry.get("q"), evaluation),
        entry["a"],
        {trait: None if math.isnan(value) else float(value) for trait, value in by_trait.items()},
        by_judge,
    )


def _context(asked: str | None, evaluation: Evaluation) -> EvaluationContext:
    """The evaluation's own context: the first, the one of that question, or the only one that begins like "…"."""
    if asked is None:
        return evaluation.contexts[0]
    begins = asked.endswith("…")
    fits = [
        context
        for context in evaluation.contexts
        if (context.question.startswith(asked[:-1]) if begins else context.question == asked)
    ]
    if len(fits) != 1:
        raise UserError(f"{evaluation.id}: {len(fits)} of its questions are {asked!r}; mend its examples.toml.")
    return fits[0]
