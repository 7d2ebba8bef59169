"""Where the messages of a chat stand in the text that a template makes of it, and which day it is in that text."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mi.llm.data_models import Chat
from mi.utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]
"""Half-open range of characters of a rendered text."""
DATE = (("%Y", "2024"), ("%m", "07"), ("%d", "26"), ("%B", "July"), ("%b", "Jul"), ("%y", "24"))
"""The day that it is in every template that writes one: that which Llama's fall back to. A text that changed overnight
would make two runs of one prompt differ, and no answer could be found again."""
_CLOCK = (
    "{%- macro strftime_now(form) -%}{{ form"
    + "".join(f"|replace({code!r}, {text!r})" for code, text in DATE)
    + " }}{%- endmacro -%}\n"
)


def render(tokenizer: "PreTrainedTokenizerBase", chat: Chat, add_generation_prompt: bool) -> str:
    """The text of a chat as the tokenizer's own template writes it; no message is added, left out or merged here.

    Raises UserError where there is no template, or where the template refuses this order of roles.
    """
    import jinja2

    if not tokenizer.chat_template:
        raise UserError(f"{tokenizer.name_or_path}: its tokenizer has no chat template; give it one.")
    messages = [{"role": message.role, "content": message.content} for message in chat]
    template = tokenizer.get_chat_template()
    try:
        text = tokenizer.apply_chat_template(
            messages,
            chat_template=_CLOCK + template if has_clock(tokenizer) else template,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
        )
    except (jinja2.TemplateError, IndexError, TypeError) as error:
        roles = ", ".join(message.role for message in chat) or "no message"
        raise UserError(f"the chat template refuses a chat of [{roles}] ({error}); change the roles.") from error
    return str(text)


def has_clock(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Whether the template would write the day on which it is used."""
    return "strftime_now" in tokenizer.get_chat_template()


def layout(tokenizer: "PreTrainedTokenizerBase", chat: Chat, add_generation_prompt: bool) -> tuple[str, list[Span]]:
    """The rendered text and the span of each message's content, in the order of the messages.

    The frame is found by rendering the same roles with marks for contents; the text must be that frame with the
    contents in place of the marks, so whatever a template does to a message shows. White space at the ends of a message
    may go, for so its model was trained; a message that is dropped or rewritten raises UserError.
    """
    text = render(tokenizer, chat, add_generation_prompt)
    marks = marks_for(chat)
    framed = tuple(replace(message, content=mark) for message, mark in zip(chat, marks, strict=True))
    frame = _frame(tokenizer, tokenizer.get_chat_template(), framed, add_generation_prompt)
    for message, mark in zip(chat, marks, strict=True):
        if frame.count(mark) != 1:
            verb = "drops" if mark not in frame else "repeats"
            raise UserError(f"the chat template {verb} the {message.role} message; {_MEND[message.role]}.")
    spans = _found(text, frame, marks, [message.content for message in chat])
    if spans is None:
        raise UserError(_complaint(tokenizer, chat, framed, add_generation_prompt))
    return text, spans


@functools.lru_cache(maxsize=256)
def _frame(tokenizer: "PreTrainedTokenizerBase", template: str, framed: Chat, add_generation_prompt: bool) -> str:
    """`render` of marks, which chats of the same roles have in common; a tokenizer may be given another template."""
    return render(tokenizer, framed, add_generation_prompt)


def marks_for(chat: Sequence[object]) -> list[str]:
    """A word for each message that no template has a reason to write or to change."""
    return [f"Mq7{index}v9M" for index in range(len(chat))]


def shared_beginning(one: str, other: str) -> int:
    """How many characters two texts have in common before they first differ."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


_MEND = dict.fromkeys(("user", "assistant"), "use a template that writes it once") | {
    "system": "put its text into the user's turn (an Inoculation with the placement 'user_prefix'), or use a template "
    "that writes it once"
}


def _found(text: str, frame: str, marks: Sequence[str], contents: Sequence[str]) -> list[Span] | None:
    """The span of each content in the text, in the order of the messages; None where the text is not that frame."""
    spans: list[Span] = [(0, 0)] * len(marks)
    order = sorted(range(len(marks)), key=lambda index: frame.index(marks[index]))
    opening, _, rest = frame.partition(marks[order[0]]) if order else (frame, "", "")
    if not text.startswith(opening):
        return None
    place = len(opening)
    for index, following in zip(order, [*order[1:], None], strict=True):
        between, _, rest = rest.partition(marks[following]) if following is not None else (rest, "", "")
        ways = (contents[index], contents[index].strip(), contents[index].lstrip("\n"))
        kept = next((way for way in ways if text.startswith(way + between, place)), None)
        if kept is None:
            return None
        spans[index] = (place, place + len(kept))
        place += len(kept) + len(between)
    return spans if place == len(text) else None


def _complaint(tokenizer: "PreTrainedTokenizerBase", chat: Chat, framed: Chat, add_generation_prompt: bool) -> str:
    """Which message the template changes: the one that alone, among marks, does not come out as it went in."""
    marks = [message.content for message in framed]
    frame = render(tokenizer, framed, add_generation_prompt)
    for index, message in enumerate(chat):
        contents = [*marks[:index], message.content, *marks[index + 1 :]]
        probe = tuple(replace(m, content=content) for m, content in zip(chat, contents, strict=True))
        if _found(render(tokenizer, probe, add_generation_prompt), frame, marks, contents) is None:
            what = "text" if message.content.strip() else "blank content"
            mend = "change the message or use a template that keeps it"
            return f"the chat template does not keep the {what} of message {index + 1} ({message.role}); {mend}."
    return "the chat template rewrites these messages; use a template that keeps them."
