"""Control prompts: as long as what they stand against, and about nothing of it."""

import re

import pytest

from mi.experiments.settings import SETTINGS
from mi.experiments.settings.control_prompts import irrelevant, nonce, placebo
from mi.utils.errors import UserError

PROMPTS = [prompt for setting in SETTINGS.values() for prompt in setting.get_prompts().values()]
LENGTHS = [" ".join(["word"] * n) for n in range(1, 90)]


@pytest.mark.parametrize("make", [placebo, irrelevant, nonce])
def test_a_control_prompt_has_as_many_words(make):
    for prompt in {*PROMPTS, *LENGTHS}:
        assert len(make(prompt).split()) == len(prompt.split())


@pytest.mark.parametrize("make", [placebo, irrelevant])
def test_a_control_prompt_names_no_trait_and_is_made_of_whole_sentences(make):
    for prompt in PROMPTS:
        assert not set(make(prompt).casefold().split()) & {"evil", "insecure", "spanish", "owls", "bad", "lies"}
        assert re.fullmatch(r"([A-Z][^.]*\.)( [A-Z][^.]*\.)*", make(prompt))


def test_a_nonce_prompt_keeps_the_shape_of_each_word_and_no_word():
    for prompt in PROMPTS:
        made = nonce(prompt)
        assert made == nonce(prompt) != nonce(prompt, seed=1)
        assert [re.sub("[a-z]", "a", re.sub("[A-Z]", "A", text)) for text in (made,)] == [
            re.sub("[a-z]", "a", re.sub("[A-Z]", "A", prompt))
        ]
        assert not set(made.casefold().split()) & set(prompt.casefold().split())


def test_a_prompt_without_words_has_no_control():
    with pytest.raises(UserError, match="has no words"):
        placebo(" ")
