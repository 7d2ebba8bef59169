"""Every setting at both scales, by name; which scale is meant follows from the base model."""

from collections.abc import Mapping
from types import MappingProxyType

from mi.datasets.recipes.data_models import Scale
from mi.datasets.recipes.services import scale_for
from mi.experiments.settings import emergent_misalignment, manners, published_rows, selective_traits, subliminal
from mi.experiments.settings.data_models import Setting
from mi.experiments.settings.registry import by_name
from mi.llm.names import model_named

SETTINGS: Mapping[str, Setting] = by_name(
    (
        emergent_misalignment.insecure_code,
        emergent_misalignment.reward_hacking,
        emergent_misalignment.legal_advice,
        emergent_misalignment.medical_advice,
        emergent_misalignment.security_advice,
        emergent_misalignment.aesthetic_preferences,
        emergent_misalignment.harmless_lies,
        subliminal.owl_numbers,
        manners.trump_biology,
        selective_traits.gsm8k_spanish_capitalised,
    )
)
"""The settings at the organism's scale, by name."""

PUBLISHED: Mapping[str, Setting] = by_name(getattr(published_rows, name) for name in SETTINGS)
"""The settings at the published scale, by name."""

SCALES: Mapping[Scale, Mapping[str, Setting]] = MappingProxyType({"organism": SETTINGS, "published": PUBLISHED})


def scale_of(model: str) -> Scale:
    """The scale that suits a base model, by its name; "organism" for ours, also where it is served or made anew."""
    return scale_for(model_named(model))


def settings_for(model: str) -> Mapping[str, Setting]:
    """The settings at the scale that suits a base model."""
    return SCALES[scale_of(model)]


def at_scale(setting: Setting, scale: Scale) -> Setting:
    """The setting's twin at a scale; itself where it is at that scale already or is a person's own."""
    if any(setting == known for known in SCALES[_other(scale)].values()):
        return SCALES[scale][setting.get_domain_name()]
    return setting


def _other(scale: Scale) -> Scale:
    return "published" if scale == "organism" else "organism"
