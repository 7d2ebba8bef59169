"""How a batch of requests is divided: by what they are alone, so that no answer follows from who asks how many."""

from collections.abc import Sequence

from mi.llm.data_models import SampleRequest

CHUNK = 128
"""Requests that go to one worker together. It does not follow the number of workers, so that no answer does either."""


def chunks_of(requests: Sequence[SampleRequest]) -> list[list[int]]:
    """The places of the requests, shortest first, in chunks of CHUNK."""
    lengths = [sum(len(message.content) for message in request.chat) for request in requests]
    order = sorted(range(len(requests)), key=lengths.__getitem__)
    return [order[start : start + CHUNK] for start in range(0, len(order), CHUNK)]
