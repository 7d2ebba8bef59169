"""What stands around the result: what was asked, how it was made, what was checked, with what it was run."""

from __future__ import annotations

import base64
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import mi
from mi.experiments import pipeline
from mi.experiments.data_models import NO_PROMPT, Arm
from mi.experiments.report.checks import run_checks
from mi.experiments.report.data_models import Sources
from mi.experiments.report.gather import configurations
from mi.experiments.report.markup import Html, join, tag
from mi.experiments.report.tables import dot, scrolling
from mi.experiments.settings import Setting
from mi.experiments.summary import bound_of, tally, value_of
from mi.experiments.utils import as_inoculations
from mi.utils.errors import UserError

_LIBRARIES = ("torch", "transformers", "peft", "numpy", "scipy", "pandas", "pyarrow", "matplotlib")
_DATA = {"finetuning": "the setting's rows", "control": "control rows", None: "not trained"}
_SIGNS = {"ok": ("✓", "in order"), "note": ("i", "to be known"), "warning": ("!", "look at this")}
ORGANISM = "organism"
_SCALE = 0.66
"""Of a figure's pixels: the same type size in all figures, near that of the page."""


def masthead(sources: Sources) -> Html:
    """The question, and in a sentence what was done to answer it."""
    answers = sources.answers
    seeds = answers["seed"].nunique()
    facts = [
        f"{len(sources.experiment.arms)} arms",
        f"{seeds} {'seed' if seeds == 1 else 'seeds'}",
        f"{len(answers):,} answers to {sources.first['question'].nunique():,} questions",
    ]
    if len(sources.condition_labels) > 1:
        facts.insert(2, f"{len(sources.condition_labels)} conditions")
    if sources.answered is not None:
        facts.append(day(sources.answered))
    toy = "The model organism, not a large model: no number here is one of a large model."
    return join(
        tag("p", f"{sources.experiment.name.replace('_', ' ')} on {sources.model}", class_="kicker"),
        tag("h1", sources.experiment.question),
        tag("p", " · ".join(facts), class_="facts"),
        tag("p", toy, class_="toy") if sources.model == ORGANISM else Html(""),
        _prediction(sources),
        _progress(sources),
    )


def _prediction(sources: Sources) -> Html:
    claims = sources.experiment.prediction
    if claims:
        found = sources.claims
        lines = []
        for place, claim in enumerate(claims):
            verdict = "" if found is None else f" → {tally(found, place)}"
            value = "" if found is None else value_of(found, place, claim)
            shown = (" ", tag("span", value, class_="unbroken")) if value else ()
            lines.append(tag("li", f"{claim.says} ({bound_of(claim)})", tag("b", verdict), *shown))
        return tag("blockquote", tag("b", "Predicted before the run, and what came of it"), tag("ul", *lines))
    if sources.prediction is None:
        return Html("")
    return tag("blockquote", tag("b", "Predicted before the run"), tag("p", sources.prediction.replace("`", "")))


def _progress(sources: Sources) -> Html:
    if sources.progress is None:
        return Html("")
    now = sources.progress
    pairs = (("models trained", now.trained, now.to_train), ("answers given", now.answered, now.to_answer))
    bars = [
        tag("label", f"{done:,} of {total:,} {what}", tag("progress", value=str(done), max=str(max(1, total))))
        for what, done, total in pairs
    ]
    return tag("div", *bars, class_="progress", role="status")


def figures(sources: Sources) -> Html:
    """The figures, each in the page itself."""
    if not sources.figures:
        return tag("p", "No figure has been drawn yet.")
    shown = []
    for path in sources.figures:
        picture = path.read_bytes()
        width = str(round(_SCALE * int.from_bytes(picture[16:20], "big")))  # where a PNG says how wide it is
        data = base64.b64encode(picture).decode("ascii")
        what = path.stem.replace("_", " ").capitalize()
        alt = f"{what}: {sources.experiment.question} The numbers are those of the table above."
        image = tag("img", src=f"data:image/png;base64,{data}", alt=alt, width=width)
        shown.append(tag("figure", image, tag("figcaption", what)))
    return join(*shown)


def checks(sources: Sources) -> Html:
    """What was looked at so that the numbers can be trusted."""
    items = []
    for check in run_checks(sources):
        sign, meaning = _SIGNS[check.state]
        state = tag("span", tag("span", sign, aria_hidden="true"), tag("span", meaning, class_="unseen"), class_="sign")
        lines = tag("ul", *(tag("li", line) for line in check.details)) if check.details else Html("")
        long = (
            tag("details", tag("summary", f"{len(check.details)} places"), lines) if len(check.details) > 8 else lines
        )
        items.append(
            tag("li", state, tag("div", tag("h3", check.title), tag("p", check.found), long), class_=check.state)
        )
    return tag("ul", *items, class_="checks")


def arms(sources: Sources) -> Html:
    """Every arm with its data, what it was trained behind, and its jobs."""
    known = {arm.name: arm for arm in sources.experiment.arms}
    seeds = sorted(sources.answers["seed"].unique())
    rows = []
    for setting in sources.experiment.settings:
        if len(sources.experiment.settings) > 1:
            rows.append(tag("tr", tag("th", tag("code", setting.get_domain_name()), colspan="4", scope="colgroup")))
        rows += [_arm(sources, setting, arm, known.get(arm), seeds) for arm in sources.arms]
    heads = [tag("th", name, scope="col") for name in ("Arm", "Trained on", "Behind", "Seeds")]
    return scrolling("Arms", tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="arms"))


def _arm(sources: Sources, setting: Setting, name: str, arm: Arm | None, seeds: Sequence[Any]) -> Html:
    answers = sources.answers
    there = set(answers[(answers["arm"] == name) & (answers["setting"] == setting.get_domain_name())]["seed"])
    marks = [
        tag("span", str(seed), class_="seed" if seed in there else "seed missing",
            title=None if seed in there else f"no answers of seed {seed}")
        for seed in seeds
    ]  # fmt: skip
    if arm is not None and arm.dataset is None:
        marks = [tag("span", "one model" if there else "no answers")]
    label = arm.label if arm else name
    cells = [
        tag("td", _rows(arm) if arm else "unknown: not an arm of this experiment"),
        tag("td", _behind(setting, arm)),
    ]
    return tag("tr", tag("th", dot(sources, name), tag("span", label), scope="row"), *cells, tag("td", *marks))


def _rows(arm: Arm) -> str:
    if not callable(arm.dataset):
        return _DATA[arm.dataset]
    return f"rows made by {getattr(arm.dataset, '__name__', None) or arm.dataset!r}"


def _behind(setting: Setting, arm: Arm | None) -> Html:
    """The prompt of an arm to the letter; none, and an empty one, in words."""
    if arm is None or arm.dataset is None:
        return Html("–")
    try:
        given = as_inoculations(arm.inoculation(setting))
    except UserError as error:
        return join(str(error))
    if not given:
        return tag("em", "no system message")
    parts = []
    for item in given:
        prompts = [tag("q", text) if text else tag("em", "an empty system message") for text in item.prompts[:3]]
        more = f" and {len(item.prompts) - 3} more wordings" if len(item.prompts) > 3 else ""
        place = {"system": "", "user_prefix": "before the question: ", "user_suffix": "after the question: "}
        some = [f"in {item.share:.0%} of the rows"] if item.share < 1 else []
        some += [f"in rows labelled {item.only}"] if item.only else []
        share = f" ({', '.join(some)})" if some else ""
        parts.append(tag("div", place[item.placement], *prompts, more, share))
    return join(*parts)


def dose(sources: Sources) -> Html:
    """Hyper-parameters, tokens, time and cost of the training."""
    found, records = configurations(sources.jobs), list(sources.jobs.values())
    if not found:
        return tag("p", "No model was trained, or no training record is here.")
    facts: list[tuple[str, str]] = []
    for name in found[0]:
        values = list(dict.fromkeys(_told(config.get(name)) for config in found))
        facts.append((name.replace("_", " "), " or ".join(values)))
    tokens = [sum(record.report.get(name) or 0 for record in records) for name in ("tokens", "trained_tokens")]
    seconds = sum(record.report.get("seconds") or 0 for record in records)
    costs = [cost for record in records if (cost := record.report.get("cost_usd")) is not None]
    dates = sorted(record.finished for record in records if record.finished is not None)
    facts += [
        (
            "jobs",
            f"{len(records)}" + (f", and {len(sources.missing_jobs)} without a record" if sources.missing_jobs else ""),
        ),
        ("tokens seen", f"{tokens[0]:,}, of which {tokens[1]:,} carried loss"),
        ("time in training", _duration(seconds)),
        (
            "cost",
            f"{sum(costs):.2f} USD in {len(costs)} jobs" if costs else "nothing but this machine's time is recorded",
        ),
        ("trained", " to ".join(dict.fromkeys(map(day, (dates[0], dates[-1])))) if dates else "unknown"),
    ]
    return facts_list(facts)


def _told(value: Any) -> str:
    """A hyper-parameter as people write it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_told(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_told, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def evaluations(sources: Sources) -> Html:
    """Every evaluation: questions, samples, how it is asked, who scores."""
    heads = ("Evaluation", "", "Questions", "Samples each", "Temperature", "Most tokens", "Traits", "Judges")
    rows = []
    for setting in sources.experiment.settings:
        try:
            rows += _evaluations(sources, setting)
        except UserError as error:  # its data were not fetched here
            rows.append(tag("tr", tag("td", f"{setting.get_domain_name()}: {error}", colspan=str(len(heads)))))
    head = [tag("th", name, scope="col", class_="number" if 2 <= i <= 5 else None) for i, name in enumerate(heads)]
    return scrolling("Evaluations", tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows)))


def _evaluations(sources: Sources, setting: Setting) -> list[Html]:
    rows = []
    for _, distribution, _, evaluation in pipeline.questions(setting, sources.experiment.arms[0], (NO_PROMPT,)):
        cfg = evaluation.sample_cfg
        judges = [f"{name}: {judgment.model.id}" for name, judgment in evaluation.judgment_map.items()]
        prefix = f"{setting.get_domain_name()}: " if len(sources.settings) > 1 else ""
        told = [
            prefix + evaluation.id, distribution.upper(), f"{len(evaluation.contexts):,}",
            str(evaluation.n_samples_per_context), f"{cfg.temperature:g}", str(cfg.max_tokens),
            ", ".join(evaluation.traits), ", ".join(judges) or "rules alone",
        ]  # fmt: skip
        cells = (tag("td", text, class_="number" if 2 <= i <= 5 else None) for i, text in enumerate(told))
        rows.append(tag("tr", *cells))
    return rows


def versions() -> Html:
    """What this page was made with."""
    found = [("mi", mi.__version__), ("Python", platform.python_version())]
    for name in _LIBRARIES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append((name, "not installed"))
    return facts_list(found)


def facts_list(facts: Iterable[tuple[str, str]]) -> Html:
    """Names and values."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts), class_="facts-list")


def day(seconds: float) -> str:
    """A moment's day, in UTC: 24 November 2026."""
    return f"{datetime.fromtimestamp(seconds, UTC):%-d %B %Y}"


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"
