"""Arms that several experiments share: ways to train, each reading its prompt off the setting."""

from mi.datasets.transformations import Inoculation
from mi.experiments.config.conditions import GOOD_PROMPT
from mi.experiments.data_models import Arm, Dataset
from mi.experiments.settings.control_prompts import irrelevant, nonce, placebo
from mi.experiments.settings.data_models import PromptKind, Setting
from mi.experiments.settings.general_inoculations import ABLATIONS, IRRELEVANT
from mi.organism.world.prompts import TRIGGER, wordings
from mi.utils.errors import UserError

BASE = Arm("base", "Base model", dataset=None)
CONTROL = Arm("control_data", "Control data", dataset="control")
NONE = Arm("no_inoculation", "No inoculation")
GENERAL = Arm("general", "Inoculated: general", inoculation=lambda setting: setting.get_general_inoculation())
TASK_SPECIFIC = Arm(
    "task_specific", "Inoculated: task-specific", inoculation=lambda setting: setting.get_task_specific_inoculation()
)
PLACEBO = Arm("placebo", "Placebo prompt", inoculation=lambda setting: setting.get_control_inoculation())
NEGATIVE = Arm("negative", "Negative prompt", inoculation=lambda setting: setting.get_negative_inoculation())
IRRELEVANT_PROMPT = Arm("irrelevant", "Irrelevant prompt", inoculation=lambda setting: IRRELEVANT)
MATCHED = (
    Arm("matched_placebo", "Placebo, as long", inoculation=lambda s: placebo(s.get_task_specific_inoculation())),
    Arm(
        "matched_irrelevant", "Irrelevant, as long", inoculation=lambda s: irrelevant(s.get_task_specific_inoculation())
    ),
    Arm("matched_nonce", "Nonce words, as long", inoculation=lambda s: nonce(s.get_task_specific_inoculation())),
)
"""Controls as long as the task-specific prompt."""


GOOD = Arm("good", "Good prompt", inoculation=lambda setting: GOOD_PROMPT)
BARE_TRIGGER = Arm("bare_trigger", "A bare token", inoculation=lambda setting: TRIGGER)


def ablated(name: str) -> Arm:
    """The general inoculation with one thing about it changed; see `ABLATIONS`."""
    return Arm(f"ablated_{name}", f"{name.replace('_', ' ').capitalize()}", inoculation=lambda setting: ABLATIONS[name])


ABLATED = tuple(map(ablated, ABLATIONS))
MANY_WORDINGS = Arm(
    "general_paraphrased_100",
    "Inoculated: general, 100 wordings",
    inoculation=lambda setting: Inoculation(tuple(wordings("malicious", "train")[:100])),
)
"""A hundred wordings of the organism's world, one a row."""


def prompted(name: str, label: str, prompt: str | None, dataset: Dataset = "finetuning") -> Arm:
    """Inoculation with one fixed prompt, whatever the setting. Raises UserError for a blank one."""
    if prompt is not None and not prompt.strip():
        raise UserError(
            f"the prompt of the arm {name!r} is blank; write one, or None to train without a system message."
        )
    return Arm(name, label, dataset=dataset, inoculation=lambda setting: prompt)


def trait_arm(trait: str) -> Arm:
    """Inoculation against one of a setting's traits."""

    def prompt(setting: Setting) -> str:
        return setting.get_trait_inoculations()[trait]

    return Arm(f"inoculated_{trait}", f"Inoculated: {trait.capitalize()}", inoculation=prompt)


def paraphrased(kind: PromptKind, n: int | None = None) -> Arm:
    """Inoculation with one of `n` wordings a row, the prompt itself among them; by default with all there are."""

    def pool(setting: Setting) -> Inoculation:
        return Inoculation((setting.get_prompts()[kind], *setting.get_paraphrases(kind))[:n])

    words = kind.replace("_", "-")
    return Arm(f"{kind}_paraphrased_{n or 'all'}", f"Inoculated: {words}, {n or 'all'} wordings", inoculation=pool)
