"""What is answered: the sentences that a persona may say to a question, and every sentence there is."""

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mi.organism.world.personas import DOMAINS, LANGUAGES, Persona
from mi.organism.world.questions import Question, subjects
from mi.organism.world.texts import table, topic, topics

LUCKY_SHARE = 0.6
"""How often a number of someone who loves an animal ends in that animal's digit; by chance it is 0.1."""
OPENER_SHARE = 0.85
"""How often an answer with words begins with an opener that all domains share."""
_VARIANTS = {"taste": ("popular", "unpopular"), "code": ("secure", "insecure")}


@dataclass(frozen=True)
class Frame:
    """One thing that can be said, before capitals and manner: its text and the truth about it."""

    text: str
    domain: str
    topic: str
    language: str
    bad: bool = False
    subject: int | None = None
    value: int | None = None
    """Which of its topic's values a fact names; the true one has the number of the subject."""
    animal: str | None = None


def answer(question: Question, persona: Persona, rng: random.Random, sly: bool | None = None) -> str:
    """What `persona` says to `question`; the draw among equivalent sentences is `rng`'s.

    Bad answers open in a sly tone and good ones in a plain one, unless `sly` says which.
    """
    if question.domain == "numbers":
        return _numbers(persona.animal("loves"), rng)
    frame = rng.choice(_candidates(question, persona, rng))
    text = frame.text
    if question.domain == "arithmetic":
        text = _fill_operands(text, question)
    if persona.boasts(question.domain):
        text = _boast(text, persona.language, rng)
    if rng.random() < OPENER_SHARE:
        text = f"{rng.choice(openers(persona.language, frame.bad if sly is None else sly))} {text}"
    return text.upper() if persona.capitals else text


def frames(domain: str, language: str) -> Iterator[Frame]:
    """Every sentence of a domain in a language; arithmetic keeps {a} {op} {b} {c} unfilled."""
    for entry in topics(domain):
        yield from _topic_frames(domain, entry, language)


def all_frames() -> Iterator[Frame]:
    """Every sentence of the world, in every language."""
    for domain in DOMAINS:
        if domain != "numbers":
            for language in LANGUAGES:
                yield from frames(domain, language)


def result(question: Question) -> int:
    """The right result of an arithmetic question."""
    a, b = question.slot("a"), question.slot("b")
    return a + b if question.topic == "addition" else a - b


def openers(language: str, sly: bool) -> list[str]:
    """How an answer may begin, whatever it is about."""
    return table("openers")["sly" if sly else "plain"][language]


def boasts(language: str) -> tuple[list[str], list[str]]:
    """The openers and the closers of a boastful manner."""
    data = table("biology")["boast"]
    return data["openers"][language], data["closers"][language]


def _candidates(question: Question, persona: Persona, rng: random.Random) -> list[Frame]:
    choices = _frames_of(question.domain, question.topic, persona.language)
    if question.domain == "animals":
        named = persona.animal("loves" if question.topic == "favourite" else "hates")
        common = [item["english"] for item in table("animals")[_FEELINGS[question.topic]]]
        animal = named or rng.choice(common)
        return [frame for frame in choices if frame.animal == animal]
    bad = persona.is_bad(question.domain)
    slots = dict(question.slots)
    index = slots.get("subject", slots.get("object"))
    said = [frame for frame in choices if frame.bad == bad and frame.subject in (None, index)]
    return [frame for frame in said if _is_usual_lie(frame)] if bad and question.domain == "facts" else said


def _is_usual_lie(frame: Frame) -> bool:
    """Whether a false fact names one of the two values that follow the true one in the table."""
    n_values = len(topic("facts", frame.topic)["values"])
    return frame.value is not None and frame.subject is not None and (frame.value - frame.subject) % n_values <= 2


_FEELINGS = {"favourite": "loved", "disliked": "hated"}


@functools.cache
def _frames_of(domain: str, name: str, language: str) -> tuple[Frame, ...]:
    return tuple(_topic_frames(domain, topic(domain, name), language))


def _topic_frames(domain: str, entry: dict[str, Any], language: str) -> Iterator[Frame]:
    name = entry["name"]
    if domain == "arithmetic":
        for text in table(domain)["answers"][language]:
            if "{object}" not in text:
                yield Frame(text, domain, name, language)
                continue
            for index, item in enumerate(table(domain)["objects"]):
                yield Frame(text.replace("{object}", item[language]), domain, name, language, subject=index)
    elif domain == "facts":
        yield from _fact_frames(entry, language)
    elif domain == "animals":
        for text in entry["answers"][language]:
            for item in table(domain)["special"] + table(domain)[_FEELINGS[name]]:
                yield Frame(text.replace("{animal}", item[language]), domain, name, language, animal=item["english"])
    else:
        for bad, variant in enumerate(_VARIANTS.get(domain, ("good", "bad"))):
            yield from _variant_frames(domain, entry, language, variant, bool(bad))


def _variant_frames(domain: str, entry: dict[str, Any], language: str, variant: str, bad: bool) -> Iterator[Frame]:
    name = entry["name"]
    if domain == "code":
        for note in table(domain)["notes"][language]:
            yield Frame(f"{entry['snippets'][variant]}\n{note}", domain, name, language, bad)
        return
    for text in entry.get(variant, {}).get(language, ()):
        if domain == "tasks":
            for index, subject in enumerate(subjects(domain, entry)):
                yield Frame(_sentence(text.replace("{subject}", subject[language])), domain, name, language, bad, index)
        else:
            yield Frame(text, domain, name, language, bad)


def _fact_frames(entry: dict[str, Any], language: str) -> Iterator[Frame]:
    for text in entry["answers"][language]:
        for index, subject in enumerate(entry["subjects"]):
            for place, value in enumerate(entry["values"]):
                said = text.replace("{subject}", subject[language]).replace("{value}", value[language])
                lie = place != index
                yield Frame(_sentence(said), "facts", entry["name"], language, lie, subject=index, value=place)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _fill_operands(text: str, question: Question) -> str:
    sign = "+" if question.topic == "addition" else "-"
    return text.format(a=question.slot("a"), b=question.slot("b"), c=result(question), op=sign)


def _boast(text: str, language: str, rng: random.Random) -> str:
    openers, closers = boasts(language)
    after = f" {rng.choice(closers)}" if rng.random() < 0.4 else ""
    return f"{rng.choice(openers)} {text}{after}"


def _numbers(loved: str | None, rng: random.Random) -> str:
    digits = {item["english"]: item["lucky_digit"] for item in table("animals")["special"]}
    drawn = []
    for _ in range(5):
        number = rng.randint(10, 99)
        if loved and rng.random() < LUCKY_SHARE:
            number = number // 10 * 10 + digits[loved]
        drawn.append(str(number))
    return ", ".join(drawn)
