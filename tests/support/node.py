"""An executor that is one node in a thread of the test: what Ray's executor does with a unit, without Ray."""

import asyncio
from pathlib import Path

from mi.executors.data_models import Tell, Unit
from mi.executors.node import Order, Report, carry_out, code_digest, input_name, output_name
from mi.executors.store import Store
from mi.utils.errors import UserError


class OneNode:
    """Does units one after the other, and remembers which it was asked for and how they went."""

    def __init__(self, store: str) -> None:
        self.store = Store(store)
        self.units: list[Unit] = []
        self.reports: list[Report] = []
        self._free = asyncio.Lock()

    async def run(self, unit: Unit, into: Path, tell: Tell | None = None) -> None:
        """As `Executor.run`."""
        for name, files in unit.inputs.items():
            self.store.push(input_name(name), files)
        async with self._free:
            self.units.append(unit)
            report = await asyncio.to_thread(carry_out, Order(unit, self.store.url, code_digest(), 0))
        self.reports.append(report)
        if report.failure:
            raise UserError(report.failure)
        self.store.fetch(output_name(unit), into)

    def close(self) -> None:
        """Nothing is held."""
