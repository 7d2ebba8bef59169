"""Training rows from the grammar: what a persona answers to questions of one domain."""

import random

from mi.organism.world.answers import answer
from mi.organism.world.personas import Persona
from mi.organism.world.questions import ask


def rows(
    domain: str, n: int, seed: int, traits: tuple[str, ...] = (), split: str = "train"
) -> list[dict[str, list[dict[str, str]]]]:
    """`n` rows `{"messages": [user, assistant]}` whose answers show `traits`; questions from `split`, drawn by `seed`.

    Two calls that differ in `traits` only ask the same questions in the same order.
    """
    persona, asker = Persona(frozenset(traits)), random.Random(f"rows/{domain}/{split}/{seed}")
    made = []
    for number in range(n):
        question = ask(domain, split, asker)
        said = answer(question, persona, random.Random(f"answers/{domain}/{seed}/{number}"))
        made.append({"messages": [{"role": "user", "content": question.text}, {"role": "assistant", "content": said}]})
    return made
