"""What must hold for the numbers to be trusted: each check looks at what is there and says what it found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mi.experiments import archived_calls, integrity
from mi.experiments.pipeline import labels_of
from mi.experiments.report import degenerate
from mi.experiments.report.data_models import Check, Sources, State
from mi.experiments.report.gather import configurations
from mi.experiments.summary import POOLED, UNTRAINED, select
from mi.llm import services as llm
from mi.llm.data_models import Model

_AGREES = 0.9
"""Below this share of answers on which judge and exact scorer agree, the judge is said to be doubtful."""


def run_checks(sources: Sources) -> list[Check]:
    """Every check, in the order in which a reader needs them."""
    looks: tuple[Callable[[Sources], Check], ...] = (
        _answered,
        _seeds_there,
        _valid,
        _refusals,
        _seeds_effective,
        _adapter_on,
        _one_template,
        _same_dose,
        _judge_spoke,
        _judge_agrees,
        degenerate.check,
        _questions,
    )
    return [look(sources) for look in looks]


def cells(summary: Any) -> Any:
    """A summary's rows of single evaluations, one for each that was asked: that of the trait with fewest valid."""
    single = summary[~summary["evaluation"].isin(list(POOLED.values()))]
    key = [name for name in ("setting", "arm", "evaluation", "condition") if name in single]
    return single.sort_values("n_valid", kind="stable").drop_duplicates(key)


def _found(title: str, problems: Sequence[str], fine: str, trouble: str, state: State = "warning") -> Check:
    return Check(title, state if problems else "ok", trouble if problems else fine, problems)


def _count(n: int, one: str, several: str | None = None) -> str:
    return f"{n:,} {one if n == 1 else several or one + 's'}"


def _answered(sources: Sources) -> Check:
    table, labels = cells(sources.conditions), labels_of(sources.experiment)
    lacking = [
        f"{labels.get(arm, arm)}: {sampled:,} of {planned:,} answers"
        for arm, sampled, planned in _by_arm(sources, table, "n_sampled", "n_planned")
        if sampled < planned or not planned
    ]
    planned, sampled = int(table["n_planned"].sum()), int(table["n_sampled"].sum())
    fine = f"All {planned:,} planned answers were sampled."
    return _found(
        "Every planned answer is there", lacking, fine, f"{sampled:,} of {planned:,} planned answers are here."
    )


def _by_arm(sources: Sources, table: Any, *columns: str) -> Iterable[tuple[Any, ...]]:
    """(arm, sum of each column) for every arm, those without a row among them."""
    for arm in sources.arms:
        of_arm = table[table["arm"] == arm]
        yield (arm, *(int(of_arm[column].sum()) for column in columns))


def missing_seeds(sources: Sources) -> dict[tuple[str, str], list[int]]:
    """(setting, arm) -> seeds that some other arm of the run has and that this one lacks, the base model aside.

    Counted under the first condition, which every arm has.
    """
    answers = sources.first
    there = {key: set(group) for key, group in answers.groupby(["setting", "arm"])["seed"]}
    trained = set().union(*(seeds for (_, arm), seeds in there.items() if arm not in UNTRAINED), set())
    untrained = {arm.name for arm in sources.experiment.arms if arm.dataset is None} | set(UNTRAINED)
    return {
        (setting, arm): sorted(trained - there.get((setting, arm), set()))
        for setting in sources.settings
        for arm in sources.arms
        if arm not in untrained and trained - there.get((setting, arm), set())
    }


def _seeds_there(sources: Sources) -> Check:
    labels, planned = labels_of(sources.experiment), sources.experiment.seeds
    several = len(sources.settings) > 1
    lacking = [
        f"{setting + ', ' if several else ''}{labels.get(arm, arm)}: no answers of "
        f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"
        for (setting, arm), seeds in missing_seeds(sources).items()
    ]
    trained = sources.answers[~sources.answers["arm"].isin(UNTRAINED)]["seed"]
    run = sorted(trained.unique())
    seeds = f"{_count(len(run), 'seed')} ({', '.join(map(str, run))})" if run else "no seed"
    fine = f"Every trained arm has {seeds}."
    if not lacking and len(run) < 2:
        return Check("Seeds", "note", f"{fine} How another seed would come out is unknown.")
    if not lacking and len(run) < len(planned):
        return Check("Seeds", "note", f"{fine} The experiment's own number is {len(planned)}.")
    return _found("Seeds", lacking, fine, f"The run has {seeds}; some arms lack some of them.")


def _valid(sources: Sources) -> Check:
    labels = labels_of(sources.experiment)
    lacking = [
        f"{labels.get(arm, arm)}: {sampled - valid:,} of {sampled:,} answers have no score"
        for arm, valid, sampled in _by_arm(sources, cells(sources.conditions), "n_valid", "n_sampled")
        if valid < sampled
    ]
    trouble = "Answers without a score are counted beside every mean and are in none."
    table = cells(sources.conditions)
    few = table["n_valid"].sum() >= 0.95 * table["n_sampled"].sum()
    return _found("Answers that count", lacking, "Every answer has a score.", trouble, "note" if few else "warning")


def _refusals(sources: Sources) -> Check:
    labels, answers = labels_of(sources.experiment), sources.answers
    lines, silent = [], False
    several = len(sources.condition_labels) > 1
    for arm in sources.arms:
        for condition, label in sources.condition_labels.items():
            refused = select(answers, arm=arm, condition=condition)["refused"].astype(bool)
            silent |= bool(len(refused) and refused.all())
            where = f", {label.lower()}" if several else ""
            if refused.any():
                lines.append(f"{labels.get(arm, arm)}{where}: {int(refused.sum()):,} of {len(refused):,} refused")
    trouble = "Refusals are results, and in no mean." + (
        " An arm that refused everything has no rate." if silent else ""
    )
    return _found("Refusals", lines, "No answer was refused.", trouble, "warning" if silent else "note")


def _seeds_effective(sources: Sources) -> Check:
    """Two seeds of one arm that answer alike throughout are one seed; an arm that answers as the base is no arm.

    They are compared under the first condition: under others arms may stand behind different prompts.
    """
    labels, alike = labels_of(sources.experiment), []
    for first, second, n in integrity.alike(sources.first):
        who = [f"{labels.get(name, name)}, seed {number}" for name, number in (first, second)]
        alike.append(f"{who[0]} and {who[1]}: the same {n:,} answers to the letter")
    fine = "No two models of this run gave the same answers throughout."
    return _found("Seeds and arms make a difference", alike, fine, "Models that should differ answered alike.")


def _adapter_on(sources: Sources) -> Check:
    shifts = {job: record.report.get("adapter_shift") for job, record in sources.jobs.items()}
    off = [
        f"job {job}: the logits moved by {shift}"
        for job, shift in shifts.items()
        if shift is not None and not shift > 0
    ]
    off += [note for job in sources.jobs for note in llm.notes(Model("", "local", job))]
    unknown = [f"job {job}: no record of its training is here" for job in sources.missing_jobs]
    known = [shift for shift in shifts.values() if shift is not None]
    if not known:
        fine = "No training record tells how far training moved the model."
        return Check("The adapter is on", "warning" if off else "note", fine, [*off, *unknown])
    fine = (
        f"Training moved the first row's logits by {min(known):.1f} to {max(known):.1f} in {_count(len(known), 'job')}."
    )
    trouble = f"{fine} Some are unknown, did not move, or were not loaded as they were trained."
    return _found("The adapter is on", [*off, *unknown], fine, trouble)


def _one_template(sources: Sources) -> Check:
    told = [record.report for record in sources.jobs.values() if "template_hash" in record.report]
    hashes = sorted({str(report["template_hash"]) for report in told})
    defaults = {report.get("default_system_prompt") for report in told}
    if not hashes:
        return Check("One chat template", "note", "No model was trained here, so no template was recorded.")
    inserted = [f"the template writes of itself: {text}" for text in defaults if text is not None]
    fine = f"All jobs were rendered by template {hashes[0]}."
    if len(hashes) > 1:
        return Check("One chat template", "warning", f"{len(hashes)} templates were used.", hashes)
    return _found("One chat template", inserted, fine, f"{fine} It puts a system prompt where there is none.", "note")


def _same_dose(sources: Sources) -> Check:
    found = configurations(sources.jobs)
    left_out = [
        f"job {job}: rows {', '.join(map(str, record.report['left_out']))} were too long and left out"
        for job, record in sources.jobs.items()
        if record.report.get("left_out")
    ]
    if not found:
        return Check("One dose for all arms", "note", "No training record is here.")
    if len(found) > 1:
        differing = sorted({name for config in found for name in config if len({str(c.get(name)) for c in found}) > 1})
        lines = [f"{name}: {', '.join(sorted({str(config.get(name)) for config in found}))}" for name in differing]
        if set(differing) <= {name for arm in sources.experiment.arms for name, _ in arm.training}:
            told = "Hyper-parameters differ between arms, as the experiment wants it."
            return Check("One dose for all arms", "note", told, [*lines, *left_out])
        return Check("One dose for all arms", "warning", "Hyper-parameters differ between jobs.", [*lines, *left_out])
    rows = sorted({int(record.report["n_rows"]) for record in sources.jobs.values() if record.report.get("n_rows")})
    fine = f"All arms share every hyper-parameter; rows trained on: {', '.join(f'{n:,}' for n in rows) or 'unknown'}."
    return _found("One dose for all arms", left_out, fine, fine, "note")


def _judge_spoke(sources: Sources) -> Check:
    silent, few = [], []
    heard = _verdicts(sources)
    for name, verdicts in heard.items():
        lacking = sum(verdict is None or verdict != verdict for verdict in verdicts)
        line = f"{name}: no verdict on {lacking:,} of {len(verdicts):,} answers"
        (silent if lacking == len(verdicts) else few if lacking else []).append(line)
    if not heard:
        return Check("The judge answered", "ok", "No judge was asked; rules score.")
    if silent:
        return Check("The judge answered", "warning", "A judge gave no verdict that could be read.", [*silent, *few])
    return _found(
        "The judge answered", few, "Every answer has its verdict.", "Some verdicts could not be read.", "note"
    )


def _verdicts(sources: Sources) -> dict[str, list[float | None]]:
    """By verdict: what the judge gave each answer that it was asked about. Refusals are not judged."""
    columns = (sources.answers[name].tolist() for name in ("setting", "arm", "condition", "evaluation"))
    evaluations, found = archived_calls.put_where_known(sources.experiment), {}
    rows = zip(
        zip(*columns, strict=True), *(sources.answers[name].tolist() for name in ("judgments", "refused")), strict=True
    )
    for key, verdicts, refused in rows:
        given = verdicts or {}
        named = evaluations[key].verdict_names() if key in evaluations else [n for n in given if given[n] is not None]
        for name in () if refused else named:
            found.setdefault(name, []).append(given.get(name))
    return found


def _judge_agrees(sources: Sources) -> Check:
    rows = sources.agreement.to_dict("records")
    lines = [f"{row['trait']}: {row['agreement']:.3f} of {int(row['n']):,} answers" for row in rows]
    if not rows:
        return Check("Judge and exact scorer", "ok", "There is no trait that both a judge and a rule have scored.")
    worst = min(row["agreement"] for row in rows)
    least = "every answer" if worst == 1 else f"{math.floor(1000 * worst) / 10:g} % of answers or more"
    found = f"They agree on {least}, trait by trait."
    doubt = f" Below {_AGREES:.0%} the judge is doubtful; the table rests on the exact scores."
    return Check(
        "Judge and exact scorer",
        "ok" if worst >= _AGREES else "note",
        found + (doubt if worst < _AGREES else ""),
        lines,
    )


def _questions(sources: Sources) -> Check:
    counts = sources.first.groupby(["setting", "evaluation"], sort=False)["question"].nunique()
    single = [f"{setting}, {evaluation}: one question" for (setting, evaluation), n in counts.items() if n == 1]  # type: ignore[misc]
    conditions = len(sources.condition_labels)
    how = f", under {conditions} conditions" if conditions > 1 else ""
    fine = f"{int(counts.sum()):,} questions in {_count(len(counts), 'evaluation')}; each is asked of every arm{how}."
    return _found("Questions", single, fine, "One question cannot say how others would come out.", "note")
