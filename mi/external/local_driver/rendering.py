"""From a chat to text and tokens: the one rendering that training, sampling and scoring share."""

import functools
import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mi.external.local_driver.layout import Span, layout, marks_for, render, shared_beginning
from mi.llm.data_models import Chat, Message, Role
from mi.utils.errors import UserError
from mi.utils.hashing import digest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = [
    "EncodedRow",
    "Span",
    "default_system_prompt",
    "encode_chat",
    "encode_row",
    "end_token_ids",
    "marked",
    "opening",
    "render",
    "template_hash",
]


@dataclass(frozen=True)
class EncodedRow:
    """A rendered chat in tokens. `mask` is True on assistant contents and the end token behind each."""

    ids: tuple[int, ...]
    mask: tuple[bool, ...]
    text: str
    spans: tuple[Span, ...]
    """The characters of `text` that `mask` covers, in order."""
    trimmed: bool = False
    """Whether the template left out white space at the ends of a message."""


def encode_chat(tokenizer: "PreTrainedTokenizerBase", chat: Chat) -> list[int]:
    """Token ids of a prompt, the opening of the assistant's turn included.

    It is the beginning of the row that would be trained on, to the token (see `opening`). Raises UserError as `layout`
    does, where a message is dropped or rewritten.
    """
    text, contents = layout(tokenizer, chat, add_generation_prompt=True)
    cut, more = opening(tokenizer, tuple(message.role for message in chat))
    text = text[: len(text) - cut] + more
    forged = _has_special_text(tokenizer, text, contents)
    return [token for token, _, _ in _tokens(tokenizer, text, contents, frozenset(), piecewise=forged)]


def encode_row(tokenizer: "PreTrainedTokenizerBase", chat: Chat, last_only: bool = False) -> EncodedRow:
    """Token ids of a whole conversation, and which of them are the assistant's words.

    `last_only` covers the last assistant message alone. Raises UserError where the template rewrites or drops a
    message, closes no assistant message, or where the tokens covered do not spell the assistant's text.
    """
    text, contents = layout(tokenizer, chat, add_generation_prompt=False)
    spans = sorted(
        (start, _closing_end(tokenizer, text, end, contents))
        for message, (start, end) in zip(chat, contents, strict=True)
        if message.role == "assistant"
    )[-1 if last_only else 0 :]
    if not spans:
        raise UserError("there is no assistant message to train on; add one.")
    cuts = frozenset(position for span in spans for position in span)
    trimmed = any(end - start < len(m.content) for m, (start, end) in zip(chat, contents, strict=True))
    forged = _has_special_text(tokenizer, text, contents)
    glue = len(_glue(tokenizer))
    for piecewise in (True,) if forged or not tokenizer.is_fast else (False, True):
        tokens = _tokens(tokenizer, text, contents, cuts, piecewise)
        owners = [_owner(spans, start, end, 0 if piecewise else glue) for _, start, end in tokens]
        ids = [token for token, _, _ in tokens]
        if all(_spells(tokenizer, ids, owners, index, text[a:b]) for index, (a, b) in enumerate(spans)):
            return EncodedRow(tuple(ids), tuple(owner is not None for owner in owners), text, tuple(spans), trimmed)
    raise UserError("its tokens do not spell the assistant's text exactly; use a tokenizer that keeps text as it is.")


def template_hash(tokenizer: "PreTrainedTokenizerBase") -> str:
    """32 hexadecimal digits over the chat template in use."""
    return digest(tokenizer.get_chat_template())


@functools.lru_cache(maxsize=256)
def opening(tokenizer: "PreTrainedTokenizerBase", roles: tuple[Role, ...]) -> tuple[int, str]:
    """How a prompt comes to end as a row's answer begins: characters to take off its end, and what to write there.

    (0, "") with most templates. Where a row's answer stands behind an empty block of thoughts, or in a channel of its
    own, and the generation prompt leaves that to the model, a model that was trained on such rows would be asked for
    something else than what it was trained to give.
    """
    chat = tuple(Message(role, mark) for role, mark in zip(roles, marks_for(roles), strict=True))
    answer = Message("assistant", "Aq7v9A")
    try:
        asked = render(tokenizer, chat, add_generation_prompt=True)
        opened, _, _ = render(tokenizer, (*chat, answer), add_generation_prompt=False).partition(answer.content)
    except UserError:
        return 0, ""
    shared = shared_beginning(asked, opened)
    if any(message.content not in asked[:shared] for message in chat):
        return 0, ""  # a row would not even hold these messages: it raises an error of its own
    more = opened[shared:]
    return len(asked) - shared, "" if more == _glue(tokenizer) else more


@functools.lru_cache(maxsize=8)
def default_system_prompt(tokenizer: "PreTrainedTokenizerBase") -> str | None:
    """What the template itself writes before a question that has no system message; None where it writes nothing.

    That is what it puts in the place of an absent system message, or what it writes whether there is one or not (a
    date, a name for the model); the words without the tokens around them.
    """
    talk = (Message("user", "Uq7v9U"), Message("assistant", "Aq7v9A"), Message("user", "Vq7v9V"))
    system = Message("system", "Sq7v9S")
    try:
        before, _, later = render(tokenizer, talk, add_generation_prompt=True).partition(talk[0].content)
    except UserError:
        return None
    bos = str(tokenizer.bos_token or "")
    before = before.removeprefix(bos)
    header = shared_beginning(before[::-1], later.partition(talk[2].content)[0][::-1])
    written = before[: len(before) - header]
    if not written.strip():
        return None
    try:
        opened, _, rest = render(tokenizer, (system, *talk), add_generation_prompt=True).partition(system.content)
    except UserError:
        return _words(tokenizer, written)
    opened = opened.removeprefix(bos)
    if opened and before.startswith(opened):  # the text with a system message begins alike: it takes its place
        inside = before.removesuffix(rest.partition(talk[0].content)[0])[len(opened) :]
        return inside or _words(tokenizer, opened)
    return _words(tokenizer, written)


def _words(tokenizer: "PreTrainedTokenizerBase", text: str) -> str:
    """A piece of a frame without its special tokens, and without a role's name in front."""
    plain = _added_token_pattern(tokenizer, True).sub("\0", text)
    return max((part.strip() for part in plain.split("\0")), key=len, default="")


@functools.lru_cache(maxsize=8)
def end_token_ids(tokenizer: "PreTrainedTokenizerBase") -> frozenset[int]:
    """Ids that end an answer: the tokenizer's own, and those with which the template closes an assistant message.

    Two of them where it closes the last one otherwise than those before.
    """
    turn = (Message("user", "question"), Message("assistant", "answer"))
    ends: list[Any] = [tokenizer.eos_token_id]
    for chat in (turn, (*turn, *turn)):
        text, contents = layout(tokenizer, chat, add_generation_prompt=False)
        for _, end in contents[1::2]:
            closing = text[end : _closing_end(tokenizer, text, end, contents)].strip()
            ends.append(tokenizer.convert_tokens_to_ids(closing))
    return frozenset(end for end in ends if isinstance(end, int))


def marked(row: EncodedRow) -> list[dict[str, Any]]:
    """The text of a row in pieces, each saying whether it is trained on."""
    edges = [0, *(edge for span in row.spans for edge in span), len(row.text)]
    pieces = [(row.text[a:b], index % 2 == 1) for index, (a, b) in enumerate(itertools.pairwise(edges))]
    return [{"trained": trained, "text": text} for text, trained in pieces if text]


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


def _owner(spans: Sequence[Span], start: int, end: int, glue: int) -> int | None:
    """The span to which a token belongs, or to the `glue` characters before it, which are drawn with its first word."""
    return next((index for index, (a, b) in enumerate(spans) if a - glue <= start < end <= b), None)


@functools.lru_cache(maxsize=8)
def _glue(tokenizer: "PreTrainedTokenizerBase") -> str:
    """White space that a row has before an answer and a prompt has not, where it is a part of the first word.

    So it is where a template writes `[/INST] answer</s>` and the tokenizer spells a word with the space before it,
    which it hides when it decodes: the model draws that word behind `[/INST]`, and must be trained to.
    """
    chat = (Message("user", "question"), Message("assistant", "answer"))
    try:
        asked = render(tokenizer, chat[:1], add_generation_prompt=True)
        text, contents = layout(tokenizer, chat, add_generation_prompt=False)
    except UserError:
        return ""
    start = contents[1][0]
    more = text[:start].removeprefix(asked)
    if not tokenizer.is_fast or not text.startswith(asked) or not more or more.strip():
        return ""
    for token, a, b in _tokens(tokenizer, text, contents, frozenset(), piecewise=False):
        if a == len(asked) and start < b and tokenizer.decode([token]) == text[start:b]:
            return more
    return ""


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
