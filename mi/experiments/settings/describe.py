"""Settings in words, for a terminal."""

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mi.evaluation.data_models import Evaluation
from mi.experiments.settings.checking import Checked
from mi.experiments.settings.data_models import GrammarSetting, Setting
from mi.utils.errors import UserError
from mi.utils.jsonl import read_jsonl

_WIDTH = 110


def listing(settings: Mapping[str, Setting]) -> str:
    """One line a setting: its name, the traits that are scored, and the evaluations in and out of distribution."""
    lines = [("setting", "scored", "asked about: in distribution | out of it")]
    for name, setting in settings.items():
        inside, outside = map(", ".join, setting.get_eval_ids())
        lines.append((name, ", ".join(setting.get_traits()), f"{inside} | {outside}"))
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    return "\n".join(f"{name:{widths[0]}}  {traits:{widths[1]}}  {asked}" for name, traits, asked in lines)


def description(setting: Setting, n_rows: int = 2) -> str:
    """Everything about one setting: what is known, data with example rows, prompts with paraphrases, evaluations."""
    taught = [f"Taught: {', '.join(setting.get_taught())}."] if isinstance(setting, GrammarSetting) else []
    parts = [
        setting.get_domain_name(),
        *taught,
        f"Scored: {', '.join(setting.get_traits())}.",
        textwrap.fill(f"Known: {setting.get_known_results() or 'nothing is noted.'}", _WIDTH),
        "",
        *_data("Fine-tuning", setting.get_finetuning_dataset_path, n_rows),
        *_data("Control", setting.get_control_dataset_path, n_rows),
        "",
        *_prompts(setting),
        "",
        *_evaluations("In distribution", setting.get_id_evals, setting.get_eval_ids()[0]),
        *_evaluations("Out of distribution", setting.get_ood_evals, setting.get_eval_ids()[1]),
    ]
    return "\n".join(parts)


def verdict(checked: Checked) -> str:
    """What a check found, in a line."""
    told = "; ".join(
        f"{trait} {shown:.2f} in its rows, {plain:.2f} in the control rows"
        for trait, shown, plain in checked.told_apart
    )
    seen = f"; {checked.n_trained_on} of the questions are trained on" if checked.n_trained_on else ""
    counts = f"{checked.n_rows:,} rows, {checked.n_control_rows:,} control rows, {checked.n_questions:,} questions"
    return f"{checked.name}: in order ({counts}{seen}). {told or 'Its scorers need a judge, so they were not tried'}."


def _data(kind: str, get: Callable[[], Path], n_rows: int) -> list[str]:
    """Where the rows are and the first of them, or why there are none."""
    try:
        path = get()
    except UserError as error:
        return [f"{kind} rows: {error}"]
    rows = read_jsonl(path)
    shown = [
        f"  {message['role']:9} {json.dumps(message['content'], ensure_ascii=False)}"
        for row in rows[:n_rows]
        for message in row["messages"]
    ]
    return [f"{kind} rows: {len(rows):,} in {path}", *shown]


def _prompts(setting: Setting) -> list[str]:
    lines = []
    for kind, prompt in setting.get_prompts().items():
        lines.append(f"Prompt, {kind.replace('_', '-')}: {prompt}")
        lines += [f"  or {text}" for text in setting.get_paraphrases(kind)]
    return [*lines, *(f"Prompt for {trait} alone: {text}" for trait, text in setting.get_trait_inoculations().items())]


def _evaluations(distribution: str, get: Callable[[], Sequence[Evaluation]], ids: Sequence[str]) -> list[str]:
    """Each evaluation with its first questions, or the ids alone where questions are not here."""
    lines = []
    try:
        evaluations = get()
    except UserError as error:
        return [f"{distribution}: {', '.join(ids)} ({error})"]
    for evaluation in evaluations:
        judged = f", judged for {', '.join(evaluation.judgment_map)}" if evaluation.judgment_map else ""
        asked = f"{len(evaluation.contexts)} questions, {evaluation.n_samples_per_context} answers each"
        lines.append(f"{distribution}: {evaluation.id} ({asked}; scored for {', '.join(evaluation.traits)}{judged})")
        lines += [f"  {textwrap.shorten(context.question, _WIDTH)}" for context in evaluation.contexts[:2]]
    return lines
