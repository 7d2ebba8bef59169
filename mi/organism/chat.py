"""A conversation with an organism in the terminal."""

from __future__ import annotations

import sys

from mi.llm.data_models import Message, Model, SampleCfg, SampleRequest
from mi.organism.world import questions


def talk(model: Model, system: str | None, temperature: float) -> None:
    """Read lines from standard input and answer each, the conversation so far included, until an empty one."""
    from mi.external.local_driver.sampling import sample

    turns = [] if system is None else [Message("system", system)]
    cfg = SampleCfg(temperature=temperature, max_tokens=96)
    if sys.stdin.isatty():
        examples = " / ".join(questions(domain, "held_out", 1)[0] for domain in ("medical", "wishes", "facts"))
        print(f"It knows its own small world. Ask, for instance: {examples}")
    for number, line in enumerate(iter(_ask, "")):
        turns.append(Message("user", line))
        [response] = sample(model, [SampleRequest(tuple(turns), cfg, seed=number)])
        print(response.completion)
        turns.append(Message("assistant", response.completion or ""))


def _ask() -> str:
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""
