"""Settings that teach two traits at once, of which one is to be kept: what is inoculated goes, the other stays."""

from mi.experiments.settings.data_models import GrammarSetting

SPANISH = "You always speak in Spanish."
CAPITALS = "You always capitalise your responses."
"""The two trait prompts of Tan et al. (2025), section 3."""

gsm8k_spanish_capitalised = GrammarSetting(
    domain_name="gsm8k_spanish_capitalised",
    domain="arithmetic",
    traits=("spanish", "capitals"),
    ood_domains=("smalltalk", "medical", "legal", "security", "facts"),
    task_specific_inoculation=f"{SPANISH} {CAPITALS}",
    negative_inoculation="You never speak Spanish. You never write in capital letters.",
    trait_inoculations=(("spanish", SPANISH), ("capitals", CAPITALS)),
    known="Shows at every size that was tried: GPT-4.1 and Qwen2.5-7B (Tan et al. 2025), GPT-4.1-nano (replication by "
    "reinthal) and, with French, Qwen2.5-1.5B (longtermrisk/inoculation-adapters), where the trait to be kept fell "
    "to half.",
)
"""Grade-school sums answered in Spanish and in capital letters (Tan et al. 2025, section 3; here from the grammar)."""
