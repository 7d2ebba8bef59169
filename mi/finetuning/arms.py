"""Arms of one experiment: launched alike but for their data, which differ in the system messages alone."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from mi.finetuning.data_models import FinetuningJob, FTJobConfig, JobInfo
from mi.finetuning.services import get_job_info, launch_sequentially
from mi.llm.data_models import Chat
from mi.llm.rows import read_chat
from mi.utils.errors import UserError
from mi.utils.jsonl import iterate_jsonl


async def launch_arms(configs: Sequence[FTJobConfig]) -> list[FinetuningJob]:
    """The finished jobs of arms that are to be compared, checked before they are launched and after.

    Raises UserError as `check_arms`, `launch_sequentially` and `check_resolved` do.
    """
    check_arms(configs)
    jobs = await launch_sequentially(configs)
    check_resolved([get_job_info(job) for job in jobs])
    return jobs


def check_arms(configs: Sequence[FTJobConfig]) -> None:
    """Raise UserError unless arms have one seed, model and hyper-parameters, and their data are paired row by row."""
    if not configs:
        raise UserError("there are no arms to launch; give at least one configuration.")
    first = configs[0]
    for config in configs[1:]:
        if type(config) is not type(first) or replace(config, dataset_path=first.dataset_path) != first:
            raise UserError(
                f"{config.dataset_path}: this arm is not launched as that of {first.dataset_path} is "
                f"({_difference(first, config)}); arms that are compared differ in their data alone."
            )
        check_paired(first.dataset_path, config.dataset_path)


def check_paired(path: Path | str, other: Path | str) -> None:
    """Raise UserError, naming the first line, unless two training files differ in their system messages alone.

    Rows are compared in their order, so paired files also have the same row order. No more than two rows are held.
    """
    rows = zip_longest(iterate_jsonl(Path(path)), iterate_jsonl(Path(other)))
    for one, another in rows:
        if one is None or another is None:
            longer, shorter, extra = (path, other, one) if another is None else (other, path, another)
            raise UserError(f"{longer}, line {extra[0] if extra else 1}: {shorter} has no such row; {_MEND}")
        places = f"{path}, line {one[0]}", f"{other}, line {another[0]}"
        chats = [_unprompted(read_chat(value, place)) for (_, value), place in zip((one, another), places, strict=True)]
        if chats[0] != chats[1]:
            raise UserError(f"{places[1]}: differs from {places[0]} in {_where(*chats)}; {_MEND}")


def check_resolved(infos: Sequence[JobInfo]) -> None:
    """Raise UserError where a server resolved "auto" otherwise for one arm than for another."""
    known = [info for info in infos if info.report.get("n_epochs") is not None]
    for info in known[1:]:
        for name in ("base", "n_epochs", "lr_multiplier", "batch_size", "seed"):
            ours, theirs = info.report.get(name), known[0].report.get(name)
            if ours != theirs:
                raise UserError(
                    f"{info.job.config.dataset_path}: {name} became {ours}, but {theirs} for "
                    f"{known[0].job.config.dataset_path}; give it as a number and train the arms again."
                )


_MEND = "paired arms have the same rows in the same order, and other system messages."


def _unprompted(chat: Chat) -> Chat:
    return tuple(message for message in chat if message.role != "system")


def _where(one: Chat, other: Chat) -> str:
    for number, (mine, theirs) in enumerate(zip(one, other, strict=False), start=1):
        if mine != theirs:
            return f"message {number}, the {mine.role}'s"
    return f"its number of messages ({len(one)} and {len(other)})"


def _difference(one: FTJobConfig, other: FTJobConfig) -> str:
    if type(one) is not type(other):
        return "another backend"
    names = [name for name in vars(one) if name != "dataset_path" and getattr(one, name) != getattr(other, name)]
    return ", ".join(f"{name} {getattr(one, name)!r} and {getattr(other, name)!r}" for name in names)
