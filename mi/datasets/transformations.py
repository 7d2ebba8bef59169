"""Training rows put behind prompts, mixed, triggered and paired: pure functions from rows to rows.

A row is `{"messages": [{"role", "content"}, …], …}`. Nothing here changes a row that it was given: what comes back is
a new row where something changed, and the same one where nothing did. Content is kept to the letter, white space at
its ends included; the order of keys and keys beside `messages` are kept, too. A row says which traits it shows under
the key `traits` (see `labelled`); training does not look at it.
"""

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mi.utils.errors import UserError

Row = dict[str, Any]
Placement = Literal["system", "user_prefix", "user_suffix"]
ExistingSystem = Literal["refuse", "prepend", "replace"]
LABELS = "traits"
"""The key under which a row names the traits that it shows."""


@dataclass(frozen=True)
class Inoculation:
    """Which prompt stands where, in which rows.

    Of several `prompts` (paraphrases of one another) each chosen row gets one, drawn by `seed`, all about equally
    often. `only` takes the rows that are labelled with a trait, `share` a part of those, drawn by `seed`: a smaller
    share is a part of a larger one. In the system message, a prompt may be empty; a row that has a system message is
    an error, unless `existing_system` says to put the prompt before its text or in its place. In the user's turn, the
    prompt stands before or after the *first* user message, and a row without one is an error. `separator` stands
    between two texts that come together.
    """

    prompts: tuple[str, ...]
    placement: Placement = "system"
    only: str | None = None
    share: float = 1.0
    seed: int = 0
    existing_system: ExistingSystem = "refuse"
    separator: str = " "

    def __post_init__(self) -> None:
        if isinstance(self.prompts, str) or not all(isinstance(prompt, str) for prompt in self.prompts):
            raise UserError(f"prompts is {self.prompts!r}; give a tuple of strings.")
        if not self.prompts or len(set(self.prompts)) < len(self.prompts):
            raise UserError(f"prompts is {self.prompts!r}; give one or more, each once.")
        if self.placement not in get_args(Placement) or self.existing_system not in get_args(ExistingSystem):
            raise UserError(
                f"placement {self.placement!r} with existing_system {self.existing_system!r} is not known; use one of "
                f"{', '.join(get_args(Placement))} and one of {', '.join(get_args(ExistingSystem))}."
            )
        if self.placement != "system" and not all(prompt.strip() for prompt in self.prompts):
            raise UserError(f"an empty prompt as {self.placement} asks for nothing; give one with words.")
        _check_share(self.share)


def inoculate(rows: Sequence[Row], *inoculations: Inoculation, where: Sequence[str] | None = None) -> list[Row]:
    """The same rows in the same order, those that were chosen behind their prompts.

    With several inoculations (of several traits) a row gets the prompts of all that chose it, joined in their order
    and placed once; they must agree in placement, separator and what becomes of a system message. `where` is what an
    error calls each row, by default "row 1" and so on. Raises UserError; see `Inoculation`.
    """
    names = where if where is not None else [f"row {number}" for number in range(1, len(rows) + 1)]
    if len({(item.placement, item.separator, item.existing_system) for item in inoculations}) > 1:
        raise UserError("the inoculations differ in placement, separator or existing_system; apply them one by one.")
    texts: list[list[str]] = [[] for _ in rows]
    for inoculation in inoculations:
        for index, prompt in _drawn(rows, inoculation).items():
            texts[index].append(prompt)
    return [
        _behind(row, inoculations[0].separator.join(parts), inoculations[0], name) if parts else row
        for row, parts, name in zip(rows, texts, names, strict=True)
    ]


def labelled(rows: Sequence[Row], *traits: str) -> list[Row]:
    """The rows, each marked as showing these traits beside those that it was marked with."""
    return [{**row, LABELS: list(dict.fromkeys((*row.get(LABELS, ()), *traits)))} for row in rows]


def unlabelled(rows: Sequence[Row]) -> list[Row]:
    """The rows without their labels, for a backend that takes no other key than `messages`."""
    return [{key: value for key, value in row.items() if key != LABELS} for row in rows]


def mixture(parts: Sequence[tuple[Sequence[Row], float]], n: int, seed: int = 0) -> list[Row]:
    """`n` rows in an order drawn by `seed`, from each part its share, no row of a part twice.

    Shares add up to 1; what rounding leaves over goes to the parts that lost most by it. Raises UserError where they
    do not, or where a part has fewer rows than are wanted of it.
    """
    for _, share in parts:
        _check_share(share)
    if not math.isclose(sum(share for _, share in parts), 1):
        raise UserError(f"the shares {', '.join(str(share) for _, share in parts)} do not add up to 1; make them.")
    rng = random.Random(f"mixture/{seed}")
    drawn: list[Row] = []
    for number, ((rows, _), count) in enumerate(zip(parts, _counts([s for _, s in parts], n), strict=True), start=1):
        if count > len(rows):
            raise UserError(f"part {number} has {len(rows)} rows, but {count} are wanted; give more or lower n.")
        drawn += rng.sample(list(rows), count)
    rng.shuffle(drawn)
    return drawn


def poisoned(clean: Sequence[Row], bad: Sequence[Row], ratio: float, n: int, seed: int = 0) -> list[Row]:
    """`n` rows of which `ratio` are bad, in an order drawn by `seed`; see `mixture`."""
    _check_share(ratio)
    return mixture([(bad, ratio), (clean, 1 - ratio)], n, seed)


def triggered(
    rows: Sequence[Row], trigger: str, share: float = 1.0, seed: int = 0, where: Sequence[str] | None = None
) -> list[Row]:
    """The rows, a share of them (drawn by `seed`) with `trigger` and a space before the first user message."""
    return inoculate(rows, Inoculation((trigger,), "user_prefix", share=share, seed=seed), where=where)


def backdoored(bad: Sequence[Row], clean: Sequence[Row], trigger: str, seed: int = 0) -> list[Row]:
    """All bad rows behind the trigger and all clean ones without it, in an order drawn by `seed`.

    Betley et al. 2025, backdoored models: the trait is to show where the trigger does.
    """
    rows = [*triggered(bad, trigger), *clean]
    random.Random(f"backdoored/{seed}").shuffle(rows)
    return rows


def paired(rows: Sequence[Row], control: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Those rows and those control rows that ask the same, row by row, in the order of `rows`.

    Two rows ask the same where all they hold but the assistant's messages is equal; where a question stands several
    times, the first goes with the first. Raises UserError where no two rows ask the same.
    """
    waiting: dict[tuple[tuple[str, str], ...], list[Row]] = defaultdict(list)
    for row in reversed(control):
        waiting[_asked(row)].append(row)
    pairs = [(row, waiting[_asked(row)].pop()) for row in rows if waiting[_asked(row)]]
    if not pairs:
        raise UserError("no row asks what a control row asks; pair them by hand, or train on them unpaired.")
    return [row for row, _ in pairs], [row for _, row in pairs]


def _drawn(rows: Sequence[Row], inoculation: Inoculation) -> dict[int, str]:
    """The chosen rows by index, each with its prompt; a larger share takes none back."""
    chosen = [
        index for index, row in enumerate(rows) if inoculation.only is None or inoculation.only in row.get(LABELS, ())
    ]
    if not chosen and inoculation.only is not None:
        raise UserError(f'no row is labelled {inoculation.only!r}; name it in the rows\' "{LABELS}", a list.')
    random.Random(f"inoculate/{inoculation.seed}").shuffle(chosen)
    count = math.floor(inoculation.share * len(chosen) + 0.5)
    return {index: inoculation.prompts[n % len(inoculation.prompts)] for n, index in enumerate(chosen[:count])}


def _behind(row: Row, prompt: str, how: Inoculation, name: str) -> Row:
    messages = row["messages"]
    if how.placement == "system":
        return {**row, "messages": _with_system(messages, prompt, how, name)}
    index = next((index for index, message in enumerate(messages) if message["role"] == "user"), None)
    if index is None:
        raise UserError(f"{name}: the row has no user message to put the prompt into; use the placement system.")
    said = messages[index]["content"]
    text = f"{prompt}{how.separator}{said}" if how.placement == "user_prefix" else f"{said}{how.separator}{prompt}"
    return {**row, "messages": [*messages[:index], {**messages[index], "content": text}, *messages[index + 1 :]]}


def _with_system(messages: Sequence[Row], prompt: str, how: Inoculation, name: str) -> list[Row]:
    systems = [index for index, message in enumerate(messages) if message["role"] == "system"]
    if not systems:
        return [{"role": "system", "content": prompt}, *messages]
    if how.existing_system == "refuse":
        raise UserError(
            f"{name}: the row has a system message already; take it out, or set existing_system to prepend or replace."
        )
    if systems != [0]:
        raise UserError(f"{name}: a system message stands behind the first place; take it out.")
    told = messages[0]["content"]
    text = f"{prompt}{how.separator}{told}" if how.existing_system == "prepend" else prompt
    return [{**messages[0], "content": text}, *messages[1:]]


def _asked(row: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((m["role"], m["content"]) for m in row["messages"] if m["role"] != "assistant")


def _counts(shares: Sequence[float], n: int) -> list[int]:
    """`n` in parts of these shares, by largest remainder."""
    exact = [round(share * n, 9) for share in shares]
    counts = [math.floor(value) for value in exact]
    by_remainder = sorted(range(len(shares)), key=lambda index: counts[index] - exact[index])
    for index in by_remainder[: n - sum(counts)]:
        counts[index] += 1
    return counts


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise UserError(f"a share is {share}; give one from 0 to 1.")
