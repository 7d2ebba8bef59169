"""Reading what a judge said: probabilities, numbers, categories, ratings; None always comes with its reason."""

import functools
import json
import math
import re
from collections.abc import Iterator, Sequence

from mi.llm.data_models import Judgment, LLMResponse, TokenLogprob, Verdict

_WORD_MARKS = " \t\r\n\u2581\u0120\u010a"  # white space, and how tokenizers spell a leading space or a newline
_QUOTES = "\"'`*_.!()[] \t\r\n“”«»\u2018\u2019"
_NUMBER = "(?:0|[1-9][0-9]{0,8})"  # ASCII alone: int() would take Arabic-Indic digits, signs and underscores
_IS_NUMBER = re.compile(_NUMBER)
Scale = tuple[int, int]


def yes_no(response: LLMResponse, minimum_mass: float) -> Verdict:
    """P(YES) / (P(YES) + P(NO)) at the first word of a response, in [0, 1].

    All spellings of a word count together ("YES", " Yes", "yes"); one without the other is certain. None where both
    hold less than `minimum_mass`. A response without log-probabilities is read as text: YES is 1, NO is 0.
    """
    if response.completion is None:
        return _silent(response)
    if not response.logprobs:
        word = response.completion.strip(_QUOTES).casefold()
        known = {"yes": 1.0, "no": 0.0}.get(word)
        return _verdict(response, known, "neither YES nor NO")
    yes = no = 0.0
    spoken = _spoken(response)
    for token, logprob in _alternatives(spoken[0]) if spoken else ():
        says_yes = _says_yes(token)
        if says_yes:
            yes += _probability(logprob)
        elif says_yes is not None:
            no += _probability(logprob)
    mass = yes + no
    if mass < max(minimum_mass, math.ulp(0.0)):
        return _verdict(response, None, f"YES and NO hold {mass:.2f} of the probability, less than {minimum_mass:g}")
    return Verdict(yes / mass, None, response.completion)


def weighted_number(response: LLMResponse, scale: Scale, minimum_mass: float) -> Verdict:
    """The mean of the numbers of `scale` at the first word, weighted by their probabilities (Betley et al. 2025).

    Where a tokenizer spells numbers digit by digit, only numbers that the tokens tell whole are weighed; None where
    more of the probability is on numbers begun than on whole ones, and where all of it is less than `minimum_mass`.
    A response without log-probabilities is read as `integer` reads it.
    """
    if response.completion is None:
        return _silent(response)
    if not response.logprobs:
        return integer(response, scale)
    whole, begun = _numbers(response, scale)
    inside = [(number, p) for number, p in whole if scale[0] <= number <= scale[1]]
    mass = sum(p for _, p in inside)
    if mass + begun < max(minimum_mass, math.ulp(0.0)):
        told = f"numbers from {scale[0]} to {scale[1]} hold {mass + begun:.2f} of the probability"
        return _verdict(response, None, f"{told}, less than {minimum_mass:g}")
    if begun > mass or not mass:
        told = f"numbers are spelt digit by digit, and {begun:.2f} of the probability is on numbers begun"
        return _verdict(response, None, f"{told}; let the judge say more tokens")
    mean = sum(number * p for number, p in inside) / mass
    return Verdict(min(max(mean, scale[0]), scale[1]), None, response.completion)


def integer(response: LLMResponse, scale: Scale) -> Verdict:
    """The whole number of `scale` that the response is: `85`, `85/100`, `Score: 85.`, alone on the last line, or before
    a remark that holds no digit. None for anything else, and out of range."""
    if response.completion is None:
        return _silent(response)
    lines = [line.strip(" \t*_`\"'") for line in response.completion.strip().splitlines() if line.strip()]
    of_all = rf"(?:\s*(?:/|out of)\s*{scale[1]})?\s*%?"
    alone = re.compile(rf"(?:[A-Za-z ]{{1,40}}[:=]\s*[*_`]*)?(-?{_NUMBER}){of_all}[.!]?", re.ASCII)
    remarked = re.compile(rf"(-?{_NUMBER}){of_all}\s*[.,;:!–—-]\s\D*", re.ASCII)
    found = [match for line in lines[-1:] if (match := alone.fullmatch(line) or remarked.fullmatch(line))]
    found = found or [match for line in lines[:1] if (match := alone.fullmatch(line)) and not _has_digit(lines[1:])]
    if not found:
        return _verdict(response, None, "not a plain whole number")
    number = int(found[0][1])
    if not scale[0] <= number <= scale[1]:
        return _verdict(response, None, f"{number} is out of range, {scale[0]} to {scale[1]}")
    return Verdict(float(number), None, response.completion)


def category(response: LLMResponse, categories: Sequence[str]) -> Verdict:
    """The place of the category that the response, or its last line, is; case, quotes and a full stop do not matter."""
    if response.completion is None:
        return _silent(response)
    lines = [line for line in response.completion.strip().splitlines() if line.strip()]
    places = {name.strip(_QUOTES).casefold(): place for place, name in enumerate(categories)}
    for said in (response.completion, *lines[-1:]):
        place = places.get(said.strip(_QUOTES).casefold())
        if place is not None:
            return Verdict(float(place), None, response.completion, categories[place])
    return _verdict(response, None, f"none of {', '.join(categories)}")


def ratings(judgment: Judgment, response: LLMResponse) -> dict[str, Verdict]:
    """A number of `scale` for each of `rating_names`, from the one JSON object that holds any of them."""
    if response.completion is None:
        return dict.fromkeys(judgment.rating_names, _silent(response))
    objects = [found for found in _objects(response.completion) if found.keys() & set(judgment.rating_names)]
    if len(objects) != 1:
        reason = "several JSON objects" if objects else "no JSON object with these ratings"
        return dict.fromkeys(judgment.rating_names, _verdict(response, None, reason))
    return {name: _rating(response, objects[0], name, judgment.scale) for name in judgment.rating_names}


def _rating(response: LLMResponse, found: dict[str, list], name: str, scale: Scale) -> Verdict:
    values = found.get(name, [])
    if len(values) != 1:
        return _verdict(response, None, f"{name} stands twice" if values else f"{name} is missing")
    value = values[0]
    if isinstance(value, str) and _IS_NUMBER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _verdict(response, None, f"{name} is not a number")
    if not scale[0] <= value <= scale[1]:
        return _verdict(response, None, f"{name} is out of range, {scale[0]} to {scale[1]}")
    return Verdict(float(value), None, response.completion)


def _objects(text: str) -> Iterator[dict[str, list]]:
    """The outermost JSON objects of a text, each key with all of its values."""
    decoder = json.JSONDecoder(object_pairs_hook=_all_values)
    place = text.find("{")
    while place >= 0:
        try:
            found, place = decoder.raw_decode(text, place)
            yield found
        except (ValueError, RecursionError):
            place += 1
        place = text.find("{", place)


def _all_values(pairs: list[tuple[str, object]]) -> dict[str, list]:
    values: dict[str, list] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return values


def _numbers(response: LLMResponse, scale: Scale) -> tuple[list[tuple[int, float]], float]:
    """The whole numbers at the first word with their probabilities, and the probability of numbers only begun."""
    tokens = _spoken(response)
    if not tokens:
        return [], 0.0
    options = _alternatives(tokens[0])
    several_digits = any(len(_word(text)) > 1 and _IS_NUMBER.fullmatch(_word(text)) for text, _ in options)
    alone = several_digits or scale[1] < 10
    whole: list[tuple[int, float]] = []
    begun = 0.0
    for text, logprob in options:
        if not _IS_NUMBER.fullmatch(number := _word(text)):
            continue
        if text == tokens[0].token:
            more, open_ended = _spelled_out(response, tokens, number, alone, scale)
            whole += [(value, p * _probability(logprob)) for value, p in more]
            begun += open_ended * _probability(logprob)
        elif alone or not _may_go_on(number, scale):
            whole.append((int(number), _probability(logprob)))
        else:
            begun += _probability(logprob)
    return whole, begun


def _spelled_out(
    response: LLMResponse, tokens: Sequence[TokenLogprob], number: str, alone: bool, scale: Scale
) -> tuple[list[tuple[int, float]], float]:
    """Whole numbers that begin with the sampled `number`, and the share of those begun: given `number`, at most 1."""
    whole: list[tuple[int, float]] = []
    share, begun = 1.0, 0.0
    for token in tokens[1:]:
        goes_on = _is_digits(token.token)
        if not goes_on and (alone or not _may_go_on(number, scale)):
            return [*whole, (int(number), share)], begun
        ended = 0.0
        for text, logprob in _alternatives(token):
            p = share * _probability(logprob)
            if not _is_digits(text):
                ended += p
            elif text != token.token and _IS_NUMBER.fullmatch(number + text) and not _may_go_on(number + text, scale):
                whole.append((int(number + text), p))
            elif text != token.token:
                begun += p
        whole.append((int(number), ended))
        number, share = number + token.token, share * _probability(token.logprob)
        if not goes_on or not _IS_NUMBER.fullmatch(number):
            return whole, begun
    if not alone and _may_go_on(number, scale) and response.stop_reason != "stop":
        return whole, begun + share
    return [*whole, (int(number), share)], begun


def _may_go_on(number: str, scale: Scale) -> bool:
    """Whether one more digit can make another number of the scale."""
    return number != "0" and int(number) * 10 <= scale[1]


def _is_digits(token: str) -> bool:
    return token.isascii() and token.isdigit()


def _has_digit(lines: Sequence[str]) -> bool:
    return any(character.isdigit() for line in lines for character in line)


def _spoken(response: LLMResponse) -> Sequence[TokenLogprob]:
    """The tokens from the first that is no white space on."""
    for place, token in enumerate(response.logprobs):
        if _word(token.token):
            return response.logprobs[place:]
    return ()


def _alternatives(token: TokenLogprob) -> Sequence[tuple[str, float]]:
    for text, _ in token.top:
        if text == token.token:
            return token.top
    return (*token.top, (token.token, token.logprob))


@functools.lru_cache(maxsize=65536)
def _word(token: str) -> str:
    return token.strip(_WORD_MARKS).casefold()


@functools.lru_cache(maxsize=65536)
def _says_yes(token: str) -> bool | None:
    return {"yes": True, "no": False}.get(_word(token))


def _probability(logprob: float) -> float:
    return math.exp(logprob) if logprob <= 0.0 else float(logprob > 0.0)  # 0 for what is no number


def _silent(response: LLMResponse) -> Verdict:
    return Verdict(None, f"the judge gave no answer ({response.stop_reason})")


def _verdict(response: LLMResponse, value: float | None, reason: str) -> Verdict:
    return Verdict(value, None if value is not None else reason, response.completion)
