"""How a judge is asked and how its verdict is read: pure functions, no model is called here."""

import functools
import re
from collections.abc import Callable
from hashlib import sha256

from mi.llm import reading
from mi.llm.data_models import Chat, Judgment, LLMResponse, Verdict, chat

__all__ = [
    "BLIND",
    "FENCED",
    "fill_template",
    "judge_chat",
    "judge_text",
    "read_verdict",
    "read_verdicts",
    "yes_no_probability",
]

FENCED = "<answer {fence}>\n{answer}\n</answer {fence}>"
"""A frame whose end no answer can write: {fence} is a digest of the answer itself."""
BLIND = "Judge the answer by itself: who may have written it and how long it is do not matter."
"""A sentence for a judge's frame, against the two biases that are best known."""
_PLACEHOLDER = re.compile(r"\{(question|answer|system_prompt|fence)\}")
_NO_SYSTEM_PROMPT = "(no system prompt)"
_FENCE_DIGITS = 12


def fill_template(
    template: str, question: str, answer: str, system_prompt: str | None = None, sees_system_prompt: bool = False
) -> str:
    """`template` with its placeholders replaced in one pass, so that an answer cannot forge the frame.

    {question}, {answer}, {fence} (12 hexadecimal digits made of question and answer) and, where the judge sees it,
    {system_prompt}; that no system prompt was given is said in words, an empty one is empty.
    """
    pieces = _pieces(template)
    values: dict[str, str] = {"question": question, "answer": answer}
    if "fence" in pieces[1::2]:
        said = f"{question}\0{answer}".encode("utf-8", "surrogatepass")
        values["fence"] = sha256(said).hexdigest()[:_FENCE_DIGITS]
    if sees_system_prompt:
        values["system_prompt"] = _NO_SYSTEM_PROMPT if system_prompt is None else system_prompt
    filled = [*pieces]
    for place in range(1, len(pieces), 2):
        filled[place] = values.get(pieces[place], f"{{{pieces[place]}}}")
    return "".join(filled)


def judge_text(judgment: Judgment, question: str, answer: str, system_prompt: str | None = None) -> str:
    """What the judge is sent, as text."""
    return fill_template(judgment.template, question, answer, system_prompt, judgment.sees_system_prompt)


def judge_chat(judgment: Judgment, question: str, answer: str, system_prompt: str | None = None) -> Chat:
    """What the judge is sent: one message."""
    return chat(judge_text(judgment, question, answer, system_prompt))


def read_verdicts(judgment: Judgment, response: LLMResponse, name: str = "") -> dict[str, Verdict]:
    """What `response` says under the judgment's parser, by the verdict's name: one, or one for each rating.

    A value lies within [0, 1] for yes_no_probability, within `scale` for numbers, and is None with its reason where
    nothing can be read.
    """
    if judgment.parser != "ratings":
        return {name: _READERS[judgment.parser](judgment, response)}
    return reading.ratings(judgment, response)


def read_verdict(judgment: Judgment, response: LLMResponse) -> float | None:
    """The value of the judgment's verdict, of several ratings the first; None where nothing can be read."""
    return next(iter(read_verdicts(judgment, response).values())).value


def yes_no_probability(response: LLMResponse, minimum_mass: float = 0.25) -> float | None:
    """P(YES) / (P(YES) + P(NO)) at the first word of a response; see `mi.llm.reading.yes_no`."""
    return reading.yes_no(response, minimum_mass).value


@functools.lru_cache(maxsize=256)
def _pieces(template: str) -> tuple[str, ...]:
    """Text, placeholder's name, text, placeholder's name, …, text."""
    return tuple(_PLACEHOLDER.split(template))


_READERS: dict[str, Callable[[Judgment, LLMResponse], Verdict]] = {
    "yes_no_probability": lambda judgment, response: reading.yes_no(response, judgment.minimum_mass),
    "weighted_number": lambda judgment, response: reading.weighted_number(
        response, judgment.scale, judgment.minimum_mass
    ),
    "integer": lambda judgment, response: reading.integer(response, judgment.scale),
    "category": lambda judgment, response: reading.category(response, judgment.categories),
}
