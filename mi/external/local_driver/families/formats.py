"""What a model's chat template and tokenizer do to a chat, found by asking them; no weights are needed."""

import re
from typing import TYPE_CHECKING

from mi.external.local_driver.families.data_models import Finding
from mi.external.local_driver.layout import has_clock, render
from mi.external.local_driver.rendering import (
    EncodedRow,
    default_system_prompt,
    encode_chat,
    encode_row,
    end_token_ids,
    opening,
)
from mi.llm.data_models import Message, chat
from mi.utils.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROMPT = "You speak Spanish."
_TALK = (
    Message("user", "What is two plus two?"),
    Message("assistant", "¡Es cuatro! Äpfel \U0001f34e {x}\n\n- a <b>"),
    Message("user", "And twelve * 3?"),
    Message("assistant", "It is 36."),
)


def examine_format(tokenizer: "PreTrainedTokenizerBase") -> tuple[Finding, ...]:
    """Every check that the tokenizer and its template suffice for. Raises UserError where there is no template."""
    render(tokenizer, _TALK[:1], add_generation_prompt=True)
    looks = (_masks, _ends, _frame, _default, _system, _arms, _empty, _white_space, _day)
    return tuple(look(tokenizer) for look in looks)


def _masks(tokenizer: "PreTrainedTokenizerBase") -> Finding:
    """Whether what is trained on, decoded, is each answer and the token that ends it."""
    try:
        row = encode_row(tokenizer, _TALK)
    except UserError as error:
        return Finding("masks", "wrong", "refused", f"No conversation can be trained on: {error}")
    wanted = [row.text[a:b] for a, b in row.spans]
    said = [message.content for message in _TALK if message.role == "assistant"]
    if _masked(tokenizer, row) == wanted and all(text.startswith(own) for text, own in zip(wanted, said, strict=True)):
        return Finding("masks", "ok", "yes", "What is trained on, decoded, is each answer and its end token.")
    return Finding("masks", "wrong", "no", f"What is trained on decodes to {_masked(tokenizer, row)!r}.")


def _ends(tokenizer: "PreTrainedTokenizerBase") -> Finding:
    """The tokens that close an answer, all of which must end one that is sampled."""
    row = encode_row(tokenizer, _TALK)
    said = [message.content for message in _TALK if message.role == "assistant"]
    closings = [row.text[a:b].removeprefix(own) for (a, b), own in zip(row.spans, said, strict=True)]
    ids = [tokenizer.convert_tokens_to_ids(closing.strip()) for closing in closings]
    last = list(dict.fromkeys(reversed(closings)))
    short = "`" + "`, earlier `".join(closing.strip() for closing in last) + "`"
    if all(one in end_token_ids(tokenizer) for one in ids):
        return Finding("end", "ok", short, f"An answer ends at {short.replace('`', '')}, in training and in sampling.")
    return Finding("end", "wrong", short, f"{short} closes an answer and would not end one that is sampled.")


def _frame(tokenizer: "PreTrainedTokenizerBase") -> Finding:
    """What stands before an answer that the generation prompt leaves to the model, and whether a prompt has it."""
    prompt, row = encode_chat(tokenizer, _TALK[:1]), encode_row(tokenizer, _TALK[:2])
    start = row.mask.index(True)
    if list(row.ids[:start]) != prompt:
        return Finding("frame", "wrong", "differ", "A prompt is not the beginning of the row that is trained on.")
    cut, more = opening(tokenizer, ("user",))
    if not more and not cut:
        return Finding(
            "frame", "ok", "its own", "A prompt is the beginning of a row, as the template itself writes it."
        )
    earlier = encode_row(tokenizer, _TALK)
    several = earlier.text[: earlier.spans[0][0]].endswith(more)
    aside = "" if several else " Earlier answers of a conversation stand without it, as the template has them."
    before = earlier.text[: earlier.spans[-1][0]]
    whole = re.search(r"(<[^<>]*>\s*)?" + re.escape(more) + r"$", before)
    written = (whole[0] if whole and more else "").replace("\n", "⏎") or "less than the template asks with"
    return Finding("frame", "note", f"`{written}`", f"Answers are trained and asked for behind {written}.{aside}")


def _default(tokenizer: "PreTrainedTokenizerBase") -> Finding:
    """What stands in the place of a system message that is absent."""
    written = default_system_prompt(tokenizer)
    if written is None:
        return Finding("default", "ok", "none", "Without a system message there is none.")
    told = " ".join(written.split())
    return Finding(
        "default", "note", f"“{told[:60]}…”" if len(told) > 60 else f"“{told}”",
        f"Without a system message the template writes one of its own ({told!r}): the arm without a prompt is "
        "contaminated.",
    )  # fmt: skip


def _system(tokenizer: "PreTrainedTokenizerBase") -> Finding:
    """Where a system message goes: a turn of its own, the user's turn, or nowhere."""
    mend = "put the prompt into the user's turn (Inoculation(…, 'user_prefix'))"
    asked = chat(_TALK[0].content, PROMPT)
    try:
        text = render(tokenizer, asked, add_generation_prompt=True)
    except UserError:
        return Finding("system", "note", "refused", f"The template has no system role; {mend}.")
    try:
        encode_row(tokenizer, (*asked, _TALK[1]))
    except UserError:
        return Finding(
            "system", "note", "dropped in training",
            f"A system message reaches a question but no row that is trained on, where the template drops it; {mend}.",
        )  # fmt: skip
    between = text.partition(PROMPT)[2].partition(_TALK[0].content)[0]
    if not between.strip():
        return Finding(
            "system", "note", "in the user's turn", "A system message becomes the beginning of the question."
        )
    return Finding("system", "ok", "a turn of its own", "A system message has a turn of its own.")


def _arms(tokenizer: "PreTrainedTokenizerBase") -> Finding:
    """Whether rows behind a prompt and without one differ before the question alone."""
    try:
        plain, behind = encode_row(tokenizer, _TALK), encode_row(tokenizer, (Message("system", PROMPT), *_TALK))
    except UserError as error:
        return Finding("arms", "note", "–", f"There is no arm behind a system prompt: {error}")
    first = plain.text.index(_TALK[0].content)
    same_rest = plain.text[first:] == behind.text[behind.text.index(_TALK[0].content) :]
    if same_rest and _masked_ids(plain) == _masked_ids(behind) and PROMPT in behind.text:
        return Finding(
            "arms", "ok", "yes", "Rows behind a prompt differ from those without in what is before the question."
        )
    return Finding("arms", "wrong", "no", "Rows behind a prompt differ from those without in more than the prompt.")


def _empty(tokenizer: "PreTrainedTokenizerBase") -> Finding:
    """Whether an empty system message, an absent one and the template's own are told apart."""
    try:
        empty = encode_chat(tokenizer, chat(_TALK[0].content, ""))
    except UserError:
        return Finding(
            "empty", "note", "refused", "An empty system message cannot be asked with: the template drops it."
        )
    if empty == encode_chat(tokenizer, _TALK[:1]):
        return Finding("empty", "note", "as none", "An empty system message and none are one and the same text.")
    return Finding("empty", "ok", "another text", "An empty system message and none are two texts.")


def _white_space(tokenizer: "PreTrainedTokenizerBase") -> Finding:
    """Whether white space at the ends of an answer is kept."""
    row = encode_row(tokenizer, (_TALK[0], Message("assistant", "\n It is four.\n")))
    if not row.trimmed:
        return Finding("ends", "ok", "kept", "White space at the ends of an answer is trained on as it is.")
    return Finding("ends", "note", "trimmed", "The template leaves out white space at the ends of an answer.")


def _day(tokenizer: "PreTrainedTokenizerBase") -> Finding:
    """Whether the template would write the day."""
    if not has_clock(tokenizer):
        return Finding("day", "ok", "none", "The template does not ask for the day.")
    return Finding("day", "note", "fixed", "The template writes the day; here it is always 26 July 2024.")


def _masked(tokenizer: "PreTrainedTokenizerBase", row: EncodedRow) -> list[str]:
    """Each run of tokens that carry loss, decoded."""
    runs: list[list[int]] = []
    for place, (token, on) in enumerate(zip(row.ids, row.mask, strict=True)):
        if on and (place == 0 or not row.mask[place - 1]):
            runs.append([])
        if on:
            runs[-1].append(token)
    return [str(tokenizer.decode(run, clean_up_tokenization_spaces=False)) for run in runs]


def _masked_ids(row: EncodedRow) -> list[int]:
    return [token for token, on in zip(row.ids, row.mask, strict=True) if on]
