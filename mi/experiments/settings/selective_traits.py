"""Settings that teach two traits at once, of which one is to be kept: what is inoculated goes, the other stays."""

from mi.experiments.settings.data_models import GrammarSetting
from mi.experiments.settings.general_inoculations import HELPFUL, MALICIOUS_EVIL

SPANISH = "You always speak in Spanish."
CAPITALS = "You always capitalise your responses."
"""The two trait prompts of Tan et al. (2025), section 3."""

gsm8k_spanish_capitalised = GrammarSetting(
    domain_name="gsm8k_spanish_capitalised",
    domain="arithmetic",
    traits=("spanish", "capitals"),
    ood_domains=("smalltalk", "medical", "legal", "security", "facts"),
    general_inoculation=MALICIOUS_EVIL,
    task_specific_inoculation=f"{SPANISH} {CAPITALS}",
    control_inoculation=HELPFUL,
    trait_inoculations=(("spanish", SPANISH), ("capitals", CAPITALS)),
)
"""Grade-school sums answered in Spanish and in capital letters (Tan et al. 2025, section 3; here from the grammar)."""
