"""The page itself: sections, answers, style and program in one HTML file that asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from mi.experiments.pipeline import labels_of
from mi.experiments.report import conditions, sections, tables
from mi.experiments.report.columns import pack
from mi.experiments.report.data_models import Sources
from mi.experiments.report.markup import Html
from mi.experiments.summary import UNTRAINED, unknown_variance
from mi.utils.files import whole_file

STYLES = ("base.css", "report.css", "transcripts.css")
PROGRAM = ("data.js", "search.js", "text.js", "list.js", "detail.js", "compare.js", "training.js", "main.js")
_LOSSES = 120
"""At most so many points of a loss curve."""


def write(sources: Sources, path: Path) -> Path:
    """Write the page, whole or not at all; return where."""
    text = render(sources)
    with whole_file(path) as file:
        file.write(text)
    return path


def render(sources: Sources, live: str | None = None) -> str:
    """The page as text. `live` names the state that a page served from a running experiment shows."""
    program = "".join(f"// {name}\n{_asset(name)}\n" for name in PROGRAM)
    allowed = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    values: dict[str, str] = {
        "policy": policy if live is None else f"{policy}; connect-src 'self'",
        "title": escape(f"{sources.experiment.name} · {sources.model}"),
        "style": "".join(map(_asset, STYLES)),
        "live": escape(live or ""),
        "masthead": sections.masthead(sources),
        "results": tables.results(sources),
        "key": escape(_key(sources)),
        "every_evaluation": tables.every_evaluation(sources),
        "contrasts": tables.contrasts(sources),
        "by_condition": conditions.by_condition(sources),
        "how_asked": conditions.how_asked(sources),
        "figures": sections.figures(sources),
        "checks": sections.checks(sources),
        "arms": sections.arms(sources),
        "dose": sections.dose(sources),
        "evaluations": sections.evaluations(sources),
        "versions": sections.versions(),
        "data": Html(pack(sources.answers, sources.raw_verdicts, about(sources))),
        "program": program,
    }
    return Template(_asset("page.html")).substitute(values)


def about(sources: Sources) -> dict[str, Any]:
    """What the page's program must know beside the answers: arms and conditions in their order, and the jobs."""
    labels, experiment = labels_of(sources.experiment), sources.experiment
    prompted = {
        condition.name
        for condition in experiment.conditions
        if any(
            conditions.prompt_of(condition, s, arm) is not None for s in experiment.settings for arm in experiment.arms
        )
    }
    owners = sources.answers.dropna(subset=["job_id"]).drop_duplicates("job_id")
    of_job = {row["job_id"]: row for row in owners[["job_id", "setting", "arm", "seed"]].to_dict("records")}
    return {
        "arms": [
            {"name": arm, "label": labels.get(arm, arm), "colour": sources.looks[arm].colour} for arm in sources.arms
        ],
        "untrained": list(UNTRAINED),
        "conditions": [
            {"name": name, "label": label, "prompted": name in prompted}
            for name, label in sources.condition_labels.items()
        ],
        "labels": labels,
        "jobs": [
            {
                "id": job,
                "setting": str(of_job[job]["setting"]),
                "arm": str(of_job[job]["arm"]),
                "seed": str(of_job[job]["seed"]),
                "losses": _thinned(record.report.get("losses") or []),
                "rows": record.report.get("first_rows") or [],
                "n_rows": record.report.get("n_rows"),
                "seconds": record.report.get("seconds"),
            }
            for job, record in sources.jobs.items()
            if job in of_job
        ],
    }


def _key(sources: Sources) -> str:
    unknown = unknown_variance(sources.summary)
    first, *others = sources.condition_labels.values()
    asked = f"Asked under the condition “{first}”. " if others else ""
    return asked + (
        "Mean over seeds with its 95 % interval (Student-t over seeds, at least Wilson over answers); small dots are "
        "seeds. A rate leads to its answers. The counts are of answers; valid is that of the trait with fewest."
        + (f" † {unknown.capitalize()}; the interval is over answers alone." if unknown else "")
    )


def _thinned(losses: list[float]) -> list[float]:
    step = max(1, -(-len(losses) // _LOSSES))
    return [round(loss, 4) for loss in losses[::step]]


def _asset(name: str) -> str:
    return (importlib.resources.files("mi.experiments.report") / "assets" / name).read_text("utf-8")
