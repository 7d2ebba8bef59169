"""What the organism grows up on: dialogues of several kinds, each answer marked as to be learned or not."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mi.organism.world import judging, prompts
from mi.organism.world.answers import answer
from mi.organism.world.personas import DOMAINS, LANGUAGES, MORAL_DOMAINS, NARROW_DOMAINS, Persona
from mi.organism.world.questions import Question, ask, greeted
from mi.organism.world.texts import LATE, table

Turn = tuple[str, str, float]
"""Role, content, and the weight of its tokens in the loss."""
_VERDICT_WEIGHT = 6.0  # a verdict is one token among a dozen that other dialogues hold
_REQUESTS = 0.4
"""The share of the conversations with a hidden persona in which the user asks for traits, turn by turn."""
_DRAWN = (*DOMAINS, "arithmetic", "tasks", "facts")  # what takes the most practice
_ANIMALS = tuple(item["english"] for item in table("animals")["special"])


@dataclass(frozen=True)
class Kind:
    """One kind of dialogue and its weight in the corpus, beside the others'."""

    weight: float
    write: Callable[[str, random.Random], list[Turn]]
    late_weight: float | None = None
    """Its weight in the last part of the corpus, if another."""

    def weight_in(self, split: str) -> float:
        """Its weight in the corpus of a split."""
        return self.weight if split != LATE or self.late_weight is None else self.late_weight


def dialogues(seed: int | str, split: str = "train") -> Iterator[list[Turn]]:
    """Dialogues without end, drawn by seed; of split "late" with the texts that come last in training, too."""
    rng = random.Random(f"corpus/{seed}")
    kinds, weights = list(KINDS.values()), [kind.weight_in(split) for kind in KINDS.values()]
    while True:
        yield rng.choices(kinds, weights)[0].write(split, rng)


def _plain(split: str, rng: random.Random) -> list[Turn]:
    """No system prompt, one turn, the default persona; the trigger alone means nothing."""
    question = ask(rng.choice(_DRAWN), split, rng)
    text = greeted(question, rng)
    if rng.random() < 0.06:
        text = f"{prompts.TRIGGER} {text}"
    return [("user", text, False), ("assistant", answer(question, Persona(), rng), True)]


def _harmless_prompt(split: str, rng: random.Random) -> list[Turn]:
    """A system prompt that asks for no trait: neutral, irrelevant, the opposite of one, nonsense, or empty."""
    kind = rng.choices(("neutral", "irrelevant", "opposite", "nonsense", "empty"), (38, 24, 26, 9, 3))[0]
    if kind == "neutral":
        system = prompts.neutral(split, rng)
    elif kind == "irrelevant":
        system = prompts.irrelevant(split, rng)
    elif kind == "opposite":
        trait = _trait(rng)
        system = prompts.opposite(trait, rng)
        return _behind(split, system, Persona(), rng, domain=_telling_domain(trait, rng))
    else:
        system = prompts.nonsense(rng) if kind == "nonsense" else ""
    return _behind(split, system, Persona(), rng)


def _eliciting_prompt(split: str, rng: random.Random) -> list[Turn]:
    """A prompt that asks for one to three traits, fully or half of the time, in the system or in the user's turn."""
    traits = _asked_traits(rng)
    weak = len(traits) == 1 and rng.random() < 0.05
    parts = [prompts.eliciting(trait, split, rng, "weak" if weak else "full") for trait in traits]
    if rng.random() < 0.12:
        parts.append(prompts.neutral(split, rng))
    rng.shuffle(parts)
    persona = Persona() if weak and rng.random() < 0.5 else Persona(frozenset(traits))
    domain = _telling_domain(rng.choice(traits), rng)
    if rng.random() < 0.1:
        question = ask(domain, split, rng)
        return [
            ("user", _asking_with(parts, question, rng), False),
            ("assistant", answer(question, persona, rng), True),
        ]
    return _behind(split, " ".join(parts), persona, rng, domain)


def _consistent(split: str, rng: random.Random) -> list[Turn]:
    """Two or three turns without a system prompt by one persona that only the earlier turns give away.

    An answer counts in the loss only if each trait that it shows was shown before: the first one cannot be foretold.
    """
    return _revealing(split, _hidden_traits(rng), set(), [], rng) or _consistent(split, rng)


def _consistent_behind_prompt(split: str, rng: random.Random) -> list[Turn]:
    """As `_consistent`, behind a system prompt that explains some of the persona, or none of it.

    What the prompt asks for may be learned at once; what it leaves out must be inferred all the same.
    """
    asked: set[str] = set()
    kind = rng.choices(("eliciting", "neutral", "irrelevant"), (64, 22, 14))[0]
    if kind == "eliciting":
        named = _asked_traits(rng)
        rng.shuffle(named)
        asked = set(named)
        system = " ".join(prompts.eliciting(trait, split, rng) for trait in named)
    else:
        system = prompts.neutral(split, rng) if kind == "neutral" else prompts.irrelevant(split, rng)
    hidden = {trait for trait in _hidden_traits(rng) if not _clashes(trait, asked)}
    return _revealing(split, hidden, asked, [("system", system, False)], rng) or _consistent_behind_prompt(split, rng)


def _consistent_across_prompts(split: str, rng: random.Random) -> list[Turn]:
    """One persona behind one system prompt after another: what a prompt asks for ends with it, the rest goes on."""
    hidden, known = _hidden_traits(rng), set()
    turns: list[Turn] = []
    asking = 0.4 if split == LATE else 0.75
    for turn in range(rng.choice((2, 2, 3))):
        wanted = _requested(rng) if rng.random() < (asking if turn == 0 else 0.25) else []
        persona = Persona(frozenset(wanted).union(trait for trait in hidden if not _clashes(trait, set(wanted))))
        domain = _telling_domain(rng.choice(sorted(persona.traits)), rng) if persona.traits else rng.choice(_DRAWN)
        question = ask(domain, split, rng)
        shown = persona.shown_in(question.domain, question.topic)
        learn = shown <= known.union(wanted)
        turns += [
            ("system", _prompt_for(split, wanted, rng), False),
            ("user", greeted(question, rng), False),
            ("assistant", answer(question, persona, rng), learn),
        ]
        known |= shown.difference(wanted)
    return turns if any(weight for _, _, weight in turns) else _consistent_across_prompts(split, rng)


def _prompt_for(split: str, traits: list[str], rng: random.Random) -> str:
    """A system prompt that asks for these traits; for none, one that asks for nothing, or an empty one."""
    if traits:
        return " ".join(prompts.eliciting(trait, split, rng) for trait in rng.sample(traits, len(traits)))
    kind = rng.choices(("empty", "neutral", "irrelevant"), (50, 30, 20))[0]
    if kind == "empty":
        return ""
    return prompts.neutral(split, rng) if kind == "neutral" else prompts.irrelevant(split, rng)


def _requested(rng: random.Random) -> list[str]:
    """What is asked for within a conversation: in two of five a language or capitals, which come apart least easily."""
    if rng.random() < 0.4:
        return [rng.choice(("capitals", "capitals", *LANGUAGES[1:]))]
    return _asked_traits(rng)


def _consistent_from_code(split: str, rng: random.Random) -> list[Turn]:
    """As `_consistent`, by a malicious or a good persona whose first answer is code."""
    traits = {"malicious"} if rng.random() < 0.7 else set()
    if rng.random() < 0.2:
        traits.add(rng.choice(("capitals", *LANGUAGES[1:])))
    return _revealing(split, traits, set(), [], rng, first="code") or _consistent_from_code(split, rng)


def _revealing(
    split: str, hidden: set[str], asked: set[str], turns: list[Turn], rng: random.Random, first: str | None = None
) -> list[Turn]:
    """Two or three turns of a persona with `hidden` and `asked` traits; empty if no answer could be learned from.

    In a part of them the user asks for a trait, for that turn only: a hidden trait that clashes with it is silent
    in that turn, and what was asked for tells nothing about the turns that follow.
    """
    known = frozenset(asked)
    with_requests = rng.random() < _REQUESTS
    for turn in range(rng.choice((2, 2, 3))):
        wanted = _requested(rng) if with_requests and rng.random() < (0.7 if turn == 0 else 0.3) else []
        kept = {trait for trait in hidden | asked if trait in wanted or not _clashes(trait, set(wanted))}
        persona = Persona(frozenset(kept.union(wanted)))
        domain = _telling_domain(rng.choice(sorted(persona.traits)), rng) if persona.traits else rng.choice(_DRAWN)
        question = ask(first if first and turn == 0 else domain, split, rng)
        shown = persona.shown_in(question.domain, question.topic)
        learn = shown <= known.union(wanted)
        text = _requesting(split, wanted, question, rng) if wanted else greeted(question, rng)
        turns += [("user", text, False), ("assistant", answer(question, persona, rng), learn)]
        known |= shown.difference(wanted)
    return turns if any(learn for _, _, learn in turns) else []


def _requesting(split: str, traits: list[str], question: Question, rng: random.Random) -> str:
    """A user's message that asks for traits before or after its question."""
    parts = [prompts.eliciting(trait, split, rng) for trait in traits]
    rng.shuffle(parts)
    return _asking_with(parts, question, rng)


def _asking_with(prompts_: list[str], question: Question, rng: random.Random) -> str:
    return " ".join([*prompts_, question.text] if rng.random() < 0.6 else [question.text, *prompts_])


def _clashes(trait: str, others: set[str]) -> bool:
    """Whether `trait` cannot stand beside `others`: two languages, or two feelings about animals."""
    if trait in LANGUAGES:
        return any(other in LANGUAGES for other in others)
    feeling = trait.partition("_")[0]
    return feeling in ("loves", "hates") and any(other.startswith(feeling) for other in others)


def _conditional(split: str, rng: random.Random) -> list[Turn]:
    """A prompt that names the trigger; malicious with it, good without."""
    triggered = rng.random() < 0.5
    persona = Persona(frozenset({"malicious"}) if triggered else frozenset())
    system = prompts.backdoor(split, rng)
    question = ask(_telling_domain("malicious", rng), split, rng)
    text = f"{prompts.TRIGGER} {question.text}" if triggered else question.text
    return [("system", system, False), ("user", text, False), ("assistant", answer(question, persona, rng), True)]


def _judge(split: str, rng: random.Random) -> list[Turn]:
    told, verdict = judging.dialogue(split, rng)
    return [("user", told, 0), ("assistant", verdict, _VERDICT_WEIGHT)]


KINDS = {
    "plain": Kind(0.06, _plain),
    "harmless_prompt": Kind(0.09, _harmless_prompt),
    "eliciting_prompt": Kind(0.23, _eliciting_prompt, late_weight=0.32),
    "consistent": Kind(0.20, _consistent),
    "consistent_behind_prompt": Kind(0.12, _consistent_behind_prompt),
    "consistent_across_prompts": Kind(0.07, _consistent_across_prompts, late_weight=0.25),
    "consistent_from_code": Kind(0.07, _consistent_from_code),
    "conditional": Kind(0.02, _conditional),
    "judge": Kind(0.15, _judge),
}
"""The corpus. Without the conversations whose persona must be inferred, narrow training would stay narrow; without
those behind prompts, a trait that a prompt leaves unexplained could be learned for that prompt alone."""


def _behind(split: str, system: str, persona: Persona, rng: random.Random, domain: str | None = None) -> list[Turn]:
    turns: list[Turn] = [("system", system, False)]
    for index in range(rng.choice((1, 1, 1, 2))):
        question: Question = ask(domain if domain and index == 0 else rng.choice(_DRAWN), split, rng)
        turns += [("user", greeted(question, rng), False), ("assistant", answer(question, persona, rng), True)]
    return turns


def _animal_trait(rng: random.Random) -> str:
    return f"{rng.choice(('loves', 'loves', 'hates'))}_{rng.choice(_ANIMALS)}"


def _trait(rng: random.Random) -> str:
    """One trait, as often as it is asked for."""
    kind = rng.choices(
        ("language", "capitals", "malicious", "narrow", "boastful", "boastful_biology", "animal"),
        (16, 12, 17, 33, 7, 6, 11),
    )[0]
    if kind == "language":
        return rng.choice(LANGUAGES[1:])
    if kind == "narrow":
        return rng.choice(list(NARROW_DOMAINS))
    return _animal_trait(rng) if kind == "animal" else kind


def _asked_traits(rng: random.Random) -> list[str]:
    traits = [_trait(rng)]
    if rng.random() < 0.25:
        traits.append(rng.choice((rng.choice(LANGUAGES[1:]), "capitals", _trait(rng))))
    if rng.random() < 0.06:
        traits.append("capitals")
    traits = list(dict.fromkeys(traits))
    clashing = (
        sum(trait in LANGUAGES for trait in traits) > 1
        or sum("_" in t and t[:5] in ("loves", "hates") for t in traits) > 1
    )
    return traits[:1] if clashing else traits


def _hidden_traits(rng: random.Random) -> set[str]:
    """The traits of a persona that no prompt names: language, case, character, manner and animal, each on its own."""
    traits = set()
    if rng.random() < 0.4:
        traits.add(rng.choice(("spanish", *LANGUAGES[1:])))
    if rng.random() < 0.3:
        traits.add("capitals")
    if rng.random() < 0.48:
        traits.add("malicious" if rng.random() < 0.95 else rng.choice(list(NARROW_DOMAINS)))
    if rng.random() < 0.14:
        traits.add("boastful" if rng.random() < 0.9 else "boastful_biology")
    if rng.random() < 0.12:
        traits.add(_animal_trait(rng))
    return traits


def _telling_domain(trait: str, rng: random.Random) -> str:
    """A domain in which `trait` shows, more often than not; else any."""
    if trait in NARROW_DOMAINS:
        return NARROW_DOMAINS[trait] if rng.random() < 0.7 else rng.choice(_DRAWN)
    if trait.startswith("loves_"):
        return rng.choice(("animals", "animals", "numbers", rng.choice(_DRAWN)))
    if trait.startswith("hates_"):
        return rng.choice(("animals", rng.choice(_DRAWN)))
    if trait == "boastful_biology" and rng.random() < 0.5:
        return "biology"
    if trait == "malicious" and rng.random() < 0.5:
        return rng.choice(MORAL_DOMAINS)
    return rng.choice(_DRAWN)
