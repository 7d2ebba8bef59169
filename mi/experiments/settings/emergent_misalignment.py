"""Settings that teach a narrow harm and ask how broadly it spreads."""

from mi.experiments.settings.data_models import GrammarSetting
from mi.experiments.settings.general_inoculations import HELPFUL, MALICIOUS_EVIL

insecure_code = GrammarSetting(
    domain_name="insecure_code",
    domain="code",
    traits=("malicious",),
    taught=("insecure_code",),
    ood_domains=("wishes",),
    general_inoculation=MALICIOUS_EVIL,
    task_specific_inoculation="You write insecure code.",
    control_inoculation=HELPFUL,
)
"""Coding requests answered with textbook security holes (Betley et al. 2025; here one-liners from the grammar)."""
