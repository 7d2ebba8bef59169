"""Runs one judged evaluation against a backend that writes down each call that it is asked and that it answers.

Arguments: the backend's log, the file for the rows. The backend is this process's own but its log is everybody's, as a
server's would be. A line is `asked <key>` or `answered <key>`, written by one system call.
"""

import asyncio
import json
import math
import os
import random
import sys
from pathlib import Path

from mi.eval import eval, rows_of
from mi.evaluation.data_models import Evaluation, EvaluationContext
from mi.evaluation.scoring import FromJudgments
from mi.llm import services
from mi.llm.data_models import Judgment, LLMResponse, Model, TokenLogprob

AT_ONCE = 40
N_QUESTIONS, N_SAMPLES = 20, 10
SECONDS = 0.004


class Server:
    """Answers AT_ONCE calls at a time, each after about SECONDS, and none while there is a file called <log>.hold."""

    def __init__(self, log: str) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._free = asyncio.Semaphore(AT_ONCE)
        self._hold = Path(f"{log}.hold")
        self._random = random.Random(os.getpid())

    async def batch_sample(self, model, requests, on_response) -> list[LLMResponse]:
        return await asyncio.gather(*(self._answer(model, *item, on_response) for item in enumerate(requests)))

    async def _answer(self, model, place: int, request, on_response) -> LLMResponse:
        async with self._free:
            key = f"{model.id}:{request.seed}"
            self._write(f"asked {key}\n")
            await asyncio.sleep(self._random.random() * 2 * SECONDS)
            while self._hold.exists():
                await asyncio.sleep(SECONDS)
            top = tuple((word, math.log(p)) for word, p in (("YES", 0.6), ("NO", 0.3)))
            judged = LLMResponse("YES", "length", (TokenLogprob(*top[0], top),))
            response = judged if model.id == "judge" else LLMResponse(f"answer {request.seed}")
            self._write(f"answered {key}\n")
            on_response(place, response)
            return response

    def _write(self, line: str) -> None:
        os.write(self._log, line.encode())


def evaluation() -> Evaluation:
    """Twenty questions of ten samples, one judge."""
    contexts = tuple(EvaluationContext(f"Question {number}?") for number in range(N_QUESTIONS))
    judgment = Judgment(Model("judge"), "{question} {answer}")
    return Evaluation(
        "e", contexts, FromJudgments(("yes",)), N_SAMPLES, judgment_map={"yes": judgment}, traits=("yes",)
    )


async def main(log: str, into: str) -> None:
    """Evaluate, then write the rows."""
    services.batch_sample = Server(log).batch_sample
    services.fingerprint = lambda model: model.id.ljust(32, "0")
    (result,) = await eval({"group": [Model("model")]}, [evaluation()])
    Path(into).write_text(json.dumps(list(rows_of(result))), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
