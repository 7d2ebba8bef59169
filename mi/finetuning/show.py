"""Jobs as a person reads them in the terminal: one table over all backends, and the plan of what is to be trained."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.finetuning.data_models import FTJobConfig, JobInfo
from mi.finetuning.planning import PlannedJob
from mi.finetuning.providers import training_price
from mi.finetuning.remote import server_of

if TYPE_CHECKING:
    from rich.table import Table

_COLOURS = {"finished": "green", "failed": "red", "refused": "red", "cancelled": "yellow", "waiting": "yellow",
            "paused": "yellow", "running": "cyan", "begun": "cyan"}  # fmt: skip


def status_table(infos: Sequence[JobInfo], unreadable: Sequence[tuple[str, str]] = ()) -> Table:
    """One row a job: what it is, its state, step, loss, trained tokens, money where a price is known, time left.

    `unreadable` are (job, what is wrong) of records that cannot be read: they have a row, too. A column that would
    be empty is left out.
    """
    rows = [_status_row(info) for info in infos]
    rows += [{"job": job_id[:8], "state": "[red]unreadable[/red]", "last heard": _escaped(wrong)}
             for job_id, wrong in unreadable]  # fmt: skip
    return _table(rows, _caption(infos))


def _status_row(info: JobInfo) -> dict[str, str]:
    progress, config = info.progress, info.job.config
    step = "" if progress.step is None else f"{progress.step:,}"
    return {
        "job": info.job.id[:8],
        "trains": _trains(config),
        "on": _escaped(Path(config.dataset_path).stem),
        "seed": str(config.seed),
        "state": _state(info.status),
        "step": step + (f"/{progress.total_steps:,}" if progress.total_steps else ""),
        "loss": "" if progress.loss is None else f"{progress.loss:.3f}",
        "tokens": "" if progress.trained_tokens is None else f"{progress.trained_tokens:,}",
        "money": _dollars(_spent(info)),
        "left": "" if progress.seconds_left is None else duration(progress.seconds_left),
        "last heard": "" if info.status == "finished" else _escaped(info.reason or progress.event or ""),
    }


def plan_table(planned: Sequence[PlannedJob]) -> Table:
    """One row a job that is to be trained, and a caption with the sums; jobs that are trained are counted."""
    rows = [
        {
            "job": item.job.id[:8],
            "trains": _trains(item.job.config),
            "on": _escaped(Path(item.job.config.dataset_path).stem),
            "seed": str(item.job.config.seed),
            "state": "" if item.status == "unknown" else _state(item.status),
            "rows": f"{item.n_rows:,}",
            "tokens": f"{item.trained_tokens:,}",
            "money": _dollars(item.money),
            "time": "" if item.seconds is None else duration(item.seconds),
        }
        for item in planned
        if item.is_to_do
    ]
    return _table(rows, summary(planned))


def summary(planned: Sequence[PlannedJob]) -> str:
    """A plan in a few sentences: how many jobs, how many are trained, tokens, money, hours, and what to know before."""
    to_do = [item for item in planned if item.is_to_do]
    said = [f"{len(planned)} jobs, {len(planned) - len(to_do)} trained already, {len(to_do)} to train."]
    if to_do:
        said.append(f"About {sum(item.trained_tokens for item in to_do):,} tokens (estimated: characters / 4).")
        priced = [item.money for item in to_do if item.money is not None]
        remote = sum(not isinstance(item.job.config, LocalFTJobConfig) for item in to_do)
        if priced:
            said.append(f"About {_dollars(sum(priced))} for {len(priced)} of them.")
        if remote > len(priced):
            said.append(f"No price is known for {remote - len(priced)}.")
        said += _hours(to_do)
    for note, count in Counter(note for item in to_do for note in item.notes).items():
        said.append(f"{_escaped(note[:1].upper() + note[1:].rstrip('.'))} ({count} of them).")
    return " ".join(said)


def duration(seconds: float) -> str:
    """Seconds as one says them: 40 s, 12 min, 3.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _hours(to_do: Sequence[PlannedJob]) -> list[str]:
    local = [item for item in to_do if isinstance(item.job.config, LocalFTJobConfig)]
    known = [item.seconds for item in local if item.seconds is not None]
    if not local:
        return []
    if len(known) < len(local):
        return [f"How long {len(local) - len(known)} take here is known once a first job of their base is trained."]
    return [f"About {duration(sum(known))} of one core each, by the jobs trained here so far."]


def _caption(infos: Sequence[JobInfo]) -> str:
    counts = Counter(info.status for info in infos)
    said = [", ".join(f"{count} {status}" for status, count in counts.items()) + "."] if infos else ["No jobs yet."]
    refused = {info.job.config.source_model_id for info in infos if info.status == "refused"}
    kept = {info.job.config.source_model_id for info in infos if info.status not in ("refused", "unknown")}
    for model in sorted(refused & kept):
        said.append(
            f"Moderation refused some jobs of {model} and not others: where arms of one comparison are missing, "
            "the provider has censored it."
        )
    return " ".join(said)


def _spent(info: JobInfo) -> float | None:
    config = info.job.config
    if isinstance(config, LocalFTJobConfig) or not info.progress.trained_tokens:
        return None
    price = training_price(str(info.report.get("server", "")), str(info.report.get("base", config.source_model_id)))
    return None if price is None else info.progress.trained_tokens * price / 1e6


def _trains(config: FTJobConfig) -> str:
    if isinstance(config, LocalFTJobConfig):
        return os.path.basename(config.source_model_id.rstrip("/"))
    server = server_of(config)
    return f"{config.source_model_id} at {server.partition('/')[0]}"


def _state(status: str) -> str:
    return f"[{_COLOURS[status]}]{status}[/]" if status in _COLOURS else status


def _dollars(money: float | None) -> str:
    return "" if money is None else f"${money:,.2f}"


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(" ".join(text.split()))


def _table(rows: Sequence[dict[str, str]], caption: str) -> Table:
    """A table of the columns that hold anything; on a narrow terminal, files and events are folded, never numbers."""
    from rich import box
    from rich.table import Table

    headings = [
        name for name in dict.fromkeys(name for row in rows for name in row) if any(row.get(name) for row in rows)
    ]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, caption=caption, caption_justify="left")
    for heading in headings:
        folded = heading in ("on", "trains", "last heard")
        right = heading in ("seed", "step", "loss", "tokens", "money", "left", "rows", "time")
        table.add_column(heading, justify="right" if right else "left", no_wrap=not folded, overflow="fold")
    for row in rows:
        table.add_row(*(row.get(heading, "") for heading in headings))
    return table
