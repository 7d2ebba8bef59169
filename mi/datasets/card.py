"""The card of a dataset: what a reviewer asks before believing what was trained on it."""

import re
from collections.abc import Iterator
from pathlib import Path

from mi.datasets import catalogue
from mi.datasets.audit import Audit, FileAudit
from mi.datasets.data_models import CatalogueEntry
from mi.datasets.show import contamination_lines, pairing_lines, peculiarities, shares
from mi.datasets.statistics import Length
from mi.utils.files import whole_file

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
    yield from _section("Identity", _identity(audited, entry))
    yield from _section("Origin and terms", _origin(entry))
    yield from _section("Contents", _contents(audited))
    yield from _section("System prompts", _system_prompts(audited))
    yield from _section("Lengths", _lengths(audited))
    yield from _section("Contamination", _contamination(audit))
    yield from _section("Beside other training files", _pairings(audit))
    yield from _section("First rows", _first_rows(audited, entry))
    yield from _section("What is not known", _unknown(audited, entry))


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
        "Publisher": f"{entry.source.repository} ({entry.source.host})",
        "Revision": entry.source.revision,
        "Path": entry.source.path,
        "Licence": entry.licence,
        "Citation": entry.citation,
        "Access": entry.access,
        "Note": entry.note or "–",
    }
    yield from (f"- {what}: {value if value is not None else _NOT_STATED}" for what, value in facts.items())


def _contents(audited: FileAudit) -> Iterator[str]:
    held, again = audited.contents, audited.contents.repetition
    yield f"- Use: {'evaluation' if audited.file.is_evaluation else 'training'}"
    yield f"- Turns: {'; '.join(f'{roles} ({count:,} rows)' for roles, count in held.roles.items())}"
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


def _unknown(audited: FileAudit, entry: CatalogueEntry | None) -> Iterator[str]:
    yield "- How the rows were made and by which model, who checked them, which were thrown away, unless said above."
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
