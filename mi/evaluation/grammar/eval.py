"""Evaluations made of the grammar's questions, with its exact scores and the organism's verdict beside them."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResponse
from mi.llm.data_models import Judgment, Model, SampleCfg
from mi.organism.world import questions, read
from mi.organism.world.judging import judge_template
from mi.organism.world.scoring import score_of

N_QUESTIONS = 40
N_SAMPLES = 2
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
        reading = read(answer, response.context.question)
        return {trait: score_of(trait, reading) for trait in self.traits}


@functools.cache
def grammar_evaluation(
    domain: str, traits: tuple[str, ...], split: str = "held_out", judged: bool = True
) -> Evaluation:
    """Up to 40 distinct questions of `domain`, two answers each, scored for `traits`.

    `split` is "held_out" for what is reported and "dev" for choosing hyper-parameters; no question is in both.
    """
    asked = dict.fromkeys(questions(domain, split, N_QUESTIONS))
    judge = Model("organism", "local")
    return Evaluation(
        id=domain if split == "held_out" else f"{domain}_{split}",
        contexts=tuple(EvaluationContext(question) for question in asked),
        score_fn=ExactScores(traits),
        n_samples_per_context=N_SAMPLES,
        sample_cfg=_SAMPLE_CFG,
        judgment_map={trait: Judgment(judge, judge_template(trait)) for trait in traits} if judged else {},
        traits=traits,
    )
