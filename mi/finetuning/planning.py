"""What training would cost before it begins: which jobs, which are trained already, tokens, money, hours."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from mi.external.local_driver.data_models import LocalFTJobConfig
from mi.external.tinker_driver.data_models import TinkerFTJobConfig
from mi.finetuning.data_models import FinetuningJob, JobInfo, JobStatus
from mi.finetuning.providers import ELSEWHERE, endings, limits_at, training_price
from mi.finetuning.remote import server_of
from mi.finetuning.services import get_job_info, list_jobs
from mi.finetuning.validation import TrainingFile, scan

ASSUMED_EPOCHS = 3
"""Where n_epochs is "auto": OpenAI's default for files of 34 to 8,333 rows, by its cookbook; said to be assumed."""


@dataclass(frozen=True)
class PlannedJob:
    """One job of a plan. Tokens are estimates (characters / 4); None is what cannot be known beforehand."""

    job: FinetuningJob
    status: JobStatus
    n_rows: int
    row_tokens: int
    """Tokens of the file, once through."""
    trained_tokens: int
    """Tokens that will go through the model: all epochs or steps."""
    money: float | None
    """US dollars; None where no price is known or none is asked."""
    seconds: float | None
    """On this machine, by jobs that it has trained of the same base model; None where there is none, or elsewhere."""
    notes: tuple[str, ...] = ()
    """What is to be known before it starts: rows that are refused, models that end, epochs that are assumed."""

    @property
    def is_to_do(self) -> bool:
        """Whether it is still to be trained."""
        return self.status != "finished"


def plan(jobs: Sequence[FinetuningJob]) -> list[PlannedJob]:
    """The plan of some jobs, each once; nothing is launched, no server is asked. Raises UserError for missing files."""
    files: dict[tuple[str, str], TrainingFile] = {}
    pace = _seconds_a_row(map(get_job_info, list_jobs()))
    planned = []
    for job in {job.id: job for job in jobs}.values():
        config = job.config
        local = isinstance(config, LocalFTJobConfig)
        server = "" if isinstance(config, LocalFTJobConfig) else server_of(config)
        key = (config.dataset_path, server)
        if key not in files:
            files[key] = scan(config.dataset_path, ELSEWHERE if local else limits_at(server))
        planned.append(_planned(job, files[key], server, pace))
    return planned


def _planned(job: FinetuningJob, file: TrainingFile, server: str, pace: Mapping[str, float]) -> PlannedJob:
    config = job.config
    notes = [finding.text if finding.line is None else f"line {finding.line}: {finding.text}"
             for finding in file.findings if finding.refused]  # fmt: skip
    money, seconds = None, None
    if isinstance(config, LocalFTJobConfig | TinkerFTJobConfig):
        rows = config.n_steps * config.batch_size
        tokens = round(rows * file.total_tokens / max(1, file.n_rows))
        here = isinstance(config, LocalFTJobConfig) and config.source_model_id in pace
        seconds = rows * pace[config.source_model_id] if here else None
        price = training_price(server, config.source_model_id)
        money = tokens * price / 1e6 if price is not None else None
    else:
        epochs = config.n_epochs if isinstance(config.n_epochs, int) else ASSUMED_EPOCHS
        tokens = file.total_tokens * epochs
        if "n_steps" in config.server_options and isinstance(config.batch_size, int):
            rows = config.server_options["n_steps"] * config.batch_size
            tokens = round(rows * file.total_tokens / max(1, file.n_rows))
        elif config.n_epochs == "auto":
            notes.append(f"{ASSUMED_EPOCHS} epochs are assumed, for n_epochs is auto")
        price = training_price(server, config.source_model_id)
        money = tokens * price / 1e6 if price is not None else None
        notes += _endings(server, config.source_model_id)
    return PlannedJob(
        job, get_job_info(job).status, file.n_rows, file.total_tokens, tokens, money, seconds, tuple(notes)
    )  # fmt: skip


def _endings(server: str, model: str) -> list[str]:
    today = datetime.now(UTC).date()
    return [f"{what} {'since' if day <= today else 'on'} {day}" for what, day in endings(server, model).items()]


def _seconds_a_row(infos: Iterable[JobInfo]) -> dict[str, float]:
    """By base model, the median of the seconds that finished local jobs took for a row of a batch."""
    found: dict[str, list[float]] = {}
    for info in infos:
        config, seconds = info.job.config, info.report.get("seconds")
        if isinstance(config, LocalFTJobConfig) and isinstance(seconds, int | float):
            found.setdefault(config.source_model_id, []).append(seconds / (config.n_steps * config.batch_size))
    return {model: median(values) for model, values in found.items()}
