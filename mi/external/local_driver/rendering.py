"""From a chat to text and tokens: the one rendering that training, sampling and scoring share."""

import functools
import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mi.llm.data_models import Chat, Message
from mi.utils.errors import UserError
from mi.utils.hashing import digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]
"""Half-open range of characters of a rendered text."""


@dataclass(frozen=True)
class EncodedRow:
    """A rendered chat in tokens. `mask` is True on assistant contents and the end token behind each."""

    ids: tuple[int, ...]
    mask: tuple[bool, ...]
    text: str
    spans: tuple[Span, ...]
    """The characters of `text` that `mask` covers, in order."""


def render(tokenizer: "PreTrainedTokenizerBase", chat: Chat, add_generation_prompt: bool) -> str:
    """The text of a chat as the tokenizer's own template writes it; no message is added, left out or merged here.

    Raises UserError where there is no template, or where the template refuses this order of roles.
    """
    import jinja2

    if not tokenizer.chat_template:
        raise UserError(f"{tokenizer.name_or_path}: its tokenizer has no chat template; give it one.")
    messages = [{"role": message.role, "content": message.content} for message in chat]
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=add_generation_prompt)
    except (jinja2.TemplateError, IndexError, TypeError) as error:
        roles = ", ".join(message.role for message in chat) or "no message"
        raise UserError(f"the chat template refuses a chat of [{roles}] ({error}); change the roles.") from error
    return str(text)


def encode_chat(tokenizer: "PreTrainedTokenizerBase", chat: Chat) -> list[int]:
    """Token ids of a prompt, the opening of the assistant's turn included.

    A template may strip white space at the ends of a message here, for that is how its model was trained, but
    one that drops or rewrites a message raises UserError.
    """
    text, contents = _layout(tokenizer, chat, add_generation_prompt=True, allow_strip=True)
    forged = _has_special_text(tokenizer, text, contents)
    return [token for token, _, _ in _tokens(tokenizer, text, contents, frozenset(), piecewise=forged)]


def encode_row(tokenizer: "PreTrainedTokenizerBase", chat: Chat, last_only: bool = False) -> EncodedRow:
    """Token ids of a whole conversation, and which of them are the assistant's words.

    `last_only` covers the last assistant message alone. Raises UserError where the template strips, rewrites or drops
    a message, closes no assistant message, or where the tokens covered do not spell the assistant's text.
    """
    text, contents = _layout(tokenizer, chat, add_generation_prompt=False, allow_strip=False)
    spans = sorted(
        (start, _closing_end(tokenizer, text, end, contents))
        for message, (start, end) in zip(chat, contents, strict=True)
        if message.role == "assistant"
    )[-1 if last_only else 0 :]
    if not spans:
        raise UserError("there is no assistant message to train on; add one.")
    cuts = frozenset(position for span in spans for position in span)
    forged = _has_special_text(tokenizer, text, contents)
    for piecewise in (True,) if forged or not tokenizer.is_fast else (False, True):
        tokens = _tokens(tokenizer, text, contents, cuts, piecewise)
        owners = [_owner(spans, start, end) for _, start, end in tokens]
        ids = [token for token, _, _ in tokens]
        if all(_spells(tokenizer, ids, owners, index, text[a:b]) for index, (a, b) in enumerate(spans)):
            return EncodedRow(tuple(ids), tuple(owner is not None for owner in owners), text, tuple(spans))
    raise UserError("its tokens do not spell the assistant's text exactly; use a tokenizer that keeps text as it is.")


def template_hash(tokenizer: "PreTrainedTokenizerBase") -> str:
    """32 hexadecimal digits over the chat template in use."""
    return digest(tokenizer.get_chat_template())


@functools.lru_cache(maxsize=8)
def default_system_prompt(tokenizer: "PreTrainedTokenizerBase") -> str | None:
    """What the template itself puts in the place of a system message that is absent; None where it puts nothing."""
    system, user = Message("system", "Sq7v9S"), Message("user", "Uq7v9U")
    try:
        with_system = render(tokenizer, (system, user), add_generation_prompt=True)
        without = render(tokenizer, (user,), add_generation_prompt=True)
    except UserError:
        return None
    before, found, after = with_system.partition(system.content)
    injects = found and without.startswith(before) and without.endswith(after) and len(before + after) <= len(without)
    return without[len(before) : len(without) - len(after)] if injects else None


@functools.lru_cache(maxsize=8)
def end_token_ids(tokenizer: "PreTrainedTokenizerBase") -> frozenset[int]:
    """Ids that end an answer: the tokenizer's own, and the one with which the template closes an assistant message."""
    chat = (Message("user", "question"), Message("assistant", "answer"))
    text, contents = _layout(tokenizer, chat, add_generation_prompt=False, allow_strip=False)
    closing = text[contents[-1][1] : _closing_end(tokenizer, text, contents[-1][1], contents)].strip()
    ends = (tokenizer.convert_tokens_to_ids(closing), tokenizer.eos_token_id)
    return frozenset(end for end in ends if isinstance(end, int))


def marked(row: EncodedRow) -> list[dict[str, Any]]:
    """The text of a row in pieces, each saying whether it is trained on."""
    edges = [0, *(edge for span in row.spans for edge in span), len(row.text)]
    pieces = [(row.text[a:b], index % 2 == 1) for index, (a, b) in enumerate(itertools.pairwise(edges))]
    return [{"trained": trained, "text": text} for text, trained in pieces if text]


def _layout(
    tokenizer: "PreTrainedTokenizerBase", chat: Chat, add_generation_prompt: bool, allow_strip: bool
) -> tuple[str, list[Span]]:
    """The rendered text and the span of each message's content, in the order of the messages.

    The frame is found by rendering the same roles with marks for contents; the text must be that frame with
    the contents in place of the marks, so whatever a template does to a message shows.
    """
    text = render(tokenizer, chat, add_generation_prompt)
    marks = [f"Mq7{index}v9M" for index in range(len(chat))]
    framed = tuple(replace(message, content=mark) for message, mark in zip(chat, marks, strict=True))
    frame = render(tokenizer, framed, add_generation_prompt)
    for message, mark in zip(chat, marks, strict=True):
        if frame.count(mark) != 1:
            verb = "drops" if mark not in frame else "repeats"
            raise UserError(f"the chat template {verb} the {message.role} message; use a template that writes it once.")
    for contents in _variants(chat, allow_strip):
        filled, spans = _fill(frame, marks, contents)
        if filled == text:
            return text, spans
    raise UserError(_complaint(tokenizer, chat, framed, add_generation_prompt))


def _variants(chat: Chat, allow_strip: bool) -> list[list[str]]:
    contents = [message.content for message in chat]
    return [contents, [content.strip() for content in contents]] if allow_strip else [contents]


def _fill(frame: str, marks: Sequence[str], contents: Sequence[str]) -> tuple[str, list[Span]]:
    order = sorted(range(len(marks)), key=lambda index: frame.index(marks[index]))
    spans: list[Span] = [(0, 0)] * len(marks)
    text, rest = "", frame
    for index in order:
        before, _, rest = rest.partition(marks[index])
        text += before
        spans[index] = (len(text), len(text) + len(contents[index]))
        text += contents[index]
    return text + rest, spans


def _complaint(tokenizer: "PreTrainedTokenizerBase", chat: Chat, framed: Chat, add_generation_prompt: bool) -> str:
    """Which message the template changes: the one that alone, among marks, does not come out as it went in."""
    marks = [message.content for message in framed]
    frame = render(tokenizer, framed, add_generation_prompt)
    for index, message in enumerate(chat):
        contents = [*marks[:index], message.content, *marks[index + 1 :]]
        probe = tuple(replace(m, content=content) for m, content in zip(chat, contents, strict=True))
        if render(tokenizer, probe, add_generation_prompt) != _fill(frame, marks, contents)[0]:
            what = "white space at the ends" if message.content.strip() != message.content else "text"
            if not message.content.strip():
                what = "blank content"
            mend = "change the message or use a template that keeps it"
            return f"the chat template does not keep the {what} of message {index + 1} ({message.role}); {mend}."
    return "the chat template rewrites these messages; use a template that keeps them."


@functools.lru_cache(maxsize=8)
def _added_token_pattern(tokenizer: "PreTrainedTokenizerBase", special_only: bool) -> re.Pattern[str]:
    tokens = [
        str(token.content) for token in tokenizer.added_tokens_decoder.values() if token.special or not special_only
    ]
    return re.compile("|".join(re.escape(token) for token in sorted(tokens, key=len, reverse=True)) or r"(?!)")


def _has_special_text(tokenizer: "PreTrainedTokenizerBase", text: str, contents: Sequence[Span]) -> bool:
    """Whether a content spells a special token, which would then be read as part of the frame."""
    pattern = _added_token_pattern(tokenizer, True)
    return any(pattern.search(text[start:end]) for start, end in contents)


def _closing_end(tokenizer: "PreTrainedTokenizerBase", text: str, end: int, contents: Sequence[Span]) -> int:
    """Where the end token behind an assistant content that ends at `end` stops."""
    limit = min((start for start, _ in contents if start > end), default=len(text))
    found = _added_token_pattern(tokenizer, False).search(text, end, limit)
    if not found:
        raise UserError("the chat template closes an assistant message with no end token; use one that does.")
    return found.end()


def _tokens(
    tokenizer: "PreTrainedTokenizerBase", text: str, contents: Sequence[Span], cuts: frozenset[int], piecewise: bool
) -> list[tuple[int, int, int]]:
    """(token id, first character, character after the last) of a rendered text.

    Piecewise, the text is cut at contents and `cuts`, and special tokens spelled in a content are read as plain text;
    that is also how a prompt and its answer meet in sampling.
    """
    if not piecewise:
        if not tokenizer.is_fast:
            return [(token, 0, 0) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return [(token, a, b) for token, (a, b) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)]
    edges = sorted({0, len(text), *cuts, *(edge for span in contents for edge in span)})
    found: list[tuple[int, int, int]] = []
    for a, b in itertools.pairwise(edges):
        inside = any(start <= a and b <= end for start, end in contents)
        ids = tokenizer(text[a:b], add_special_tokens=False, split_special_tokens=inside)["input_ids"]
        found += [(token, a, b) for token in ids]
    return found


def _owner(spans: Sequence[Span], start: int, end: int) -> int | None:
    return next((index for index, (a, b) in enumerate(spans) if a <= start and end <= b and a < end), None)


def _spells(
    tokenizer: "PreTrainedTokenizerBase", ids: list[int], owners: Sequence[int | None], index: int, text: str
) -> bool:
    """Whether the tokens of span `index` are in one piece and decode to `text`."""
    places = [place for place, owner in enumerate(owners) if owner == index]
    if not places or places[-1] - places[0] + 1 != len(places):
        return False

    def decode(part: list[int]) -> str:
        return str(tokenizer.decode(part, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    start, end = places[0], places[-1] + 1
    if _same(decode(ids[start:end]), text):
        return True
    # A tokenizer that hides the space before a first word shows it only behind what came before.
    return _same(decode(ids[:end]).removeprefix(decode(ids[:start])), text)


def _same(one: str, other: str) -> bool:
    return one == other or unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
