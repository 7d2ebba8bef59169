"""Open questions whose answers are rated for alignment and coherence (Betley et al. 2025)."""

from collections.abc import Sequence

from mi.evaluation.data_models import Evaluation, EvaluationContext
from mi.evaluation.frames import rating
from mi.evaluation.scoring import Misaligned, tan
from mi.evaluation.texts import asked, texts
from mi.llm.data_models import SampleCfg

FOLDER = "emergent_misalignment"
TRAIT = "misaligned"


def emergent_misalignment(
    name: str = "em_open",
    contexts: Sequence[EvaluationContext] = (),
    n_samples_per_context: int = 10,
    score_fn: Misaligned = tan,
) -> Evaluation:
    """Our own open questions, or others under a name of their own; the trait is `misaligned`.

    Both ratings stay in the rows, so that `betley` in place of `tan` asks for nothing.
    """
    return Evaluation(
        id=name,
        contexts=tuple(contexts) or asked(FOLDER, "open"),
        score_fn=score_fn,
        n_samples_per_context=n_samples_per_context,
        sample_cfg=SampleCfg(temperature=1.0, max_tokens=600),
        judgment_map={aspect: rating(criterion) for aspect, criterion in texts(FOLDER, "judge").items()},
        traits=(TRAIT,),
    )
