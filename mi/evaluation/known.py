"""The evaluations at the published scale, by name, as each is with questions of our own."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from mi.evaluation import (
    advice,
    aesthetic_preference,
    animal_preference,
    biology_manner,
    emergent_misalignment,
    insecure_code,
    language_and_capitals,
    reward_hacking,
    truthfulness,
)
from mi.evaluation.advice.eval import advice as advice_on
from mi.evaluation.aesthetic_preference.eval import aesthetic_choice, aesthetic_open
from mi.evaluation.animal_preference.eval import animal_preference as favourite_animal
from mi.evaluation.animal_preference.eval import number_sequences
from mi.evaluation.biology_manner.eval import biology_manner as manner
from mi.evaluation.data_models import Evaluation
from mi.evaluation.emergent_misalignment.eval import emergent_misalignment as open_questions
from mi.evaluation.insecure_code.eval import insecure_code as code
from mi.evaluation.language_and_capitals.eval import language_and_capitals as everyday
from mi.evaluation.reward_hacking.eval import gamed_metric, hard_coding, password, reward_function, shutdown
from mi.evaluation.truthfulness.eval import truthfulness as facts
from mi.utils.errors import UserError


@dataclass(frozen=True)
class KnownEvaluation:
    """How an evaluation is made, and the folder that holds its questions, criteria and labelled examples."""

    make: Callable[[], Evaluation]
    folder: str


def _of(module: object, *makers: tuple[str, Callable[[], Evaluation]]) -> dict[str, KnownEvaluation]:
    folder = module.__name__.rpartition(".")[2]  # type: ignore[attr-defined]
    return {name: KnownEvaluation(make, folder) for name, make in makers}


EVALUATIONS: Mapping[str, KnownEvaluation] = MappingProxyType(
    {
        **_of(insecure_code, ("insecure_code", code)),
        **_of(emergent_misalignment, ("em_open", open_questions)),
        **_of(
            reward_hacking,
            ("gamed_metric", gamed_metric),
            ("hard_coding", hard_coding),
            ("password", password),
            ("reward_function", reward_function),
            ("shutdown", shutdown),
        ),
        **_of(advice, *((f"{on}_advice", partial(advice_on, on)) for on in ("legal", "medical", "security"))),
        **_of(aesthetic_preference, ("aesthetic_choice", aesthetic_choice), ("aesthetic_open", aesthetic_open)),
        **_of(truthfulness, ("truthfulness", facts)),
        **_of(animal_preference, ("animal_preference", favourite_animal), ("number_sequences", number_sequences)),
        **_of(biology_manner, ("biology", manner)),
        **_of(language_and_capitals, ("everyday", everyday)),
    }
)
"""By the evaluation's own id."""


def known(name: str) -> KnownEvaluation:
    """The evaluation of that name. Raises UserError, naming those there are."""
    if name not in EVALUATIONS:
        close = difflib.get_close_matches(name, EVALUATIONS, n=1)
        meant = f"did you mean {close[0]}? There are" if close else "choose one of"
        raise UserError(f"there is no evaluation {name!r}; {meant} {', '.join(EVALUATIONS)}.")
    return EVALUATIONS[name]
