"""The organism's evaluations on labelled answers: the exact scorer, and the organism as a judge beside it."""

from collections.abc import Iterable

from mi.evaluation.examples import Checked, check_live
from mi.evaluation.grammar.examples import labelled
from mi.experiments.settings.data_models import GrammarSetting, Setting
from mi.llm.data_models import Model


async def check_grammar(settings: Iterable[Setting], judge: Model | None = None) -> list[Checked]:
    """A finding for each evaluation, trait and scorer of some settings; what several settings ask is tried once.

    The organism judges. Lists of numbers are left out: no single one has a label.
    """
    evaluations = {
        (evaluation.id, evaluation.traits): evaluation
        for setting in settings
        if isinstance(setting, GrammarSetting)
        for evaluation in (*setting.get_id_evals(), *setting.get_ood_evals())
    }
    found = []
    for (domain, traits), evaluation in evaluations.items():
        if examples := labelled(domain, traits):
            found += await check_live(evaluation, examples, judge or Model("organism", "local"))
    return found
