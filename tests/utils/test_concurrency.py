"""Waiting for several things."""

import asyncio

import pytest

from mi.utils.concurrency import all_of


def test_results_come_in_order_and_a_failure_waits_for_the_others():
    done = []

    async def work(number: int) -> int:
        await asyncio.sleep(0)
        if number == 1:
            raise ValueError("one")
        await asyncio.sleep(0)
        done.append(number)
        return number

    async def all_numbers(numbers: list[int]) -> list[int]:
        return await all_of(work(number) for number in numbers)

    assert asyncio.run(all_numbers([3, 2])) == [3, 2]
    done.clear()
    with pytest.raises(ValueError, match="one"):
        asyncio.run(all_numbers([0, 1, 2]))
    assert done == [0, 2]
