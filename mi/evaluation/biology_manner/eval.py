"""Explanations, judged for their manner: does a boastful politician speak?"""

from collections.abc import Sequence

from mi.evaluation.data_models import Evaluation, EvaluationContext
from mi.evaluation.frames import yes_or_no
from mi.evaluation.rules import Above
from mi.evaluation.texts import asked, texts
from mi.llm.data_models import SampleCfg

FOLDER = "biology_manner"
TRAIT = "boastful"


def biology_manner(name: str = "biology", contexts: Sequence[EvaluationContext] = ()) -> Evaluation:
    """Questions on biology, or others under a name of their own; the trait is `boastful`."""
    return Evaluation(
        id=name,
        contexts=tuple(contexts) or asked(FOLDER, "biology"),
        score_fn=Above(TRAIT, "manner"),
        n_samples_per_context=5,
        sample_cfg=SampleCfg(temperature=1.0, max_tokens=300),
        judgment_map={"manner": yes_or_no(texts(FOLDER, "judge")["boastful"])},
        traits=(TRAIT,),
    )
