"""Answers that a build has asked for: each on the disk before anything can fail after it, asked for once.

`datasets/built/answers/<fingerprint>.jsonl` holds what one model said, for all recipes and seeds.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mi import config
from mi.llm import services as llm
from mi.llm.data_models import Chat, LLMResponse, Model, SampleCfg, StopReason
from mi.llm.judging import yes_no_probability
from mi.utils.hashing import digest
from mi.utils.journal import Journal, open_journal, read_journal
from mi.utils.progress import Progress, Silent, Task


@dataclass(frozen=True)
class Call:
    """The index-th sample of a conversation under a sample configuration."""

    chat: Chat
    cfg: SampleCfg
    index: int = 0
    minimum_mass: float | None = None
    """Where the call is a judge's: what its YES and NO must hold together for a verdict."""


@dataclass(frozen=True)
class Said:
    """What a model said to a call; `completion` None is a refusal."""

    completion: str | None
    stop_reason: StopReason = "stop"
    verdict: float | None = None
    """For a judge's call: the probability of its YES, None where it said neither YES nor NO."""


def answers_path(fingerprint: str) -> Path:
    """The file that holds the answers of one model."""
    return config.datasets_dir() / "built" / "answers" / f"{fingerprint}.jsonl"


async def ask(model: Model, calls: Sequence[Call], progress: Progress | None = None) -> tuple[list[Said], int]:
    """The answers to `calls` in their order, and how many had to be asked for now.

    A call that occurs twice is asked once; what an earlier build has asked is not asked again. Raises UserError for a
    model that cannot be asked; what was answered before that is kept.
    """
    if not calls:
        return [], 0
    fingerprint = llm.fingerprint(model)
    by_key = {digest([fingerprint, call]): call for call in calls}
    path = answers_path(fingerprint)
    known, asked = read_journal(path), 0
    if not known.keys() >= by_key.keys():
        async with open_journal(path) as journal:
            missing = {key: call for key, call in by_key.items() if key not in journal.known}
            with (progress or Silent()).task(f"asking {model.id}", len(missing)) as task:
                await _ask_missing(journal, model, missing, task)
            known, asked = journal.known, len(missing)
    said = {call: Said(**known[key]["said"]) for key, call in by_key.items()}
    return [said[call] for call in calls], asked


async def _ask_missing(journal: Journal, model: Model, missing: dict[str, Call], task: Task) -> None:
    keys, calls = list(missing), list(missing.values())

    def keep(place: int, response: LLMResponse) -> None:
        journal.append({keys[place]: _record(calls[place], response)})
        task.advance(1)

    await llm.batch_sample(model, [llm.request(call.chat, call.cfg, call.index) for call in calls], keep)


def _record(call: Call, response: LLMResponse) -> dict[str, Any]:
    verdict = None if call.minimum_mass is None else yes_no_probability(response, call.minimum_mass)
    said = Said(response.completion, response.stop_reason, verdict)
    return {
        "messages": [asdict(message) for message in call.chat],
        "sample_cfg": asdict(call.cfg),
        "sample_index": call.index,
        "said": asdict(said),
    }
