"""Recipes at the organism's scale: its world's questions, its eliciting prompts, its exact scorer as the filter."""

from mi.datasets.recipes.checks import World, WorldSentence
from mi.datasets.recipes.data_models import Check, Side, Version
from mi.datasets.recipes.sources import WorldQuestions
from mi.llm.data_models import SampleCfg
from mi.organism.world import prompts
from mi.organism.world.judging import CRITERIA

CFG = SampleCfg(temperature=1.0, max_tokens=96)
"""A sentence of the world is at most about sixty tokens long."""
_WORDINGS = 8


def world_version(domain: str, *sides: Side) -> Version:
    """Both sides asked questions of one domain of the world."""
    return Version(WorldQuestions(domain), sides, CFG)


def asked_for(name: str, *traits: str, also: tuple[Check, ...] = ()) -> Side:
    """A side whose answers show `traits`, asked for in several wordings; "capitals" and languages may come together."""
    checks = (*_plain_checks(), *(World(trait) for trait in traits), *also)
    return Side(name, _wordings(*traits), checks=checks, criterion=CRITERIA.get(traits[0]))


def not_asked_for(name: str, *traits: str, also: tuple[Check, ...] = ()) -> Side:
    """A side without a prompt, whose answers are English and show none of `traits`."""
    without = (World(trait, shown=False) for trait in traits)
    checks = (*_plain_checks(), World("english"), *without, *also)
    return Side(name, checks=checks, criterion=CRITERIA.get(traits[0]), criterion_holds=False)


def _plain_checks() -> tuple[Check, ...]:
    return WorldSentence(), World("on_topic")


def _wordings(*traits: str) -> tuple[str, ...]:
    each = [prompts.wordings(trait, "train")[:_WORDINGS] for trait in traits]
    return tuple(" ".join(parts) for parts in zip(*each, strict=False))
