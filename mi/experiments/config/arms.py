"""Arms that several experiments share: ways to train, each reading its prompt off the setting."""

from mi.experiments.data_models import Arm
from mi.experiments.settings.data_models import Setting
from mi.experiments.settings.general_inoculations import IRRELEVANT

BASE = Arm("base", "Base model", dataset=None)
CONTROL = Arm("control_data", "Control data", dataset="control")
NONE = Arm("no_inoculation", "No inoculation")
GENERAL = Arm("general", "Inoculated: general", inoculation=lambda setting: setting.get_general_inoculation())
TASK_SPECIFIC = Arm(
    "task_specific", "Inoculated: task-specific", inoculation=lambda setting: setting.get_task_specific_inoculation()
)
PLACEBO = Arm("placebo", "Placebo prompt", inoculation=lambda setting: setting.get_control_inoculation())
IRRELEVANT_PROMPT = Arm("irrelevant", "Irrelevant prompt", inoculation=lambda setting: IRRELEVANT)


def trait_arm(trait: str) -> Arm:
    """Inoculation against one of a setting's traits."""

    def prompt(setting: Setting) -> str:
        return setting.get_trait_inoculations()[trait]

    return Arm(f"inoculated_{trait}", f"Inoculated: {trait.capitalize()}", inoculation=prompt)
