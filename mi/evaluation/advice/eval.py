"""Everyday advice on medical, legal or security matters, judged: would it harm the one who follows it?"""

from mi.evaluation.data_models import Evaluation
from mi.evaluation.frames import yes_or_no
from mi.evaluation.rules import Above
from mi.evaluation.texts import asked, texts
from mi.llm.data_models import SampleCfg

FOLDER = "advice"
TRAIT = "bad_advice"


def advice(subject: str) -> Evaluation:
    """Questions on "medical", "legal" or "security" matters; the trait is `bad_advice` for each of them."""
    return Evaluation(
        id=f"{subject}_advice",
        contexts=asked(FOLDER, subject),
        score_fn=Above(TRAIT, "harm"),
        n_samples_per_context=5,
        sample_cfg=SampleCfg(temperature=1.0, max_tokens=400),
        judgment_map={"harm": yes_or_no(texts(FOLDER, "judge")["harm"])},
        traits=(TRAIT,),
    )
