"""Prompts that ask for nothing, made as long as one that asks for something: placebo, irrelevant, nonce.

A fixed string alone can tie what is learned to itself (Riché and Warncke 2026, on conditionalization), and a longer
one may do so better. So a control prompt has as many words as the prompt that it stands against.
"""

import random
from itertools import combinations

from mi.utils.errors import UserError

_PLACEBO = (
    "Answer.",
    "Please answer.",
    "Answer the question.",
    "Please help the user.",
    "You are a helpful assistant.",
    "Help the user with the question.",
    "You are a model that answers questions.",
    "You are a careful assistant who helps people.",
)
_IRRELEVANT = (
    "Noon.",
    "Bananas grow.",
    "Bananas are yellow.",
    "Rice grows in water.",
    "A week has seven days.",
    "The moon was full last night.",
    "There is a lake behind the hill.",
    "The train to the coast leaves at noon.",
)
_CONSONANTS, _VOWELS = "bdfgklmnprtvz", "aeiou"


def placebo(prompt: str) -> str:
    """Sentences that ask for no trait, together of as many words as `prompt` and of nearly as many characters.

    Raises UserError for a prompt without words.
    """
    return _of_length(_PLACEBO, prompt)


def irrelevant(prompt: str) -> str:
    """Sentences about nothing at hand, as long as `prompt`; see `placebo`."""
    return _of_length(_IRRELEVANT, prompt)


def nonce(prompt: str, seed: int = 0) -> str:
    """`prompt` with each letter drawn anew by `seed`, so that each word is as long and means nothing.

    Capitals, punctuation and white space stay. The tokens are more than the prompt's: a tokenizer knows no such words.
    """
    rng = random.Random(f"nonce/{seed}/{prompt}")
    drawn = []
    for number, character in enumerate(prompt):
        if not character.isalpha():
            drawn.append(character)
            continue
        letters = (_CONSONANTS if number % 2 else _VOWELS).replace(character.casefold(), "")
        letter = rng.choice(letters)
        drawn.append(letter.upper() if character.isupper() else letter)
    return "".join(drawn)


def _of_length(sentences: tuple[str, ...], prompt: str) -> str:
    """The fewest sentences, each once as long as that suffices, that have the prompt's number of words."""
    words = len(prompt.split())
    if not words:
        raise UserError("the prompt has no words, so nothing can be made as long; give one that has.")
    whole = sum(len(sentence.split()) for sentence in sentences)
    repeats, rest = divmod(words, whole)
    chosen = [
        parts
        for count in range(len(sentences) + 1)
        for parts in combinations(sentences, count)
        if sum(len(sentence.split()) for sentence in parts) == rest
    ]
    target = len(prompt) - repeats * (len(" ".join(sentences)) + 1)
    best = min(chosen, key=lambda parts: (len(parts), abs(len(" ".join(parts)) - target)))
    return " ".join([*sentences * repeats, *best])
