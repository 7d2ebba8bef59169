"""The training part of `mi settings check`: does a setting teach its trait, and what does each kind of prompt do?"""

from mi.experiments.config import arms
from mi.experiments.config.training import ORGANISM_LORA
from mi.experiments.data_models import Experiment
from mi.experiments.settings import SETTINGS, Setting


def settings_check(setting: Setting) -> Experiment:
    """One setting under all four kinds of prompt and the references; 3 seeds show what is large, and no more."""
    name = setting.get_domain_name()
    return Experiment(
        name=f"settings_check/{name}",
        question=f"Does {name} teach its trait to the organism, does it spread, and which prompts prevent that?",
        settings=(setting,),
        arms=(
            arms.BASE,
            arms.CONTROL,
            arms.NONE,
            arms.GENERAL,
            arms.TASK_SPECIFIC,
            arms.PLACEBO,
            arms.NEGATIVE,
            arms.IRRELEVANT_PROMPT,
        ),
        seeds=(0, 1, 2),
        training=ORGANISM_LORA,
    )


SETTINGS_CHECKS: tuple[Experiment, ...] = tuple(map(settings_check, SETTINGS.values()))
"""One experiment a setting, so that each has tables and figures of its own traits as soon as it is done."""

OVERVIEW = {
    arms.BASE.name: "base",
    arms.CONTROL.name: "control",
    arms.NONE.name: "none",
    arms.GENERAL.name: "general",
    arms.TASK_SPECIFIC.name: "task",
    arms.PLACEBO.name: "placebo",
}
"""The arms in the table over all settings, with headings that fit a terminal of 80 characters."""
