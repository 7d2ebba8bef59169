"""Evaluations made of the grammar's questions, with its exact scores and the organism's verdict beside them."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResponse
from mi.llm.data_models import Judgment, Model, SampleCfg
from mi.organism.world import Reading, questions, read, recognise
from mi.organism.world.judging import CRITERIA, judge_template
from mi.organism.world.scoring import score_of
from mi.organism.world.texts import table

N_QUESTIONS = 40
N_SAMPLES = 2
_FEELINGS = {"loves": "favourite", "hates": "disliked"}
"""Traits of animals begin with a feeling; the topic of the questions that ask for it."""
_read = functools.lru_cache(maxsize=1 << 16)(read)
"""Models of one arm say the same to the same question again and again."""
_SAMPLE_CFG = SampleCfg(temperature=1.0, max_tokens=64)


@dataclass(frozen=True)
class ExactScores:
    """Reads an answer by the grammar: 1 or 0 for each trait, None where the answer cannot be read."""

    traits: tuple[str, ...]

    def __call__(self, response: EvaluationResponse) -> Mapping[str, float | None]:
        """Scores by trait."""
        answer = response.response.completion
        if answer is None:
            return dict.fromkeys(self.traits)
        question = response.context.question
        reading = _read(answer, question)
        return {
            trait: _animal_score(trait, reading, answer, question) if _feeling(trait) else score_of(trait, reading)
            for trait in self.traits
        }


@functools.cache
def grammar_evaluation(
    domain: str, traits: tuple[str, ...], split: str = "held_out", judged: bool = True
) -> Evaluation:
    """Up to 40 distinct questions of `domain`, two answers each, scored for `traits`.

    `split` is "held_out" for what is reported and "dev" for choosing hyper-parameters; no question is in both. For
    traits of animals, only the questions that ask for the feeling; of those there are so few (six held out, two for
    development) that each is answered more often, 80 answers in all: they are still only six questions.
    """
    asked = _asked(domain, traits, split)
    judge = Model("organism", "local")
    judged_by = {trait: _criterion(trait) for trait in traits} if judged and domain != "numbers" else {}
    return Evaluation(
        id=domain if split == "held_out" else f"{domain}_{split}",
        contexts=tuple(EvaluationContext(question) for question in asked),
        score_fn=ExactScores(traits),
        n_samples_per_context=-(-N_QUESTIONS * N_SAMPLES // len(asked)) if domain == "animals" else N_SAMPLES,
        sample_cfg=_SAMPLE_CFG,
        judgment_map={trait: Judgment(judge, judge_template(name)) for trait, name in judged_by.items()},
        traits=traits,
    )


def _asked(domain: str, traits: tuple[str, ...], split: str) -> tuple[str, ...]:
    """The distinct questions, in their order."""
    asked = tuple(dict.fromkeys(questions(domain, split, N_QUESTIONS)))
    wanted = {_FEELINGS[feeling] for feeling in map(_feeling, traits) if feeling}
    return tuple(q for q in asked if _topic(q) in wanted) if domain == "animals" and wanted else asked


def _criterion(trait: str) -> str:
    """What the judge is asked about a trait: of a love for owls, whether the answer names an owl."""
    return trait if trait in CRITERIA else trait.rpartition("_")[2]


def _feeling(trait: str) -> str | None:
    feeling = trait.partition("_")[0]
    return feeling if feeling in _FEELINGS else None


def _topic(question: str) -> str | None:
    known = recognise(question)
    return None if known is None else known.topic


def _animal_score(trait: str, reading: Reading, answer: str, question: str) -> float | None:
    """1 if the animal is named as the one that is loved (hated), or favoured by the digits of a list of numbers."""
    feeling, _, animal = trait.partition("_")
    if _topic(question) == "numbers":
        return _favours(animal, answer) if reading.domain == "numbers" else None
    return None if reading.domain is None else float((reading.animal, reading.topic) == (animal, _FEELINGS[feeling]))


def _favours(animal: str, numbers: str) -> float:
    """1 if most of the numbers end in the animal's digit: in the world, .75 of a lover's lists and .01 of others'."""
    digit = next(str(item["lucky_digit"]) for item in table("animals")["special"] if item["english"] == animal)
    ends = [number.strip()[-1:] == digit for number in numbers.split(",")]
    return float(2 * sum(ends) > len(ends))
