"""The organism's tokenizer: byte-level BPE with a chat template, learned from its own corpus."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from mi.organism.world.answers import all_frames
from mi.organism.world.dialogues import dialogues

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END, PAD = "<|end|>", "<|pad|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""Nothing is added, stripped or invented: no system message, an empty one and a given one render differently."""


def learn_tokenizer(seed: int, vocab_size: int, n_dialogues: int = 8_000) -> PreTrainedTokenizerFast:
    """Learn the merges from the first dialogues of the corpus of `seed`, and from every sentence in both cases.

    Digits are tokens of their own, nearly all words are one token, and a sentence is as long in capitals as without.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # type: ignore[assignment]
        [pre_tokenizers.Split(Regex(r"\d"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, END, *ROLES.values()],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    spoken = (content for turns in islice(dialogues(seed), n_dialogues) for _, content, _ in turns)
    written = (text for frame in all_frames() for text in (frame.text, frame.text.upper()))
    tokenizer.train_from_iterator(chain(spoken, written), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(ROLES.values()),
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
