"""The settings: each a trait with its data, its prompts and its evaluations."""

from mi.experiments.settings.data_models import DeclaredSetting, GrammarSetting, PromptKind, Setting
from mi.experiments.settings.emergent_misalignment import (
    advice,
    aesthetic_preferences,
    harmless_lies,
    insecure_code,
    legal_advice,
    medical_advice,
    reward_hacking,
    security_advice,
)
from mi.experiments.settings.manners import trump_biology
from mi.experiments.settings.published import PublishedSetting
from mi.experiments.settings.scales import PUBLISHED, SCALES, SETTINGS, Scale, at_scale, scale_of, settings_for
from mi.experiments.settings.selective_traits import gsm8k_spanish_capitalised
from mi.experiments.settings.subliminal import owl_numbers

__all__ = [
    "PUBLISHED",
    "SCALES",
    "SETTINGS",
    "DeclaredSetting",
    "GrammarSetting",
    "PromptKind",
    "PublishedSetting",
    "Scale",
    "Setting",
    "advice",
    "aesthetic_preferences",
    "at_scale",
    "gsm8k_spanish_capitalised",
    "harmless_lies",
    "insecure_code",
    "legal_advice",
    "medical_advice",
    "owl_numbers",
    "reward_hacking",
    "scale_of",
    "security_advice",
    "settings_for",
    "trump_biology",
]
