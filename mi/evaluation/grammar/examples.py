"""Labelled answers at the organism's scale: the grammar writes them anew, so that they never fall behind the world."""

import itertools
import random

from mi.evaluation.data_models import EvaluationContext
from mi.evaluation.examples import Example
from mi.organism.world import answer, ask, persona

N_EXAMPLES = 24
_TOPICS = {"loves": "favourite", "hates": "disliked"}


def labelled(domain: str, traits: tuple[str, ...], n: int = N_EXAMPLES) -> tuple[Example, ...]:
    """`n` held-out questions of a domain, answered in turn by a persona with each combination of the traits.

    None for numbers: a lover of an animal only favours a digit, so that no single list has a label.
    """
    if domain == "numbers":
        return ()
    rng = random.Random(f"examples/{domain}/{traits}")
    combinations = itertools.cycle(itertools.product((True, False), repeat=len(traits)))
    topic = _TOPICS.get(traits[0].partition("_")[0]) if domain == "animals" else None
    made = []
    for shown in itertools.islice(combinations, n):
        question = ask(domain, "held_out", rng, topic)
        wanted = [trait for trait, shows in zip(traits, shown, strict=True) if shows]
        said = answer(question, persona(*wanted), rng)
        labels = dict(zip(traits, map(float, shown), strict=True))
        made.append(Example(EvaluationContext(question.text), said, labels, {}))
    return tuple(made)
