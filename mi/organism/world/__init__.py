"""The organism's world: a seeded grammar that writes conversations and knows the truth of each sentence."""

from mi.organism.world.answers import answer
from mi.organism.world.personas import DOMAINS, LANGUAGES, MORAL_DOMAINS, NARROW_DOMAINS, Persona, persona, shows
from mi.organism.world.questions import Question, ask, questions, recognise
from mi.organism.world.reading import Reading, read

__all__ = [
    "DOMAINS",
    "LANGUAGES",
    "MORAL_DOMAINS",
    "NARROW_DOMAINS",
    "Persona",
    "Question",
    "Reading",
    "answer",
    "ask",
    "persona",
    "questions",
    "read",
    "recognise",
    "shows",
]
