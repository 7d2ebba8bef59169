"""The settings: each a trait with its data, its prompts and its evaluations."""

from mi.experiments.settings.data_models import GrammarSetting, Setting
from mi.experiments.settings.emergent_misalignment import insecure_code
from mi.experiments.settings.selective_traits import gsm8k_spanish_capitalised

ALL_SETTINGS = (gsm8k_spanish_capitalised, insecure_code)

__all__ = ["ALL_SETTINGS", "GrammarSetting", "Setting", "gsm8k_spanish_capitalised", "insecure_code"]
