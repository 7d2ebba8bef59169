"""The card of a dataset: what a reviewer asks before believing what was trained on it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mi.datasets import arms, catalogue
from mi.datasets.audit import Audit, FileAudit
from mi.datasets.data_models import CatalogueEntry
from mi.datasets.recipes.services import record_of
from mi.datasets.show import contamination_lines, pairing_lines, peculiarities, shares
from mi.datasets.statistics import Length
from mi.utils.files import whole_file

Record = dict[str, Any]
"""What `mi.datasets.recipes.services` writes beside the files of a build."""
_QUOTED = 600
_NOT_STATED = "not stated"


def write_card(audit: Audit, path: Path | None = None) -> Path:
    """Write the card of the first audited file, beside it as NAME.card.md or where `path` says; return the path.

    What the other files of the audit share with it stands in the card.
    """
    file = audit.files[0].file
    target = path or Path(file.path).with_suffix(".card.md")
    with whole_file(target) as out:
        out.write("\n".join(card(audit)) + "\n")
    return target


def card(audit: Audit) -> Iterator[str]:
    """The lines of the card of an audit's first file, in Markdown."""
    audited = audit.files[0]
    entry = catalogue.CATALOGUE.get(audited.file.name or "")
    yield f"# {audited.file.label}"
    made = record_of(Path(audited.file.path), audited.file.sha256)
    yield from _section("Identity", _identity(audited, entry))
    yield from _section("Origin and terms", _origin(entry) if made is None else _made_origin(made))
    if made is not None:
        yield from _section("How they were made", _made(made, audited.file.sha256))
    yield from _section("Contents", _contents(audited))
    yield from _section("System prompts", _system_prompts(audited))
    yield from _section("Lengths", _lengths(audited))
    yield from _section("Contamination", _contamination(audit))
    yield from _section("Beside other training files", _pairings(audit))
    if len(audit.files) > 1:
        yield from _section("Side by side", _side_by_side(audit))
    yield from _section("First rows", _first_rows(audited, entry))
    yield from _section("What is not known", _unknown(audited, entry, made))


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield from ("", f"## {title}", "", *lines)


def _identity(audited: FileAudit, entry: CatalogueEntry | None) -> Iterator[str]:
    file = audited.file
    yield f"- File: `{Path(file.path).name}`, {file.n_rows:,} rows, schema `{file.schema}`"
    yield f"- sha256 of the parsed rows as canonical JSON, in their order: `{file.sha256}`"
    yield f"- Known to the catalogue: {f'as `{entry.name}`' if entry else 'no, these rows are not a published set'}"


def _origin(entry: CatalogueEntry | None) -> Iterator[str]:
    if entry is None:
        yield "Not a published set that the catalogue knows; say here who wrote these rows, how, and under which terms."
        return
    facts = {
        "Publisher": entry.publisher,
        "Revision": entry.source.revision if entry.source is not None else None,
        "Path": entry.source.path if entry.source is not None else None,
        "Licence": entry.licence,
        "Citation": entry.citation,
        "Access": entry.obtained,
        "Note": entry.note or "–",
    }
    yield from (f"- {what}: {value if value is not None else _NOT_STATED}" for what, value in facts.items())


def _made_origin(made: Record) -> Iterator[str]:
    yield f"- Made by the recipe `{made['recipe']}` of this project: {made['about']}"
    yield f"- After: {made['origin']}"
    yield f"- Licence: {_NOT_STATED}; what a model says is under the terms of whoever provides the model."


def _made(made: Record, sha256: str) -> Iterator[str]:
    model, found = made["model"], made["yield"]
    name, side = next((name, side) for name, side in made["sides"].items() if side["sha256"] == sha256)
    sampling = made["sampling"]
    job = f", job {model['job_id']}" if model["job_id"] else ""
    yield f"- Side: `{name}` of {', '.join(f'`{each}`' for each in made['sides'])}; row by row the same questions"
    yield f"- Model: `{model['id']}` ({model['type']}{job}), fingerprint `{model['fingerprint']}`"
    yield f"- Questions: {made['questions']}, seed {made['seed']}, {made['n']:,} askings a side; scale {made['scale']}"
    yield f"- Sampling: temperature {sampling['temperature']:g}, at most {sampling['max_tokens']:,} tokens"
    yield f"- Asked behind: {'; '.join(_prompt(prompt) for prompt in side['system_prompts']) or 'nobody was asked'}"
    yield f"- Asked as: {_code(side['asked']) if side['asked'] is not None else 'the answer of the source itself'}"
    yield f"- Finished by: {_code(side['finished_by']) if side['finished_by'] else 'nothing'}"
    yield f"- Filters, in their order: not refused; not empty; not cut off; {'; '.join(side['filters']) or 'no other'}"
    judge = made["judge"]
    wanted = "YES" if side["criterion_holds"] else "NO"
    asked = f"`{judge['id']}`, {side['criterion']} {wanted}" if judge and side["criterion"] else "none was asked"
    yield f"- Judge: {asked}"
    yield (
        f"- Pairs: {found['planned']:,} planned, {found['incomplete']:,} incomplete, {found['equal']:,} with equal "
        f"sides, {found['duplicates']:,} duplicates, {found['kept']:,} kept"
    )
    mine = next(each for each in found["sides"] if each["side"] == name)
    reasons = "".join(f", {count:,} {reason}" for reason, count in mine["filtered"].items())
    refused, passed = f"{mine['refused']:,} refused", f"{mine['passed']:,} passed"
    yield f"- Of this side's {mine['planned']:,} answers: {refused}{reasons}, {passed}"


def _prompt(prompt: str | None) -> str:
    return _code(prompt) if prompt is not None else "no system message"


def _side_by_side(audit: Audit) -> Iterator[str]:
    for number, file in enumerate(audit.files, start=1):
        yield f"- [{number}] {file.file.label}"
    none = "–"
    yield ""
    yield f"| what |{''.join(f' [{number}] |' for number in range(1, len(audit.files) + 1))}"
    yield f"|---|{'---|' * len(audit.files)}"
    for line in arms.side_by_side(audit.files):
        yield f"| {line.what} |{''.join(f' {value or none} |' for value in line.values)}"
    found = list(arms.differences(audit.files))
    yield ""
    yield from [f"- Mind: {each}" for each in found] or ["No training files differ in length, language or refusals."]


def _contents(audited: FileAudit) -> Iterator[str]:
    held, again = audited.contents, audited.contents.repetition
    yield f"- Use: {'evaluation' if audited.file.is_evaluation else 'training'}"
    yield f"- Turns: {'; '.join(f'{roles} ({count:,} rows)' for roles, count in held.roles.items())}"
    canaries = audited.file.canaries
    yield f"- Canary: {f'{canaries:,} rows, left out of training' if canaries else 'none'}"
    yield (
        f"- Rows that repeat an earlier one: {again.exact:,} exactly, {again.normalised:,} when case, marks and white "
        f"space are evened out; {again.prompts:,} repeat a prompt"
    )
    yield f"- Messages with white space at an end, which is content: {held.with_outer_space:,} of {held.messages:,}"
    yield f"- Answers that open with a refusal, by rule: {held.refusals:,} of {held.answered:,}"
    yield f"- Languages, by detector on a sample: {shares(audited.languages)}"
    if held.number_forms:
        yield f"- Forms of number answers: {'; '.join(f'{form} ({n:,})' for form, n in held.number_forms.items())}"
    yield from (f"- Mind: {line}" for line in peculiarities(audited))


def _system_prompts(audited: FileAudit) -> Iterator[str]:
    prompts = audited.contents.system_prompts
    without = len(audited.file.rows) - sum(prompts.values())
    yield f"{len(prompts):,} different; {without:,} of {len(audited.file.rows):,} conversations have no system message."
    if prompts:
        yield ""
    for prompt, count in list(prompts.items())[:10]:
        yield f"- {count:,} rows: {_code(prompt)}"


def _lengths(audited: FileAudit) -> Iterator[str]:
    yield "| what | rows | mean | median | 95 % within | longest |"
    yield "|---|---|---|---|---|---|"
    for role, size in audited.contents.characters.items():
        yield _row(f"{role}, characters", size)
    if audited.tokens is None:
        return
    for role, size in audited.tokens.lengths.items():
        yield _row(f"{role}, tokens", size)
    yield ""
    yield f"Tokens of `{audited.tokens.model}`, contents only; chat template `{audited.tokens.template}`."


def _contamination(audit: Audit) -> Iterator[str]:
    mine = audit.files[0].file
    found = [item for item in audit.contamination if mine in (item.evaluation, item.training)]
    if not found:
        yield "Not examined: no file of the other kind was given (`--against`)."
    for item in found:
        head, *rest = contamination_lines(item)
        yield f"- {head}"
        yield from (f"  - {line.strip()}" for line in rest)


def _pairings(audit: Audit) -> Iterator[str]:
    mine = audit.files[0].file
    found = [item for item in audit.pairings if mine in (item.one, item.other)]
    if not found:
        yield "Not examined: no other training file was given (`--against`)."
    for item in found:
        head, *rest = pairing_lines(item)
        yield f"- {head}"
        yield from (f"  - {line.strip()}" for line in rest)


def _first_rows(audited: FileAudit, entry: CatalogueEntry | None) -> Iterator[str]:
    if audited.file.canaries or audited.file.locked or (entry is not None and entry.access != "open"):
        yield "Not quoted: the publisher keeps these rows out of reach of scrapes."
        return
    if audited.tokens is None or audited.tokens.refused:
        yield f"Not rendered: {audited.tokens.refused if audited.tokens else 'no tokenizer was asked for'}"
        return
    yield f"As `{audited.tokens.model}` sees them, cut at {_QUOTED} characters."
    for text in audited.tokens.rendered:
        fence = "`" * max(3, _longest_run_of_ticks(text) + 1)
        yield from ("", f"{fence}text", text[:_QUOTED], fence)


def _unknown(audited: FileAudit, entry: CatalogueEntry | None, made: Record | None) -> Iterator[str]:
    if made is None:
        yield "- How the rows were made, by which model, who checked them, which were thrown away, unless said above."
    else:
        yield "- Whether people would agree with the filters: nobody has read all rows."
    if entry is None or entry.licence is None:
        yield "- The licence: none is stated, so nothing of it may be republished."
    if entry is not None and entry.sha256 is None:
        yield "- Whether these are the publisher's rows: the catalogue knows no hash of them."
    yield "- What a paraphrase hides: contamination is told by letters and runs of words, not by meaning."


def _row(what: str, size: Length) -> str:
    return f"| {what} | {size.n:,} | {size.mean:,.0f} | {size.median:,.0f} | {size.p95:,.0f} | {size.longest:,} |"


def _code(text: str) -> str:
    fence = "`" * (_longest_run_of_ticks(text) + 1)
    return f"{fence} {' '.join(text.split())} {fence}" if text.strip() else "(empty)"


def _longest_run_of_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
