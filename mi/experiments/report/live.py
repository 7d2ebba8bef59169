"""A page for a run that is still going on: served on this machine alone, made again as answers come in."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mi.config import jobs_dir, results_dir
from mi.eval import EvalResult, load_results
from mi.experiments import answers, pipeline, summary
from mi.experiments.answers import Asked
from mi.experiments.data_models import Experiment, Run
from mi.experiments.report.data_models import Progress, Sources
from mi.experiments.report.gather import AGREEMENT, gather, jobs_in, raw_verdicts, results_folder, with_remote_jobs
from mi.experiments.report.page import render
from mi.experiments.summary import select
from mi.experiments.summary.comparisons import CONTRAST_COLUMNS
from mi.finetuning.services import get_job_info
from mi.llm.data_models import Model
from mi.llm.names import model_named
from mi.utils.errors import UserError
from mi.utils.hashing import digest

LOOPBACK = "127.0.0.1"
_PAUSE = 5.0
"""At least so many seconds lie between two looks at the disk, and _PATIENCE times as many as the page takes to make."""
_PATIENCE = 10


def so_far(experiment: Experiment, model: str, seeds: Sequence[int], readme: Path | None = None) -> Sources:
    """What is there of a run, whole or not: models that are trained, answers that are given. Nothing is asked."""
    experiment = experiment.on(model)
    prepared = pipeline.prepare(experiment, model, seeds)
    to_train = [item.job for item in prepared if item.job is not None]
    trained = [job for job in to_train if get_job_info(job).status == "finished"]
    ready = [item for item in prepared if item.job is None or item.job in trained]
    models = pipeline.collect(ready, trained)
    results = [asked for item in prepared for asked in _asked(experiment, item.run, models.get(item.run))]
    table, to_answer = answers.table(results), sum(asked.result.evaluation.n_planned for asked in results)
    if len(table) == to_answer and (results_folder(experiment, model) / "summary.csv").exists():
        return gather(experiment, model, readme)
    progress = Progress(len(trained), len(to_train), len(table), to_answer)
    return _unfinished(experiment, model, results, table, progress)


def _asked(experiment: Experiment, run: Run, model: Model | None) -> list[Asked]:
    """What a run was asked and has answered by now; all of it without an answer where its model is not trained."""
    put = pipeline.questions(run.setting, run.arm, experiment.conditions)
    evaluations = [item.evaluation for item in put]
    if model is None:
        found = [EvalResult(model_named(run.model), "", evaluation, ()) for evaluation in evaluations]
    else:
        found = load_results({"": [model]}, evaluations)
    return [Asked(run, *item[:3], result) for item, result in zip(put, found, strict=True)]


def _unfinished(
    experiment: Experiment, model: str, results: Sequence[Asked], table: Any, progress: Progress
) -> Sources:
    import pandas as pd

    planned, agreement = answers.planned(results), answers.judge_agreement(results)
    named = [condition.name for condition in experiment.conditions]
    under = {name: (select(table, condition=name), select(planned, condition=name)) for name in named}
    summaries = {name: summary.summarise(*pair) for name, pair in under.items()}
    table = with_remote_jobs(table)
    return Sources(
        experiment,
        model,
        table,
        summaries[named[0]],
        summary.per_seed(*under[named[0]]),
        pd.DataFrame(columns=CONTRAST_COLUMNS),
        agreement if len(agreement) else pd.DataFrame(columns=AGREEMENT),
        pd.concat([frame.assign(condition=name) for name, frame in summaries.items()]),
        raw_verdicts(experiment, table),
        {job: record for job, record in jobs_in(table).items() if record is not None},
        progress=progress,
    )


class LivePage:
    """The page of a run, made again when something has changed on disk; threads may share it."""

    def __init__(self, experiment: Experiment, model: str, make: Callable[[], Sources]) -> None:
        self._folders = [results_dir() / "store", results_folder(experiment, model), jobs_dir()]
        self._make, self._lock = make, threading.Lock()
        self.pause = _PAUSE
        """Seconds between two looks at the disk."""
        self._state, self._looked = "", -math.inf
        self._made_of, self._text = "", ""

    def state(self) -> str:
        """A name for what is on disk, looked up now and then."""
        now = time.monotonic()
        if now - self._looked >= self.pause:
            self._state, self._looked = self._look(), now
        return self._state

    def text(self) -> str:
        """The page as of `state`."""
        with self._lock:
            state = self.state()
            if state != self._made_of:
                started = time.monotonic()
                self._text, self._made_of = render(self._make(), live=state), state
                self.pause = max(self.pause, _PATIENCE * (time.monotonic() - started))
            return self._text

    def _look(self) -> str:
        found = []
        for folder in self._folders:
            for path in sorted(folder.rglob("*")):
                if any(part.startswith(".") for part in path.relative_to(folder).parts):
                    continue  # what is being trained or asked, and is not there yet
                try:
                    if path.is_file():
                        stat = path.stat()
                        found.append([str(path), stat.st_size, stat.st_mtime_ns])
                except FileNotFoundError:  # it was there a moment ago; the run goes on
                    continue
        return digest(found)


def server(page: LivePage, port: int) -> ThreadingHTTPServer:
    """A server for the page on a port of the loopback interface, not yet serving. Raises UserError for a taken port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Another site's name may be pointed at this machine; a browser then says so in Host.
            name = self.headers.get("Host", "").rpartition(":")[0]
            if name not in (LOOPBACK, "localhost"):
                self._send(HTTPStatus.FORBIDDEN, "text/plain", "This page is for this machine alone.")
            elif self.path == "/state":
                self._send(HTTPStatus.OK, "application/json", json.dumps({"state": page.state()}))
            elif self.path == "/":
                try:
                    self._send(HTTPStatus.OK, "text/html", page.text())
                except UserError as error:
                    self._send(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", str(error))
            else:
                self._send(HTTPStatus.NOT_FOUND, "text/plain", "There is nothing here but the page itself.")

        def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
            content = text.encode("utf-8")
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the terminal is the run's."""

    try:
        return ThreadingHTTPServer((LOOPBACK, port), Handler)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"port {port} cannot be had ({error}); give another with --port, or 0 for a free one."
        ) from error


def serve(experiment: Experiment, model: str, seeds: Sequence[int], port: int, announce: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C; `announce` is told its address. Raises UserError where there is no such model."""
    readme = Path("experiments") / experiment.name / "README.md"
    page = LivePage(experiment, model, lambda: so_far(experiment, model, seeds, readme))
    page.text()
    with server(page, port) as running:
        announce(f"http://{LOOPBACK}:{running.server_address[1]}/")
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            return
