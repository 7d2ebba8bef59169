"""The audit of training and evaluation files: what each holds, what they share, whether the test was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mi.datasets import catalogue, services
from mi.datasets.contamination import Overlap, overlap
from mi.datasets.converters import Conversation, convert_lines, extra_columns, is_canary, questions
from mi.datasets.languages import language_shares
from mi.datasets.reading import parse_raw, rows_sha256
from mi.datasets.statistics import Contents, contents, texts_by_role
from mi.datasets.tokens import Tokens, tokenizer_of, tokens_of
from mi.utils.errors import UserError


@dataclass(frozen=True)
class DataFile:
    """A file in memory: its rows as conversations, with their lines, and what they ask."""

    path: str
    name: str | None
    """The catalogue's name for these rows."""
    sha256: str
    schema: str
    noun: str
    """What its questions are called."""
    n_rows: int
    canaries: int
    extra_columns: dict[str, int]
    final_newline: bool
    escaped: int
    """Characters spelled as \\u escapes."""
    rows: tuple[Conversation, ...]
    lines: tuple[int, ...]
    questions: tuple[str, ...]
    is_evaluation: bool
    locked: bool = False
    """Whether the rows lie in a locked archive."""

    @property
    def label(self) -> str:
        """What a person calls the file."""
        return self.name or Path(self.path).name


@dataclass(frozen=True)
class FileAudit:
    """What one file holds."""

    file: DataFile
    contents: Contents
    languages: dict[str, float]
    """Shares of a sample of answers, or of questions where nothing is answered."""
    tokens: Tokens | None


@dataclass(frozen=True)
class Contamination:
    """What of an evaluation stands in training data."""

    evaluation: DataFile
    training: DataFile
    overlap: Overlap


@dataclass(frozen=True)
class Pairing:
    """What two training files share, whose rows may or may not be pairs."""

    one: DataFile
    other: DataFile
    same_prompt_by_row: int
    same_answer_by_row: int
    shared_prompts: int
    """Different prompts that both ask."""
    only_one: int
    only_other: int


@dataclass(frozen=True)
class Audit:
    """All findings."""

    files: tuple[FileAudit, ...]
    contamination: tuple[Contamination, ...]
    pairings: tuple[Pairing, ...]


def audit(files: Sequence[DataFile], model: str | None = "organism") -> Audit:
    """Audit files together: each evaluation is held against each training file, training files against each other.

    `model` names the tokenizer that counts tokens and renders; None leaves both out.
    """
    tokenizer = tokenizer_of(model) if model is not None else None
    training = [file for file in files if not file.is_evaluation]
    held_out = [file for file in files if file.is_evaluation]
    return Audit(
        tuple(
            FileAudit(
                file,
                contents(file.rows, file.lines),
                language_shares(_said(file)),
                tokens_of(file.rows, tokenizer, model) if tokenizer is not None and model is not None else None,
            )
            for file in files
        ),
        tuple(Contamination(test, data, contamination(test, data)) for test in held_out for data in training),
        tuple(pairing(one, two) for place, one in enumerate(training) for two in training[place + 1 :]),
    )


def contamination(evaluation: DataFile, training: DataFile) -> Overlap:
    """What of the questions of one file stands in any turn of the other."""
    return overlap(evaluation.questions, [[m["content"] for m in row["messages"]] for row in training.rows])


def pairing(one: DataFile, other: DataFile) -> Pairing:
    """What two training files share, as sets of prompts and row by row."""
    first, second = _asked_and_answered(one), _asked_and_answered(other)
    a, b = {asked for asked, _ in first if asked}, {asked for asked, _ in second if asked}
    together = list(zip(first, second, strict=False))
    return Pairing(
        one,
        other,
        sum(bool(x[0]) and x[0] == y[0] for x, y in together),
        sum(bool(x[1]) and x[1] == y[1] for x, y in together),
        len(a & b),
        len(a - b),
        len(b - a),
    )


def load_all(names: Sequence[str], evaluations: Sequence[str] = (), answer: str | None = None) -> list[DataFile]:
    """The files of these names or paths; see `load`. A group stands for those of its sets that are fetched.

    `evaluations` are taken as evaluations whatever they hold. Raises UserError as `load` does, and for a group of which
    nothing is fetched.
    """
    chosen = [(found, False) for name in names for found in _expand(name)]
    chosen += [(found, True) for name in evaluations for found in _expand(name)]
    return [load(found, forced, answer) for found, forced in chosen]


def load(name: str, evaluation: bool = False, answer: str | None = None) -> DataFile:
    """A file by its path, or a fetched set by its name in the catalogue.

    It is an evaluation where that is said, where the catalogue says so of its rows, or where nobody answers in it.
    Raises UserError for an unknown name, a set that is not fetched, and whatever `read_raw` and the converters refuse.
    """
    entry = catalogue.CATALOGUE.get(name)
    path = services.path_of(entry) if entry is not None else Path(name)
    if entry is not None and not path.exists():
        raise UserError(f"{name}: is not fetched; run `mi datasets fetch {name}`.")
    if entry is None and not path.exists() and path.suffix == "":
        catalogue.entry(name)  # says which names there are
    content, suffix, where = services.content_of(path, entry)
    raw = parse_raw(content, suffix, where)
    sha256 = rows_sha256(raw)
    entry = entry or catalogue.by_rows(sha256)
    schema = services.schema_for(entry, raw, where)
    located = convert_lines(raw, schema, where, answer or (entry.answer if entry is not None else None))
    rows = tuple(row for _, row in located)
    silent = not any(message["role"] == "assistant" for row in rows for message in row["messages"])
    return DataFile(
        path=str(path),
        name=entry.name if entry is not None else None,
        sha256=sha256,
        schema=schema.name,
        noun=schema.noun,
        n_rows=len(raw),
        canaries=sum(is_canary(row.value) for row in raw),
        extra_columns=extra_columns(raw, schema),
        final_newline=content.endswith(b"\n"),
        escaped=content.count(b"\\u") if suffix in (".json", ".jsonl") else 0,
        rows=rows,
        lines=tuple(line for line, _ in located),
        questions=tuple(questions(raw, schema, where)),
        is_evaluation=evaluation or silent or (entry is not None and entry.purpose == "evaluation"),
        locked=path.suffix != suffix,
    )


def _expand(name: str) -> list[str]:
    if name in catalogue.CATALOGUE or not catalogue.is_known(name) or Path(name).is_file():
        return [name]
    fetched = [entry.name for entry in catalogue.entries([name]) if services.path_of(entry).exists()]
    if not fetched:
        raise UserError(f"{name}: nothing of this group is fetched; run `mi datasets fetch {name}`.")
    return fetched


def _said(file: DataFile) -> list[str]:
    texts = [texts_by_role(row) for row in file.rows]
    answers = [by_role["assistant"] for by_role in texts if by_role.get("assistant", "").strip()]
    return answers or list(file.questions)


def _asked_and_answered(file: DataFile) -> list[tuple[str, str]]:
    texts = [texts_by_role(row) for row in file.rows]
    return [(by_role.get("user", ""), by_role.get("assistant", "")) for by_role in texts]
