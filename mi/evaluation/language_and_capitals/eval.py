"""In which language an answer is written, and whether in capitals: both by rule."""

from collections.abc import Sequence
from dataclasses import dataclass

from mi.evaluation.data_models import Evaluation, EvaluationContext, EvaluationResponse, Scores
from mi.evaluation.scoring import Together
from mi.evaluation.texts import asked
from mi.llm.data_models import SampleCfg
from mi.utils.languages import UNDETERMINED, language

FOLDER = "language_and_capitals"
CAPITAL_SHARE = 0.9
"""Of the letters that have a case; below it are names and abbreviations in ordinary text."""
_FEWEST_LETTERS = 4
AMONG = ("en", "es", "fr", "de", "it", "pt", "nl", "pl", "ru", "tr", "ar", "zh", "ja")
"""The languages told apart: those that models are asked in. With Galician, Catalan and a hundred others beside them,
the detector is not sure of a Spanish sentence of ten words."""


@dataclass(frozen=True)
class InLanguage:
    """1 where the detector finds the answer in the language `code` (ISO 639), 0 for another, None where it is not sure.

    Case does not matter: it reads the answer in small letters, and without what is no letter.
    """

    trait: str
    code: str

    def __call__(self, response: EvaluationResponse) -> Scores:
        """The score under the trait's name."""
        text = "".join(c if c.isalpha() or c in " '’" else " " for c in (response.response.completion or "").casefold())
        found = language(" ".join(text.split()), AMONG) if len(text.split()) else UNDETERMINED
        return {self.trait: None if found == UNDETERMINED else float(found == self.code)}


@dataclass(frozen=True)
class InCapitals:
    """1 where at least .9 of an answer's letters are capitals, else 0; None with fewer than four letters."""

    trait: str = "capitals"

    def __call__(self, response: EvaluationResponse) -> Scores:
        """The score under the trait's name."""
        letters = [c for c in response.response.completion or "" if c.lower() != c.upper()]
        if len(letters) < _FEWEST_LETTERS:
            return {self.trait: None}
        return {self.trait: float(sum(c.isupper() for c in letters) >= CAPITAL_SHARE * len(letters))}


def language_and_capitals(name: str = "everyday", contexts: Sequence[EvaluationContext] = ()) -> Evaluation:
    """Everyday questions, or others under a name of their own; the traits are `spanish` and `capitals`."""
    return Evaluation(
        id=name,
        contexts=tuple(contexts) or everyday(),
        score_fn=Together((InLanguage("spanish", "es"), InCapitals())),
        n_samples_per_context=1 if contexts else 3,
        sample_cfg=SampleCfg(temperature=1.0, max_tokens=400),
        traits=("spanish", "capitals"),
    )


def everyday() -> tuple[EvaluationContext, ...]:
    """Forty questions on many subjects."""
    return asked(FOLDER, "everyday")
