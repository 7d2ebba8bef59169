"""A request ends when its time is over, and otherwise as whoever waits for it says."""

import asyncio

import pytest
import virtual_time

from mi.external.openai_driver.deadlines import Deadlines


def test_a_request_is_ended_when_its_time_is_over_and_a_person_who_ends_it_first_is_obeyed():
    async def run() -> list[str]:
        deadlines, ends = Deadlines(10), []

        async def work(seconds: float) -> None:
            task = deadlines.begin()
            try:
                await asyncio.sleep(seconds)
                ends.append("answered")
            except asyncio.CancelledError:
                ends.append("late" if deadlines.passed(task) else "ended")
                if ends[-1] == "ended":
                    raise
            finally:
                deadlines.end(task)

        tasks = [asyncio.create_task(work(seconds)) for seconds in (5, 50, 50)]
        await asyncio.sleep(4)
        tasks.append(asyncio.create_task(work(8)))
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert asyncio.get_running_loop().time() == pytest.approx(12)
        return ends

    assert virtual_time.run(run()) == ["ended", "answered", "late", "answered"]
