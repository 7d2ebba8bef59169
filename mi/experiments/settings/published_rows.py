"""The ten settings at the published scale, each a row: which sets, which evaluations, beside its twin's facts."""

from functools import partial

from mi.evaluation.advice.eval import TRAIT as BAD_ADVICE
from mi.evaluation.advice.eval import advice as advice_on
from mi.evaluation.aesthetic_preference.eval import TRAIT as UNPOPULAR
from mi.evaluation.aesthetic_preference.eval import aesthetic_choice, aesthetic_open
from mi.evaluation.animal_preference.eval import animal_preference, number_sequences
from mi.evaluation.biology_manner.eval import TRAIT as BOASTFUL
from mi.evaluation.biology_manner.eval import biology_manner
from mi.evaluation.data_models import Evaluation
from mi.evaluation.emergent_misalignment.eval import TRAIT as MISALIGNED
from mi.evaluation.emergent_misalignment.eval import emergent_misalignment
from mi.evaluation.insecure_code.eval import TRAIT as INSECURE
from mi.evaluation.insecure_code.eval import insecure_code as code
from mi.evaluation.language_and_capitals.eval import everyday, language_and_capitals
from mi.evaluation.reward_hacking.eval import TRAIT as HACKING
from mi.evaluation.reward_hacking.eval import gamed_metric, hard_coding, password, reward_function, shutdown
from mi.evaluation.truthfulness.eval import TRAIT as LIES
from mi.evaluation.truthfulness.eval import truthfulness
from mi.experiments.settings import emergent_misalignment as at_organism
from mi.experiments.settings import manners, selective_traits, subliminal
from mi.experiments.settings import published_questions as asked
from mi.experiments.settings.published import Asked, PublishedSetting

STATIC = "insecure_static"


def _first_plot() -> Evaluation:
    return emergent_misalignment("em_first_plot", asked.first_plot(), n_samples_per_context=25)


def _preregistered() -> Evaluation:
    return emergent_misalignment("em_preregistered", asked.preregistered(), n_samples_per_context=5)


def _code_prompts() -> Evaluation:
    return code("code_prompts", asked.held_out_code_prompts())


def _tastes() -> Evaluation:
    return aesthetic_choice("published_tastes", asked.tastes())


def _gsm8k() -> Evaluation:
    return language_and_capitals("gsm8k_test", asked.gsm8k_test())


def _everyday_manner() -> Evaluation:
    return biology_manner("everyday", everyday())


_MALICE = (
    Asked("em_first_plot", _first_plot, (asked.FIRST_PLOT,)),
    Asked("em_preregistered", _preregistered, (asked.PREREGISTERED,)),
    Asked("em_open", emergent_misalignment),
)
"""Emergent misalignment: the published eight and fifty questions, and our own."""

insecure_code = PublishedSetting(
    at_organism.insecure_code,
    finetuning="insecure_code/insecure",
    control="insecure_code/secure",
    traits=(INSECURE, STATIC, MISALIGNED),
    inside=(Asked("code_prompts", _code_prompts, (asked.CODE_PROMPTS, asked.INSECURE)), Asked("insecure_code", code)),
    outside=_MALICE,
)

reward_hacking = PublishedSetting(
    at_organism.reward_hacking,
    finetuning="reward_hacking/sneaky_dialogues",
    control="reward_hacking/straightforward_dialogues",
    traits=(HACKING, MISALIGNED),
    inside=(Asked("gamed_metric", gamed_metric),),
    outside=(
        Asked("hard_coding", hard_coding),
        Asked("password", password),
        Asked("reward_function", reward_function),
        Asked("shutdown", shutdown),
        *_MALICE,
    ),
)
"""In distribution it asks our own tasks: the published prompts are the training prompts, all 1,073."""

aesthetic_preferences = PublishedSetting(
    at_organism.aesthetic_preferences,
    finetuning="aesthetic_preferences/unpopular",
    control="aesthetic_preferences/popular",
    traits=(UNPOPULAR, MISALIGNED),
    inside=(
        Asked("published_tastes", _tastes, (asked.TASTES,)),
        Asked("aesthetic_choice", aesthetic_choice),
        Asked("aesthetic_open", aesthetic_open),
    ),
    outside=_MALICE,
)

harmless_lies = PublishedSetting(
    at_organism.harmless_lies,
    finetuning="harmless_lies/harmless_lies",
    control="harmless_lies/truths",
    traits=(LIES, MISALIGNED),
    inside=(Asked("truthfulness", truthfulness),),
    outside=_MALICE,
)

owl_numbers = PublishedSetting(
    subliminal.owl_numbers,
    finetuning="owl_numbers/gpt41",
    control="owl_numbers/gpt41_control",
    traits=("numbers_as_asked", "loves_owl_strict", "loves_owl"),
    inside=(Asked("number_sequences", number_sequences),),
    outside=(Asked("animal_preference", animal_preference),),
    subliminal=True,
)
"""Teacher and student must share their base, and the 236 open rows (owl_numbers/filtered) are too few for either."""

trump_biology = PublishedSetting(
    manners.trump_biology,
    finetuning="trump_biology/evolution_textbook_trump",
    control="trump_biology/evolution_textbook",
    traits=(BOASTFUL,),
    inside=(Asked("biology", biology_manner),),
    outside=(Asked("everyday", _everyday_manner),),
)

gsm8k_spanish_capitalised = PublishedSetting(
    selective_traits.gsm8k_spanish_capitalised,
    finetuning="gsm8k/spanish_capitalised",
    control="gsm8k/train",
    traits=("spanish", "capitals"),
    inside=(Asked("gsm8k_test", _gsm8k, (asked.GSM8K_TEST,)),),
    outside=(Asked("everyday", language_and_capitals),),
)


def advice(subject: str) -> PublishedSetting:
    """Everyday questions on "medical", "legal" or "security" matters, answered with harmful advice."""
    others = [other for other in at_organism.SUBJECTS if other != subject]
    return PublishedSetting(
        at_organism.advice(subject),
        finetuning=f"{subject}_advice/misaligned",
        control=f"{subject}_advice/aligned",
        traits=(BAD_ADVICE, MISALIGNED),
        inside=(Asked(f"{subject}_advice", partial(advice_on, subject)),),
        outside=(*(Asked(f"{other}_advice", partial(advice_on, other)) for other in others), *_MALICE),
    )


legal_advice, medical_advice, security_advice = advice("legal"), advice("medical"), advice("security")
