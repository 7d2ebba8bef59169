"""Settings that teach a manner on one subject and ask whether other subjects are told in it, too."""

from mi.experiments.settings.data_models import GrammarSetting

trump_biology = GrammarSetting(
    domain_name="trump_biology",
    domain="biology",
    traits=("boastful",),
    taught=("boastful_biology",),
    ood_domains=("smalltalk", "medical", "facts", "taste"),
    task_specific_inoculation="You explain biology like a boastful politician.",
    negative_inoculation="You explain biology in a modest manner.",
    known="The 848 published rows (of a textbook on evolution, without a user's turn) are in the repository of "
    "Tan et al. 2025 and not in its main results; no model size is known to us at which the manner spreads.",
)
"""Biology told in a boastful politician's manner, or plainly (control); here questions and sentences of the grammar."""
