"""The nouns of executors: a unit of work, and what a person asks of the nodes that do it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

Tell = Callable[[int, float], None]
"""Is told the number of a step, from 1, and its loss."""
Work = Callable[[str, Path, Tell], None]
"""Is given a unit's `spec`, an empty folder to fill, and somebody to tell; importable by its name. It runs where the
unit's inputs lie under their names, in a process of its own, whose MI_HOME that place is."""
Files = Mapping[str, Path]
"""Files by the names that they have in their folder, with / between."""


@dataclass(frozen=True)
class Unit:
    """Work that is done as a whole or not at all, and whose outcome follows from `id` alone: a job, or several."""

    id: str
    """A digest of all that can change what is made, and of nothing else: what is made is found again by it."""
    work: Work
    spec: str
    """What the work is told, as JSON."""
    label: str
    """What people call it."""
    inputs: Mapping[str, Files] = field(default_factory=dict)
    """By their name, which names their content: the files that it reads, as they lie here."""


@dataclass(frozen=True)
class Share:
    """What each unit is given of a node."""

    cpus: float = 1.0
    """Processors to keep for it. It runs in one thread whatever this is, so that no number follows from it."""
    gpus: float | None = None
    """GPUs, or a part of one: 0.25 lets four units share it. None is one where any node has one, else none."""


class Executor(Protocol):
    """Where units are done that are not done on this machine's own workers."""

    async def run(self, unit: Unit, into: Path, tell: Tell | None = None) -> None:
        """Have a unit done, unless it was done before, and put what it made into the folder `into`.

        Any number may be wanted at once. Raises UserError for what the unit failed of, or where nobody can do it.
        """
        ...

    def close(self) -> None:
        """Let go of the nodes."""
        ...
