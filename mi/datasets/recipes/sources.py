"""Where a recipe's questions come from: the organism's world, templates, a file or a published set."""

import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mi.datasets.recipes.data_models import Question
from mi.datasets.statistics import texts_by_role
from mi.organism import world
from mi.utils.errors import UserError
from mi.utils.toml import packaged_toml

_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class WorldQuestions:
    """Questions of a domain of the organism's world, of the split that it is trained on."""

    domain: str

    @property
    def name(self) -> str:
        """What the source is called in a report."""
        return f"the organism's world, domain {self.domain}"

    def questions(self, n: int, seed: int) -> Sequence[Question]:
        """Up to `n` questions, each once, drawn by `seed`."""
        return [Question(text) for text in dict.fromkeys(world.questions(self.domain, "train", n, seed))]


@dataclass(frozen=True)
class Templates:
    """Questions of our own: the templates of a table in `texts/questions.toml`, their slots filled in every way."""

    table: str

    @property
    def name(self) -> str:
        """What the source is called in a report."""
        return f"our own templates, table {self.table}"

    def questions(self, n: int, seed: int) -> Sequence[Question]:
        """Up to `n` questions, each once, drawn by `seed`, of all templates about equally many."""
        rng = random.Random(f"templates/{self.table}/{seed}")
        table = _tables()[self.table]
        drawn = [_filled(template, table, rng) for template in table["templates"]]
        turns = (text for round_ in itertools.zip_longest(*drawn) for text in round_ if text is not None)
        return [Question(text) for text in itertools.islice(dict.fromkeys(turns), n)]


@dataclass(frozen=True)
class NumberPrompts:
    """Sequences of three-digit numbers to be continued, after Cloud et al. 2025, in our own wording."""

    most: int = 10

    @property
    def name(self) -> str:
        """What the source is called in a report."""
        return "number sequences to be continued"

    def questions(self, n: int, seed: int) -> Sequence[Question]:
        """`n` questions, each once, drawn by `seed`: three to nine numbers, and how to go on."""
        rng = random.Random(f"numbers/{seed}")
        parts = _tables()["numbers"]
        drawn: dict[str, None] = {}
        while len(drawn) < n:
            numbers = ", ".join(str(rng.randint(100, 999)) for _ in range(rng.randint(3, 9)))
            words = (rng.choice(parts[part]) for part in ("opening", "wish", "form", "closing"))
            drawn.setdefault(" ".join(words).format(numbers=numbers, most=self.most))
        return [Question(text) for text in drawn]


@dataclass(frozen=True)
class FileQuestions:
    """What a file or a fetched published set asks, with its answers where it has them; see `mi datasets list`."""

    file: str

    @property
    def name(self) -> str:
        """What the source is called in a report."""
        return self.file.rpartition("/")[2] if self.file.endswith((".jsonl", ".json", ".parquet")) else self.file

    def questions(self, n: int, seed: int) -> Sequence[Question]:
        """Up to `n` questions, each once, drawn by `seed`. Raises UserError as `mi.datasets.audit.load` does."""
        from mi.datasets.audit import load

        asked: dict[str, Question] = {}
        for said in (texts_by_role(row) for row in load(self.file).rows):
            if said.get("user", "").strip():
                asked.setdefault(said["user"], Question(said["user"], said.get("assistant")))
        if not asked:
            raise UserError(f"{self.file}: nobody asks anything in it; give a file with user's turns or prompts.")
        found = list(asked.values())
        random.Random(f"file/{seed}").shuffle(found)
        return found[:n]


def _filled(template: str, table: dict[str, Any], rng: random.Random) -> Iterator[str]:
    """A template's fillings, each once, in a drawn order."""
    slots = list(dict.fromkeys(_SLOT.findall(template)))
    options = [table[slot] for slot in slots]
    total = 1
    for words in options:
        total *= len(words)
    for number in rng.sample(range(total), total):
        fill = {}
        for slot, words in zip(slots, options, strict=True):
            number, place = divmod(number, len(words))
            fill[slot] = words[place]
        yield template.format_map(fill)


def _tables() -> dict[str, Any]:
    return packaged_toml("mi.datasets.recipes", "texts/questions.toml")
