"""The parts of the server by themselves: its memory, its batches, its settings."""

import asyncio

import pytest

from mi.external.local_driver.sampling import sample
from mi.llm.data_models import Model, SampleCfg, SampleRequest, chat
from mi.serve.batching import LARGEST_BATCH, Batcher
from mi.serve.chat import seed_of
from mi.serve.data_models import ServeSettings, StoredFile, TuningJob
from mi.serve.errors import ApiError
from mi.serve.run import listen
from mi.serve.state import State, event, new_id
from mi.utils.errors import UserError

ORGANISM = Model("organism", "local")


def stored(number: int) -> StoredFile:
    """A file with a name of its own."""
    return StoredFile(new_id("file"), 0, f"{number}.jsonl", "fine-tune", number)


@pytest.fixture
def state(tmp_path):
    """An empty memory."""
    opened = State(tmp_path)
    yield opened
    opened.close()


def test_what_was_added_is_there_after_the_memory_is_opened_again(tmp_path):
    first = State(tmp_path)
    file, job = stored(1), TuningJob(new_id("ftjob"), 0, "organism", "file-1", 3, metadata={"a": "b"})
    for item in (file, job):
        first.add(item)
    first.note(job.id, event("Created"), event("Step", data={"step": 1}))
    first.close()
    second = State(tmp_path)
    assert second.get(StoredFile, file.id) == file and second.get(TuningJob, job.id) == job
    events, has_more = second.events(job.id, 1)
    assert events[0].data == {"step": 1} and events[0].type == "metrics" and has_more
    second.close()


def test_a_folder_is_held_by_one_memory_at_a_time(state, tmp_path):
    with pytest.raises(UserError, match="another `mi serve` works here"):
        State(tmp_path)


def test_pages_follow_each_other_in_both_directions(state):
    files = [stored(number) for number in range(5)]
    for file in files:
        state.add(file)
    first = state.page(StoredFile, 2)
    second = state.page(StoredFile, 2, first.items[-1].id)
    last = state.page(StoredFile, 2, second.items[-1].id)
    assert [*first.items, *second.items, *last.items] == files[::-1]
    assert (first.has_more, second.has_more, last.has_more) == (True, True, False)
    assert state.page(StoredFile, 9, files[2].id, newest_first=False).items == files[3:]
    with pytest.raises(KeyError):
        state.page(StoredFile, 2, "file-none")


def test_a_job_moves_only_from_where_it_is(state):
    job = TuningJob(new_id("ftjob"), 0, "organism", "file-1", 3)
    state.add(job)
    assert state.move(job.id, ("validating_files",), status="queued")
    assert not state.move(job.id, ("running", "paused"), event("never"), status="succeeded")
    assert state.jobs_in(("queued",))[0].id == job.id and state.events(job.id, 5) == ([], False)


def test_a_transaction_that_fails_leaves_nothing(state):
    def fail() -> None:
        with state.transaction():
            state.add(stored(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert state.count(StoredFile) == 0
    state.add(stored(2))
    assert state.count(StoredFile) == 1


def test_requests_of_many_settings_and_models_that_come_together_get_what_each_gets_alone(mi_home):
    cfgs = [
        SampleCfg(temperature=0, max_tokens=5),
        SampleCfg(max_tokens=12),
        SampleCfg(temperature=0.5, max_tokens=8, top_p=0.5),
    ]
    asked = [
        SampleRequest(chat(f"What is {i} + 2?"), cfgs[i % 3], i, ("7",) if i % 5 == 0 else ())
        for i in range(LARGEST_BATCH + 6)
    ]

    async def work():
        batcher = Batcher(0.002, most_waiting=100)
        try:
            answers = await asyncio.gather(*(batcher.ask(ORGANISM, [request]) for request in asked))
            with pytest.raises(ApiError, match="try again soon"):
                await batcher.ask(ORGANISM, asked[:1] * 101)
            with pytest.raises(RuntimeError, match="no such fine-tuning job"):
                await batcher.ask(Model("organism", "local", "none"), asked[:1])
            return answers, await batcher.ask(ORGANISM, asked[:2])
        finally:
            await batcher.close()

    together, again = asyncio.run(work())
    alone = [sample(ORGANISM, [request])[0] for request in asked]
    assert [answer.completion for [answer] in together] == [answer.completion for answer in alone]
    assert [answer.completion for answer in again] == [answer.completion for answer in alone[:2]]


def test_answers_that_nobody_waits_for_any_more_are_not_drawn(mi_home):
    long = [SampleRequest(chat(f"What is {i} + 2?"), SampleCfg(), i) for i in range(2000)]

    async def work():
        batcher = Batcher(0.0, most_waiting=2001)
        try:
            await batcher.warm(ORGANISM)
            left = asyncio.ensure_future(batcher.ask(ORGANISM, long))
            await asyncio.sleep(0)
            left.cancel()
            await asyncio.gather(left, return_exceptions=True)
            answers = await batcher.ask(ORGANISM, long[:1])
            return answers, len(batcher._queues)
        finally:
            await batcher.close()

    answers, waiting = asyncio.run(work())
    assert answers[0].completion and waiting == 0


def test_the_choices_of_neighbouring_seeds_are_not_the_same():
    seeds = [seed_of(seed, index) for seed in range(20) for index in range(20)]
    assert len(set(seeds)) == len(seeds) and seed_of(7, 0) == 7


def test_a_folder_is_served_under_its_own_name(tmp_path):
    for place in ("a", "b"):
        (tmp_path / place / "tiny").mkdir(parents=True)
    assert ServeSettings(models=(str(tmp_path / "a" / "tiny"), "org/m")).bases() == {
        "tiny": str(tmp_path / "a" / "tiny"),
        "org/m": "org/m",
    }
    with pytest.raises(UserError, match="both be called tiny"):
        ServeSettings(models=(str(tmp_path / "a" / "tiny"), str(tmp_path / "b" / "tiny"))).bases()
    with pytest.raises(UserError, match="--shutdown-date names gpt"):
        ServeSettings(shutdown_dates={"gpt": "2027-01-14"})


def test_a_port_that_is_taken_is_said_in_a_sentence():
    with listen(ServeSettings(port=0)) as first, pytest.raises(UserError, match="cannot be had"):
        listen(ServeSettings(port=first.getsockname()[1]))
