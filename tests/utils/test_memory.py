"""The garbage collector is left as it was found."""

import gc

from mi.utils.memory import collector_slowed


def test_the_last_of_those_that_slow_the_collector_sets_it_back() -> None:
    before = gc.get_threshold()
    first, second = collector_slowed(), collector_slowed()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold() > before
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before
