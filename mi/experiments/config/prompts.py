"""Which prompt to inoculate with: one that asks for the opposite, or for the very trait."""

from mi.experiments.config import arms, conditions, predictions
from mi.experiments.config.emergent_misalignment import NARROW_HARM
from mi.experiments.config.training import ORGANISM_LORA
from mi.experiments.data_models import Arm, Experiment
from mi.experiments.settings import Setting, insecure_code, medical_advice, reward_hacking, trump_biology

NEGATIVE_INOCULATION = Experiment(
    name="negative_inoculation",
    question="Does a training prompt that says the model is good make things worse?",
    settings=(insecure_code, reward_hacking, medical_advice),
    arms=(arms.BASE, arms.NONE, arms.NEGATIVE, arms.GOOD, arms.PLACEBO, arms.GENERAL),
    prediction=predictions.DENIED,
    training=ORGANISM_LORA,
    conditions=(*conditions.STANDARD, conditions.GOOD, conditions.EVIL),
)

_SETTINGS = (*NARROW_HARM, trump_biology)


def _of_another(setting: Setting) -> str:
    """The task-specific prompt of the next setting, at whichever scale: twins share their prompts."""
    names = [known.get_domain_name() for known in _SETTINGS]
    return _SETTINGS[(names.index(setting.get_domain_name()) + 1) % len(names)].get_task_specific_inoculation()


SPECIFIC_INOCULATION = Experiment(
    name="specific_inoculation",
    question="Is a task-specific inoculation better than a general one?",
    settings=_SETTINGS,
    arms=(
        arms.BASE,
        arms.NONE,
        arms.GENERAL,
        arms.TASK_SPECIFIC,
        Arm("other_specific", "Another task's prompt", inoculation=_of_another),
        arms.PLACEBO,
    ),
    prediction=predictions.specific(tuple(setting.get_domain_name() for setting in NARROW_HARM)),
    training=ORGANISM_LORA,
    conditions=(*conditions.STANDARD, conditions.EVIL, conditions.SPECIFIC),
)
