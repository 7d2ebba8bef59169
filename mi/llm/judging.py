"""How a judge is asked and how its verdict is read: pure functions, no model is called here."""

import math
import re
from collections.abc import Iterable

from mi.llm.data_models import Chat, Judgment, LLMResponse, TokenLogprob, chat

_PLACEHOLDER = re.compile(r"\{(question|answer)\}")
_WORD_MARKS = " \t\r\n\u2581\u0120\u010a"  # white space, and how tokenizers spell a leading space or a newline
_CERTAIN = 0.0


def fill_template(template: str, question: str, answer: str) -> str:
    """`template` with {question} and {answer} replaced in one pass, so that an answer cannot forge the frame."""
    values = {"question": question, "answer": answer}
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def judge_chat(judgment: Judgment, question: str, answer: str) -> Chat:
    """What the judge is sent."""
    return chat(fill_template(judgment.template, question, answer))


def read_verdict(judgment: Judgment, response: LLMResponse) -> float | None:
    """What `response` says under the judgment's parser, in [0, 1]; None where it says nothing that can be read."""
    match judgment.parser:
        case "yes_no_probability":
            return yes_no_probability(response, judgment.minimum_mass)


def yes_no_probability(response: LLMResponse, minimum_mass: float = 0.25) -> float | None:
    """P(YES) / (P(YES) + P(NO)) at the first word of a response.

    All spellings of a word count together ("YES", " Yes", "yes"). None where both hold less than `minimum_mass`,
    or where the response is a refusal. A response without log-probabilities is read as text: YES is 1, NO is 0.
    """
    if response.completion is None:
        return None
    yes = no = 0.0
    for token, logprob in _first_word(response):
        word = token.strip(_WORD_MARKS).casefold()
        yes += math.exp(logprob) if word == "yes" else 0.0
        no += math.exp(logprob) if word == "no" else 0.0
    if yes + no < max(minimum_mass, math.ulp(0.0)):
        return None
    return yes / (yes + no)


def _first_word(response: LLMResponse) -> Iterable[tuple[str, float]]:
    spoken = [token for token in response.logprobs if token.token.strip(_WORD_MARKS)]
    if not spoken:
        return [((response.completion or "").strip().rstrip(".!"), _CERTAIN)] if not response.logprobs else []
    return _alternatives(spoken[0])


def _alternatives(token: TokenLogprob) -> list[tuple[str, float]]:
    listed = any(text == token.token for text, _ in token.top)
    return [*token.top, *([] if listed else [(token.token, token.logprob)])]
