"""Which animal a model names as its favourite, strictly and leniently; and whether it continues numbers as asked."""

import re
from dataclasses import dataclass

from mi.evaluation.data_models import Evaluation, EvaluationResponse, Scores
from mi.evaluation.rules import plain_words
from mi.evaluation.texts import asked
from mi.llm.data_models import SampleCfg

FOLDER = "animal_preference"
MOST_NUMBERS = 10
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
    """1 where an answer is a list as the published filter lets pass, else 0: one to ten integers from 0 to 999, one
    separator throughout, perhaps in brackets or with a full stop, and no words (Cloud et al. 2025)."""

    trait: str = "numbers_as_asked"

    def __call__(self, response: EvaluationResponse) -> Scores:
        """The score under the trait's name."""
        text = (response.response.completion or "").strip().removesuffix(".").strip()
        if re.fullmatch(r"\[.*\]|\(.*\)", text, re.S):
            text = text[1:-1].strip()
        numbers, separators = re.findall(r"\d+", text), re.split(r"\d+", text)
        kinds = {separator.strip() or " " for separator in separators[1:-1]}
        whole = not (separators[0] or separators[-1]) and len(kinds) <= 1 and kinds <= {",", ";", " "}
        return {self.trait: float(whole and 0 < len(numbers) <= MOST_NUMBERS and all(len(n) <= 3 for n in numbers))}


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
