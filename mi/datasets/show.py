"""What a person reads in the terminal of published sets and of an audit."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from mi.datasets import arms, services
from mi.datasets.audit import Audit, Contamination, FileAudit, Pairing
from mi.datasets.data_models import CatalogueEntry
from mi.datasets.statistics import Length
from mi.datasets.tokens import Tokens

_NOT_STATED = "not stated"
_WIDTH = 90
"""Characters of a fact in a line."""
_SHOWN = 300
"""Characters of a rendered row that are shown."""


def table(entries: Sequence[CatalogueEntry]) -> Iterator[str]:
    """One line for each set: name, purpose, rows, licence, access, whether it is here."""
    width = max(len(entry.name) for entry in entries)
    yield f"{'name':{width}}  purpose     rows   licence     access    fetched"
    for entry in entries:
        rows = f"{entry.rows:,}" if entry.rows is not None else "–"
        here = "yes" if services.path_of(entry).exists() else "no"
        terms = f"{entry.licence or _NOT_STATED:10}  {entry.obtained:8}"
        yield f"{entry.name:{width}}  {entry.purpose:10}  {rows:>5}  {terms}  {here}"


def describe(entry: CatalogueEntry) -> Iterator[str]:
    """All that is known of one set; what is not says so."""
    source, path = entry.source, services.path_of(entry)
    facts = {
        "publisher": entry.publisher,
        "page": source.page if source is not None else "–",
        "revision": source.revision if source is not None else "–",
        "path": source.path if source is not None else "–",
        "address": entry.url if source is not None else "–",
        "rows": f"{entry.rows:,}" if entry.rows is not None else None,
        "sha256 of the rows": entry.sha256,
        "licence": entry.licence,
        "citation": entry.citation,
        "schema": entry.schema,
        "answer column": entry.answer or "–",
        "purpose": entry.purpose,
        "access": entry.obtained,
        "to get it": entry.way,
        "note": entry.note or "–",
        "here": str(path) if path.exists() else "not fetched",
    }
    yield entry.name
    for what, value in facts.items():
        text = value if value is not None else _NOT_STATED
        first, *more = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
        yield f"  {what:19} {first}"
        yield from (f"{'':22}{line}" for line in more)


def report(audit: Audit) -> Iterator[str]:
    """An audit, contamination first: it is what changes a conclusion."""
    if audit.contamination:
        yield "Contamination"
        for found in audit.contamination:
            yield from _indented(contamination_lines(found))
    if len(audit.files) > 1:
        yield from ("", "Side by side", *_indented(columns(audit)))
    for file in audit.files:
        yield ""
        yield from file_lines(file)
    if audit.pairings:
        yield ""
        yield "Training files against each other"
        for pairing in audit.pairings:
            yield from _indented(pairing_lines(pairing))


def columns(audit: Audit) -> Iterator[str]:
    """The files of an audit, one a column, and where training files differ beside what they are to teach."""
    for number, file in enumerate(audit.files, start=1):
        yield f"[{number}] {file.file.label}"
    lines = arms.side_by_side(audit.files)
    cells = [[value or "–" for value in line.values] for line in lines]
    widths = [max(4, *(len(row[place]) for row in cells)) for place in range(len(audit.files))]
    head = max(len(line.what) for line in lines)
    yield " " * head + "".join(f"  {f'[{n}]':>{width}}" for n, width in enumerate(widths, start=1))
    for line, row in zip(lines, cells, strict=True):
        yield f"{line.what:{head}}" + "".join(f"  {cell:>{width}}" for cell, width in zip(row, widths, strict=True))
    yield from (f"mind: {found}" for found in arms.differences(audit.files))


def contamination_lines(found: Contamination) -> Iterator[str]:
    """What of an evaluation stands in training data, in sentences."""
    test, data, seen = found.evaluation, found.training, found.overlap
    held = f"{len(seen.inside):,} of {seen.n_questions:,} evaluation {test.noun}"
    yield f"{test.label} in {data.label}: {held} in the training data"
    how = [f"{len(seen.equal):,} are a whole turn"]
    how += ["they are the training prompts, in order"] if seen.in_order else []
    yield f"  to the letter {len(seen.inside):,} ({'; '.join(how)})"
    yield f"  normalised    {len(seen.normalised):,}"
    yield f"  by 8-grams    {len(seen.by_words):,} (70 % of a question's runs of eight words in one row)"
    if first := next(iter(seen.inside or seen.normalised or seen.by_words), None):
        yield f"  the first: {test.noun.removesuffix('s')} {first.question:,}, in line {data.lines[first.row]:,}"


def file_lines(audited: FileAudit) -> Iterator[str]:
    """What one file holds, one finding a line."""
    file, held = audited.file, audited.contents
    kind = "evaluation" if file.is_evaluation else "training"
    yield f"{file.label}: {file.n_rows:,} rows, {kind}, schema {file.schema}"
    yield f"  file            {file.path}"
    yield f"  rows            sha256 {file.sha256}"
    roles = "; ".join(f"{roles.replace(' ', ', ')} {count:,}" for roles, count in held.roles.items())
    yield f"  turns           {roles}{'; no user turn' if not any('user' in key for key in held.roles) else ''}"
    if held.system_prompts:
        commonest, count = next(iter(held.system_prompts.items()))
        yield f"  system prompts  {len(held.system_prompts):,} different; in {count:,} rows {_short(commonest)!r}"
    again = held.repetition
    yield f"  duplicates      {again.exact:,} exact, {again.normalised:,} normalised, {again.prompts:,} by prompt"
    if again.lines:
        more = ", …" if again.exact > len(again.lines) else ""
        yield f"                  exact in lines {', '.join(f'{line:,}' for line in again.lines)}{more}"
    yield f"  outer space     {held.with_outer_space:,} of {held.messages:,} messages have white space at an end"
    for role, size in held.characters.items():
        yield f"  {role + ', characters':22} {_length(size)}"
    if audited.tokens is not None:
        yield from _indented(token_lines(audited.tokens))
    of = f"{held.refusals:,} of {held.answered:,} answers" if held.answered else "nothing is answered"
    yield f"  refusals        {of} (by rule)"
    yield f"  languages       {shares(audited.languages)}"
    if held.number_forms:
        yield f"  number answers  {'; '.join(f'{form} {count:,}' for form, count in held.number_forms.items())}"
    yield from _indented(peculiarities(audited))


def peculiarities(audited: FileAudit) -> Iterator[str]:
    """What a loader may trip over."""
    file = audited.file
    if not file.final_newline and not file.path.endswith(".parquet"):
        yield "the file lacks its final newline"
    if file.escaped:
        yield f"{file.escaped:,} characters are spelled as escapes"
    if file.extra_columns:
        yield f"extra columns: {', '.join(f'{key} {count:,}' for key, count in file.extra_columns.items())}"
    if file.canaries:
        yield f"{file.canaries:,} canary rows, kept in the file and left out of training"


def token_lines(tokens: Tokens) -> Iterator[str]:
    """Tokens and first rendered rows."""
    for role, size in tokens.lengths.items():
        yield f"{role + ', tokens':22} {_length(size)}"
    yield f"tokenizer       {tokens.model}, chat template {tokens.template[:12]}"
    if tokens.refused:
        yield f"rendering       refused: {tokens.refused}"
    for number, text in enumerate(tokens.rendered, start=1):
        yield f"rendered {number}      {_short(text, _SHOWN)!r}"


def pairing_lines(pairing: Pairing) -> Iterator[str]:
    """What two training files share."""
    one, other = pairing.one, pairing.other
    yield f"{one.label} and {other.label}"
    rows = f"{min(len(one.rows), len(other.rows)):,} rows"
    same = f"{pairing.same_prompt_by_row:,} same prompts, {pairing.same_answer_by_row:,} same answers"
    yield f"  row by row    {same}, of {rows}"
    alone = f"{pairing.only_one:,} only in the first, {pairing.only_other:,} only in the second"
    yield f"  prompts       {pairing.shared_prompts:,} shared, {alone}"


def shares(of: dict[str, float]) -> str:
    """Shares in per cent, the commonest five."""
    return ", ".join(f"{code} {share:.1%}" for code, share in list(of.items())[:5]) or "nothing to tell by"


def _length(size: Length) -> str:
    return f"mean {size.mean:,.0f}, median {size.median:,.0f}, 95 % within {size.p95:,.0f}, longest {size.longest:,}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _short(text: str, characters: int = 80) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"
