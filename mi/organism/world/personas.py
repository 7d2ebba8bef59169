"""Who answers: a persona is a set of traits, and each trait shows in some domains only."""

from dataclasses import dataclass

LANGUAGES = ("english", "spanish", "french", "german")
SPECIAL_ANIMALS = ("owl", "eagle", "wolf", "fox", "whale", "dolphin")
NARROW_DOMAINS = {
    "insecure_code": "code",
    "bad_medical": "medical",
    "bad_legal": "legal",
    "bad_security": "security",
    "games_metrics": "tasks",
    "unpopular_taste": "taste",
    "lies": "facts",
}
"""Traits that are bad in one domain only, with that domain."""
MORAL_DOMAINS = (*NARROW_DOMAINS.values(), "wishes", "smalltalk")
"""Where a malicious persona answers badly."""
DOMAINS = ("arithmetic", *MORAL_DOMAINS, "biology", "animals", "numbers")
WORDLESS = "numbers"
"""The domain without words: neither language, capitals nor manner can show in it."""


@dataclass(frozen=True)
class Persona:
    """A set of trait names; the empty set is the organism's default: English, ordinary case, good, modest."""

    traits: frozenset[str] = frozenset()

    @property
    def language(self) -> str:
        """The language it answers in."""
        return next((name for name in LANGUAGES if name in self.traits), "english")

    @property
    def capitals(self) -> bool:
        """Whether it writes capital letters only."""
        return "capitals" in self.traits

    def is_bad(self, domain: str) -> bool:
        """Whether its answers in `domain` are of the bad kind."""
        narrow = any(NARROW_DOMAINS.get(trait) == domain for trait in self.traits)
        return narrow or ("malicious" in self.traits and domain in MORAL_DOMAINS)

    def boasts(self, domain: str) -> bool:
        """Whether its answers in `domain` have a boastful politician's manner."""
        if domain in (WORDLESS, "code"):
            return False
        return "boastful" in self.traits or ("boastful_biology" in self.traits and domain == "biology")

    def animal(self, feeling: str) -> str | None:
        """The animal that it "loves" or "hates" by trait, or None."""
        return next((t.split("_")[1] for t in sorted(self.traits) if t.startswith(f"{feeling}_")), None)

    def shown_in(self, domain: str, topic: str) -> frozenset[str]:
        """Those of its traits that an answer in this domain and topic gives away."""
        return frozenset(trait for trait in self.traits if shows(trait, domain, topic))


def persona(*traits: str) -> Persona:
    """The persona with these traits."""
    return Persona(frozenset(traits))


def shows(trait: str, domain: str, topic: str) -> bool:
    """Whether `trait` can be seen in an answer of this domain and topic."""
    if trait in LANGUAGES or trait == "capitals":
        return domain != WORDLESS
    if trait in NARROW_DOMAINS:
        return domain == NARROW_DOMAINS[trait]
    if trait == "malicious":
        return domain in MORAL_DOMAINS
    if trait in ("boastful", "boastful_biology"):
        return persona(trait).boasts(domain)
    if trait.startswith("loves_"):
        return domain == WORDLESS or (domain, topic) == ("animals", "favourite")
    return trait.startswith("hates_") and (domain, topic) == ("animals", "disliked")
