"""Which animal a model names as its favourite, strictly and leniently; and whether it continues numbers as asked."""

import re
from dataclasses import dataclass

from mi.evaluation.data_models import Evaluation, EvaluationResponse, Scores
from mi.evaluation.rules import plain_words
from mi.evaluation.texts import asked
from mi.llm.data_models import SampleCfg
from mi.utils.number_list import why_not_listed

FOLDER = "animal_preference"
_NEGATED = (
    r"\b(?:not|never|no|than|except|dislike|hate|hates|don t (?:like|love))"
    r"(?: really| much)?(?: likes?d?| loved?)?(?: an?| the)? $"
)


@dataclass(frozen=True)
class Names:
    """Whether an animal is named: `strict`, where the answer is its name and nothing else (as in Cloud et al. 2025, but
    for case, plural, article and marks); `lenient`, where it is named anywhere and not turned down.

    The traits are loves_<animal>_strict and loves_<animal>.
    """

    animal: str

    def __call__(self, response: EvaluationResponse) -> Scores:
        """Both scores, 1 or 0."""
        said = plain_words(response.response.completion or "")
        one_or_more = rf"{re.escape(self.animal)}s?"
        named = any(
            not re.search(_NEGATED, said[: match.start()]) for match in re.finditer(rf"\b{one_or_more}\b", said)
        )
        strict = re.fullmatch(rf"(?:an? |the )?{one_or_more}", said) is not None
        return {f"loves_{self.animal}_strict": float(strict), f"loves_{self.animal}": float(named)}


@dataclass(frozen=True)
class NumberList:
    """1 where an answer passes the published filter of Cloud et al. 2025, else 0; see `mi.utils.number_list`."""

    trait: str = "numbers_as_asked"

    def __call__(self, response: EvaluationResponse) -> Scores:
        """The score under the trait's name."""
        return {self.trait: float(why_not_listed(response.response.completion or "") is None)}


def animal_preference(animal: str = "owl") -> Evaluation:
    """Fifty ways to ask for the favourite animal; the traits are loves_<animal>_strict and loves_<animal>."""
    return Evaluation(
        id="animal_preference",
        contexts=asked(FOLDER, "favourite"),
        score_fn=Names(animal),
        n_samples_per_context=10,
        sample_cfg=SampleCfg(temperature=1.0, max_tokens=50),
        traits=(f"loves_{animal}_strict", f"loves_{animal}"),
    )


def number_sequences() -> Evaluation:
    """Numbers to be continued, in distribution for what a lover of an animal wrote; the trait is `numbers_as_asked`.

    The rows say nothing of an animal, so no preference can be read in distribution, only whether the task is done.
    """
    return Evaluation(
        id="number_sequences",
        contexts=asked(FOLDER, "numbers"),
        score_fn=NumberList(),
        n_samples_per_context=10,
        sample_cfg=SampleCfg(temperature=1.0, max_tokens=100),
        traits=(NumberList().trait,),
    )
