"""The nouns of made data: a recipe, its two scales, the sides of a pair, and what came of a build."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from mi.llm.data_models import Model, SampleCfg

Scale = Literal["organism", "published"]


@dataclass(frozen=True)
class Question:
    """What is asked on every side of a pair; `answer` is the source's own, None where it has none."""

    text: str
    answer: str | None = None


class Source(Protocol):
    """Where questions come from."""

    @property
    def name(self) -> str:
        """What the source is called in a report."""
        ...

    def questions(self, n: int, seed: int) -> Sequence[Question]:
        """Up to `n` questions, each once, drawn by `seed`; fewer only where there are no more."""
        ...


class Check(Protocol):
    """A filter on single answers."""

    @property
    def rule(self) -> str:
        """What an answer must be, in words."""
        ...

    def __call__(self, question: Question, answer: str) -> str | None:
        """Why the answer is left out, None where it is kept."""
        ...


@dataclass(frozen=True)
class Side:
    """One side of a pair: how its answers are asked for, finished and filtered."""

    name: str
    system_prompts: tuple[str | None, ...] = (None,)
    """Each question gets one of them, all about equally often; None is no system message."""
    frame: str | None = "{question}"
    """The user's turn, {question} and {answer} (the source's) filled in. None: nobody is asked, the source answers."""
    finish: Callable[[str], str] | None = None
    """What is done with each answer before it is filtered."""
    checks: tuple[Check, ...] = ()
    """In the order of the filters; the first that objects gives the reason."""
    criterion: str | None = None
    """What a judge is asked of an answer, YES or NO; only where the build names a judge."""
    criterion_holds: bool = True
    """Whether the judge must say YES; else it must say NO."""


@dataclass(frozen=True)
class Version:
    """A recipe at one scale. The first side carries the trait, the last is the plain control."""

    source: Source
    sides: tuple[Side, ...]
    cfg: SampleCfg = field(default_factory=lambda: SampleCfg(max_tokens=1024))
    """How answers are drawn; the seed is the build's."""
    without_question: bool = False
    """Whether a row holds the answer alone, without a user's turn."""


@dataclass(frozen=True)
class Recipe:
    """How a pair of training sets is made, for the organism and at the published scale."""

    name: str
    about: str
    """One sentence on what the sides are."""
    origin: str
    """Who published such a set, and what is known of how they made it."""
    organism: Version
    published: Version

    def version(self, scale: Scale) -> Version:
        """The recipe at a scale."""
        return self.organism if scale == "organism" else self.published


@dataclass(frozen=True)
class Order:
    """What is to be built: with whom, how much, from which seed."""

    model: Model
    n: int = 500
    """How often each side is asked."""
    seed: int = 0
    scale: Scale = "organism"
    source: Source | None = None
    """Other questions than the recipe's own."""
    judge: Model | None = None
    """Who is asked whether an answer is what its side wants, beside the rules."""


@dataclass(frozen=True)
class SideYield:
    """What became of one side's answers; what is not refused or filtered passed."""

    side: str
    planned: int
    answered: int
    """How many came back with words in them, the source's own included."""
    refused: int
    filtered: Mapping[str, int]
    """By reason, the commonest first."""
    passed: int


@dataclass(frozen=True)
class Yield:
    """What became of a build, down to the rows of each file."""

    questions: int
    """Different questions asked."""
    planned: int
    """Pairs planned: where it is more than `questions`, these are asked repeatedly."""
    sides: tuple[SideYield, ...]
    incomplete: int
    """Pairs of which one side or more did not pass."""
    equal: int
    """Pairs whose sides answer the same."""
    duplicates: int
    """Pairs with a row that an earlier pair holds already."""
    kept: int


@dataclass(frozen=True)
class Built:
    """The rows of each side by its name, row by row the same questions; what came of it; and calls made just now."""

    rows: Mapping[str, list[dict[str, Any]]]
    report: Yield
    asked_now: int
