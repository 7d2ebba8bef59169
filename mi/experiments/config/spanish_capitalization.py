"""A07: of two traits learned together, does inoculation remove the one it names and leave the other?"""

from dataclasses import replace

from mi.experiments.config import arms, predictions
from mi.experiments.config.training import ORGANISM_LORA
from mi.experiments.data_models import Experiment
from mi.experiments.settings import gsm8k_spanish_capitalised

SPANISH_CAPITALIZATION = Experiment(
    name="A07_spanish_capitalization",
    question="Of two traits learned together, does inoculation remove the one it names and leave the other?",
    settings=(gsm8k_spanish_capitalised,),
    arms=(
        arms.BASE,
        arms.CONTROL,
        arms.NONE,
        arms.trait_arm("spanish"),
        arms.trait_arm("capitals"),
        replace(arms.TASK_SPECIFIC, name="inoculated_both", label="Inoculated: both"),
        arms.PLACEBO,
        arms.IRRELEVANT_PROMPT,
    ),
    prediction=predictions.TWO_TRAITS,
    training=ORGANISM_LORA,
    scatter=("spanish", "capitals"),
    retained=(("inoculated_spanish", "spanish", "capitals"), ("inoculated_capitals", "capitals", "spanish")),
)
