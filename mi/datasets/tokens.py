"""A file through a model's tokenizer: how many tokens it is, and how its first rows look to the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mi.datasets.converters import Conversation
from mi.datasets.statistics import Length, length, texts_by_role
from mi.utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

RENDERED = 2
"""First rows that are shown as the model sees them."""


@dataclass(frozen=True)
class Tokens:
    """What a tokenizer makes of a file."""

    model: str
    template: str
    """The identity of its chat template."""
    lengths: dict[str, Length]
    """By role, and "row" for all of a row's contents; the frame that the template puts around them not counted."""
    rendered: tuple[str, ...]
    refused: str | None
    """Why the template would not write the first rows, None where it did."""


def tokenizer_of(model: str) -> "PreTrainedTokenizerBase":
    """The tokenizer of "organism", of a folder or of a model on the hub; its weights are not read.

    Raises UserError where there is none, and where the extra `local` is not installed.
    """
    from mi.external.local_driver.models import locate

    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise UserError("Tokens are counted with `pip install 'mi-inoculation[local]'`, or leave them out.") from error
    try:
        return AutoTokenizer.from_pretrained(locate(model))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{model}: no tokenizer can be read; give 'organism', a folder, or an id on the hub."
        ) from error


def tokens_of(rows: Sequence[Conversation], tokenizer: "PreTrainedTokenizerBase", model: str) -> Tokens:
    """Count the tokens of a file's contents and render its first rows."""
    from mi.external.local_driver.rendering import template_hash

    texts = [texts_by_role(row) for row in rows]
    counts = {
        role: _counts(tokenizer, [by_role[role] for by_role in texts if role in by_role])
        for role in ("system", "user", "assistant")
    }
    left = {role: iter(numbers) for role, numbers in counts.items()}
    whole = [sum(next(left[role]) for role in by_role) for by_role in texts]
    rendered, refused = _render(rows[:RENDERED], tokenizer)
    lengths = {role: length(numbers) for role, numbers in counts.items() if numbers} | {"row": length(whole)}
    return Tokens(model, template_hash(tokenizer), lengths, rendered, refused)


def _counts(tokenizer: "PreTrainedTokenizerBase", texts: list[str]) -> list[int]:
    if not texts:
        return []
    encoded = tokenizer(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)
    return [len(ids) for ids in encoded["input_ids"]]


def _render(rows: Sequence[Conversation], tokenizer: "PreTrainedTokenizerBase") -> tuple[tuple[str, ...], str | None]:
    from mi.external.local_driver.rendering import render
    from mi.llm.data_models import as_messages

    try:
        chats = [as_messages(row["messages"]) for row in rows]
        ends = [chat[-1].role == "assistant" for chat in chats]
        return tuple(render(tokenizer, chat, not end) for chat, end in zip(chats, ends, strict=True)), None
    except UserError as error:
        return (), str(error)
