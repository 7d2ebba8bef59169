"""Asking for what the store does not hold, and for nothing else."""

from collections.abc import Sequence

from mi.evaluation.store import Call, Kind, OpenStore, call_key, open_store, read_store
from mi.llm import services as llm
from mi.llm.data_models import LLMResponse, Model
from mi.utils.concurrency import all_of

BATCH = 256
"""Calls between two writes: what a crash can cost."""


async def ask(kind: Kind, model: Model, calls: Sequence[Call]) -> list[LLMResponse]:
    """The answers to `calls`, in their order: from the store, and from the model for what is missing there.

    A call that occurs twice is asked once. Each batch is on the disk as soon as it is answered.
    """
    if not calls:
        return []
    fingerprint = llm.fingerprint(model)
    keys = [call_key(fingerprint, call) for call in calls]
    known = read_store(kind, fingerprint)
    if not known.keys() >= set(keys):
        async with open_store(kind, fingerprint) as store:
            by_key = dict(zip(keys, calls, strict=True))
            await _ask_missing(store, model, [call for key, call in by_key.items() if key not in store.known])
            known = store.known
    return [known[key] for key in keys]


def recall(kind: Kind, model: Model, calls: Sequence[Call]) -> list[LLMResponse | None]:
    """What the store holds of `calls`, in their order; None for what it does not. Nothing is asked."""
    if not calls:
        return []
    fingerprint = llm.fingerprint(model)
    known = read_store(kind, fingerprint)
    return [known.get(call_key(fingerprint, call)) for call in calls]


async def _ask_missing(store: OpenStore, model: Model, missing: Sequence[Call]) -> None:
    batches = [missing[start : start + BATCH] for start in range(0, len(missing), BATCH)]
    await all_of(_ask_batch(store, model, batch) for batch in batches)


async def _ask_batch(store: OpenStore, model: Model, calls: Sequence[Call]) -> None:
    responses = await llm.batch_sample(model, [llm.request(call.chat, call.cfg, call.index) for call in calls])
    store.append(calls, responses)
