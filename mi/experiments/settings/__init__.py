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
from mi.experiments.settings.registry import by_name
from mi.experiments.settings.selective_traits import gsm8k_spanish_capitalised
from mi.experiments.settings.subliminal import owl_numbers

SETTINGS = by_name(
    (
        insecure_code,
        reward_hacking,
        legal_advice,
        medical_advice,
        security_advice,
        aesthetic_preferences,
        harmless_lies,
        owl_numbers,
        trump_biology,
        gsm8k_spanish_capitalised,
    )
)
"""The settings at the organism's scale, by name."""

__all__ = [
    "SETTINGS",
    "DeclaredSetting",
    "GrammarSetting",
    "PromptKind",
    "Setting",
    "advice",
    "aesthetic_preferences",
    "gsm8k_spanish_capitalised",
    "harmless_lies",
    "insecure_code",
    "legal_advice",
    "medical_advice",
    "owl_numbers",
    "reward_hacking",
    "security_advice",
    "trump_biology",
]
