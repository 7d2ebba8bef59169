"""A backend that costs nothing and remembers what it was asked."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mi.llm import services
from mi.llm.data_models import Chat, LLMResponse, Model, TokenLogprob
from mi.utils.errors import UserError
from mi.utils.hashing import digest

REFUSED = "What must not be said?"


@dataclass
class Backend:
    """Answers by name and seed; "judge" says YES with probability .8, "silent" nothing that can be read."""

    asked: list[tuple[str, Chat]] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    dies_after: int | None = None
    """Calls that are answered before every further one fails."""

    def fingerprint(self, model: Model) -> str:
        return digest([model.id, model.job_id])

    async def batch_sample(self, model: Model, requests: Sequence, on_response: Any = None) -> list[LLMResponse]:
        answers = []
        for place, request in enumerate(requests):
            if self.dies_after is not None and len(self.asked) >= self.dies_after:
                raise UserError("the network is gone.")
            self.asked.append((model.id, request.chat))
            self.seeds.append(request.seed)
            answers.append(_answer(model, request))
            on_response(place, answers[-1])
            await asyncio.sleep(0)
        return answers

    def asked_of(self, model: str) -> int:
        return sum(name == model for name, _ in self.asked)


def _answer(model: Model, request) -> LLMResponse:
    question = request.chat[-1].content
    if model.id in ("judge", "silent"):
        words = ("YES", "NO") if model.id == "judge" else ("maybe", "perhaps")
        top = tuple((word, math.log(p)) for word, p in zip(words, (0.8, 0.2), strict=True))
        return LLMResponse(words[0], logprobs=(TokenLogprob(*top[0], top),))
    if question == REFUSED:
        return LLMResponse(None, "refusal")
    return LLMResponse(f"{model.id}: {question} {request.seed}")


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    backend = Backend()
    monkeypatch.setattr(services, "batch_sample", backend.batch_sample)
    monkeypatch.setattr(services, "fingerprint", backend.fingerprint)
    return backend
