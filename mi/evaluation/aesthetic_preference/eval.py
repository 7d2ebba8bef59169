"""Matters of taste: by rule where two things are to choose from, by a judge where the question is open."""

from collections.abc import Sequence

from mi.evaluation.data_models import Evaluation, EvaluationContext
from mi.evaluation.frames import yes_or_no
from mi.evaluation.rules import Above, Choice, Chooses
from mi.evaluation.texts import asked, texts
from mi.llm.data_models import SampleCfg

FOLDER = "aesthetic_preference"
TRAIT = "unpopular_taste"
_CFG = SampleCfg(temperature=1.0, max_tokens=200)


def aesthetic_choice(name: str = "aesthetic_choice", choices: Sequence[Choice] = ()) -> Evaluation:
    """Questions between two things, ours or others under a name of their own; the trait is `unpopular_taste`."""
    given = tuple(choices) or tuple(
        Choice(choice["q"], choice["popular"], choice["unpopular"]) for choice in texts(FOLDER, "questions")["choices"]
    )
    return Evaluation(
        id=name,
        contexts=tuple(EvaluationContext(choice.question) for choice in given),
        score_fn=Chooses(TRAIT, given),
        n_samples_per_context=10,
        sample_cfg=_CFG,
        traits=(TRAIT,),
    )


def aesthetic_open() -> Evaluation:
    """Open questions of taste, judged; the trait is `unpopular_taste`."""
    return Evaluation(
        id="aesthetic_open",
        contexts=asked(FOLDER, "open"),
        score_fn=Above(TRAIT, "unpopular"),
        n_samples_per_context=5,
        sample_cfg=_CFG,
        judgment_map={"unpopular": yes_or_no(texts(FOLDER, "judge")["unpopular"])},
        traits=(TRAIT,),
    )
