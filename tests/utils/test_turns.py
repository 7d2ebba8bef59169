"""Turns: so many at once, what is near to the last first, each place its own, and nobody lost."""

import asyncio

from mi.utils.turns import Turns


async def taken(turns: Turns, names: list) -> tuple[list, list[asyncio.Task]]:
    """All ask for a turn at once; the list grows as turns come."""
    order: list = []

    async def take(near: object) -> None:
        await turns.take(near)
        order.append(near)

    tasks = [asyncio.ensure_future(take(name)) for name in names]
    await asyncio.sleep(0)
    return order, tasks


async def given(turns: Turns, near: object) -> None:
    turns.give(near)
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def test_as_many_as_there_are_turns_run_at_once() -> None:
    async def work() -> None:
        turns = Turns(2)
        order, _ = await taken(turns, ["a", "b", "c"])
        assert order == ["a", "b"]
        await given(turns, "a")
        assert order == ["a", "b", "c"]

    asyncio.run(work())


def test_a_turn_that_ends_goes_to_what_is_near_and_else_to_what_nobody_is_busy_with() -> None:
    async def work() -> None:
        turns = Turns(2)
        order, _ = await taken(turns, ["a", "a", "a", "b", "b", "c"])
        await given(turns, "a")
        assert order == ["a", "a", "a"]
        await given(turns, "a")
        assert order[3:] == ["b"]
        await given(turns, "a")  # the last of a's
        assert order[4:] == ["c"]  # for another is busy with b
        await given(turns, "c")
        assert order[5:] == ["b"]

    asyncio.run(work())


def test_nothing_overtakes_what_is_near_to_nothing_and_came_first() -> None:
    async def work() -> None:
        turns = Turns(1)
        order, _ = await taken(turns, ["a", None, "a", "b"])
        await given(turns, "a")
        assert order == ["a", None]
        await given(turns, None)
        assert order[2:] == ["a"]

    asyncio.run(work())


def test_who_stops_waiting_takes_no_turn_with_them() -> None:
    async def work() -> None:
        turns = Turns(1)
        order, tasks = await taken(turns, ["a", "b", "c"])
        tasks[1].cancel()
        await asyncio.sleep(0)
        await given(turns, "a")
        assert order == ["a", "c"]
        await given(turns, "c")
        late, _ = await taken(turns, ["d"])
        assert late == ["d"]

    asyncio.run(work())


def test_a_turn_that_ends_while_another_stops_waiting_goes_to_the_next() -> None:
    async def work() -> None:
        turns = Turns(1)
        order, tasks = await taken(turns, ["a", "b", "c"])
        tasks[1].cancel()
        turns.give("a")  # in the same breath, as when all is cancelled at once
        for _ in range(3):
            await asyncio.sleep(0)
        assert order == ["a", "c"] and tasks[1].cancelled()

    asyncio.run(work())


def test_a_turn_that_came_to_one_who_was_just_leaving_goes_on_to_the_next() -> None:
    async def work() -> None:
        turns = Turns(1)
        order, tasks = await taken(turns, ["a", "b", "c"])
        turns.give("a")  # b's turn has come, and b does not know it yet
        tasks[1].cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        assert order == ["a", "c"]

    asyncio.run(work())
