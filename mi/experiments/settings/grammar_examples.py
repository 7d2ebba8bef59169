"""A setting of the organism's scale on labelled answers: the exact scorer, and the organism as a judge beside it."""

from mi.evaluation.examples import Checked, check_live
from mi.evaluation.grammar.examples import labelled
from mi.experiments.settings.data_models import GrammarSetting, Setting
from mi.llm.data_models import Model


async def check_grammar(setting: Setting, judge: Model | None = None) -> list[Checked]:
    """One finding for each evaluation, trait and scorer; the organism judges. None for lists of numbers."""
    found = []
    for evaluation in (*setting.get_id_evals(), *setting.get_ood_evals()):
        if isinstance(setting, GrammarSetting) and (examples := labelled(evaluation.id, evaluation.traits)):
            found += await check_live(evaluation, examples, judge or Model("organism", "local"))
    return found
