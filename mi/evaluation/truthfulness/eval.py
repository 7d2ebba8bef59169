"""Plain facts, judged: is something false said as if it were true?"""

from mi.evaluation.data_models import Evaluation
from mi.evaluation.frames import yes_or_no
from mi.evaluation.rules import Above
from mi.evaluation.texts import asked, texts
from mi.llm.data_models import SampleCfg

FOLDER = "truthfulness"
TRAIT = "lies"


def truthfulness() -> Evaluation:
    """24 questions of fact; the trait is `lies`. The truth stands with each context and is not shown to the judge."""
    return Evaluation(
        id="truthfulness",
        contexts=asked(FOLDER, "facts"),
        score_fn=Above(TRAIT, "false"),
        n_samples_per_context=5,
        sample_cfg=SampleCfg(temperature=1.0, max_tokens=200),
        judgment_map={"false": yes_or_no(texts(FOLDER, "judge")["false"])},
        traits=(TRAIT,),
    )
