"""A training file checked before it is sent, in one pass that holds no rows: what it is, and what is wrong where."""

import hashlib
import json
import re
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from pathlib import Path
from typing import IO, Any, get_args

from mi.finetuning.providers import ELSEWHERE, FileLimits
from mi.llm.data_models import Role
from mi.llm.rows import read_chat
from mi.utils.errors import UserError

CHARACTERS_A_TOKEN = 4
"""An estimate, and called one: OpenAI's tokenizers come over the network, so tokens are not counted here."""

NAMED = 10
"""Findings of one kind that are kept with their lines; the others are counted."""

_ROLES = {role: f',"role":"{role}"}}' for role in get_args(Role)}
"""How a message ends, once it is spelled; a look-up of any other role is a KeyError."""


@dataclass(frozen=True)
class Finding:
    """Something about one line, or (line None) about the file."""

    line: int | None
    text: str
    refused: bool
    """The provider, or the training, would not take it."""


@dataclass(frozen=True)
class TrainingFile:
    """What one pass over a training file found."""

    path: Path
    digest: str
    """The identity of the rows: `mi.llm.rows.rows_digest`. Of no meaning where lines are refused."""
    n_rows: int
    n_bytes: int
    tokens: dict[str, int]
    """By role, an estimate: characters / 4. An arm's cost and length."""
    longest: tuple[int, int]
    """(line, estimated tokens) of the longest row."""
    duplicates: int
    """Rows that say to the letter what an earlier row says."""
    findings: tuple[Finding, ...]
    n_findings: int
    """How many there were; of each kind only the first few are kept."""

    @property
    def total_tokens(self) -> int:
        """Estimated tokens an epoch."""
        return sum(self.tokens.values())

    def refuse(self) -> None:
        """Raise UserError for the first finding that cannot be trained on."""
        refused = [finding for finding in self.findings if finding.refused]
        if refused:
            where = str(self.path) if refused[0].line is None else f"{self.path}, line {refused[0].line}"
            lines = ", ".join(str(finding.line) for finding in refused[1:] if finding.line is not None)
            more = f" (More is wrong in line {lines}{' …' if len(refused) > NAMED else ''}.)" if lines else ""
            raise UserError(f"{where}: {refused[0].text}{more}")


def scan(path: Path | str, limits: FileLimits = ELSEWHERE, copy: IO[bytes] | None = None) -> TrainingFile:
    """Read a training file once, a line at a time; about 20 bytes a row are kept.

    With `copy`, the rows are written there as they are hashed: messages only, one spelling of JSON. What is sent is
    then what the job is named after. Raises UserError for a file that cannot be read; what is wrong with its lines
    is in `findings`.
    """
    path = Path(path)
    tally = _Tally(limits)
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            text = tally.take(number, line)
            if copy is not None and text is not None:
                copy.write(b'{"messages":%b}\n' % text)
    return tally.result(path)


@dataclass
class _Tally:
    """What has been seen so far; a row is gone once it is counted."""

    limits: FileLimits
    n_bytes: int = 0
    characters: dict[str, int] = field(default_factory=lambda: {"system": 0, "user": 0, "assistant": 0})
    longest: tuple[int, int] = (0, 0)
    findings: dict[str, list[Finding]] = field(default_factory=dict)
    n_findings: int = 0

    def __post_init__(self) -> None:
        self.lines, self.hashes = array("Q"), array("q")
        self.hash = hashlib.sha256(b"[")
        tokens = "|".join(map(re.escape, self.limits.refused_tokens))
        self.refused = re.compile(tokens) if tokens else None
        self.most = (self.limits.max_row_tokens or 10**15) * CHARACTERS_A_TOKEN

    def take(self, number: int, line: bytes) -> bytes | None:
        """Count a line; return its conversation as canonical JSON, None where the line is empty or wrong."""
        self.n_bytes += len(line)
        try:
            value = json.loads(line.decode())
            spelled, size = self._spell(value["messages"])
            text = spelled.encode()
        except (ValueError, KeyError, TypeError, _OutOfTheOrdinary):
            if not line.strip():
                return None
            text, size = self._look_closely(number, line)
            if text is None:
                return None
        self.hash.update(b"," + text if self.lines else text)
        self.lines.append(number)
        self.hashes.append(hash(text))
        if size > self.longest[1]:
            self.longest = (number, size)
        if size > self.most:
            self.find("long", number, f"about {size // 4:,} tokens, and {self.limits.provider} cuts what is longer "
                      f"than {self.limits.max_row_tokens:,}.")  # fmt: skip
        if self.refused and b"<|" in text and (token := self.refused.search(text.decode())):
            self.find("token", number, f"holds {token[0]}, which {self.limits.provider} refuses; take it out.", True)
        return text

    def _spell(self, messages: list[dict[str, str]]) -> tuple[str, int]:
        """The conversation as canonical JSON, and its characters. The common case alone: anything else is raised."""
        parts, lengths, said = [], [], False
        for message in messages:
            role, content = message["role"], message["content"]
            if len(message) != 2:
                raise _OutOfTheOrdinary
            parts.append(f'{{"content":{encode_basestring(content)}{_ROLES[role]}')
            lengths.append((role, len(content)))
            if role == "assistant" and not said:
                said = content and not content.isspace()
        if not said:
            raise _OutOfTheOrdinary
        size, characters = 0, self.characters
        for role, length in lengths:
            characters[role] += length
            size += length
        return f"[{','.join(parts)}]", size

    def _look_closely(self, number: int, line: bytes) -> tuple[bytes | None, int]:
        """A line that is not of the common kind: its conversation after all, or a finding that says what is wrong."""
        try:
            chat = read_chat(json.loads(line.decode()), "")
        except UserError as error:
            self.find("row", number, str(error).removeprefix(": "), True)
        except ValueError as error:
            self.find("row", number, f"not JSON ({error}); write one JSON object a line.", True)
        else:
            plain = [{"role": message.role, "content": message.content} for message in chat]
            spelled, size = self._spell(plain)
            return spelled.encode(), size
        return None, 0

    def find(self, kind: str, line: int | None, text: str, refused: bool = False) -> None:
        """Keep a finding, or count it where there are many of its kind."""
        self.n_findings += 1
        found = self.findings.setdefault(kind, [])
        if len(found) <= NAMED:
            found.append(Finding(line, text, refused))

    def result(self, path: Path) -> TrainingFile:
        """The sum of it all."""
        self.hash.update(b"]")
        duplicates = self._find_duplicates()
        limits, rows = self.limits, len(self.lines)
        if not rows and not self.findings:
            self.find("file", None, "holds no rows; write one JSON object with messages a line.", True)
        if 0 < rows < limits.min_rows:
            self.find("file", None, f"{rows} rows, but {limits.provider} asks for at least {limits.min_rows}.", True)
        if limits.max_bytes and self.n_bytes > limits.max_bytes:
            self.find("file", None, f"{self.n_bytes:,} bytes, but {limits.provider} takes {limits.max_bytes:,}.", True)
        findings = [finding for kind in self.findings.values() for finding in kind]
        return TrainingFile(
            path=path,
            digest=self.hash.hexdigest()[:32],
            n_rows=rows,
            n_bytes=self.n_bytes,
            tokens={role: -(-count // CHARACTERS_A_TOKEN) for role, count in self.characters.items()},
            longest=(self.longest[0], -(-self.longest[1] // CHARACTERS_A_TOKEN)),
            duplicates=duplicates,
            findings=tuple(sorted(findings, key=lambda finding: (not finding.refused, finding.line or 0))),
            n_findings=self.n_findings,
        )

    def _find_duplicates(self) -> int:
        """How many rows repeat an earlier one; the first few are named. Rows of equal 64-bit hashes count as equal."""
        import numpy as np

        values, lines = np.frombuffer(self.hashes, dtype=np.int64), np.frombuffer(self.lines, dtype=np.uint64)
        if not len(values):
            return 0
        order = np.argsort(values, kind="stable")
        again = np.flatnonzero(values[order][1:] == values[order][:-1])
        repeats, earlier = lines[order[again + 1]], lines[order[again]]
        for place in np.argsort(repeats)[:NAMED]:
            self.find("duplicate", int(repeats[place]), f"says what line {earlier[place]} says.")
        self.n_findings += max(0, len(repeats) - NAMED)
        return len(repeats)


class _OutOfTheOrdinary(Exception):
    """A line that wants a closer look."""


@contextmanager
def _opened(path: Path) -> Iterator[IO[Any]]:
    try:
        with path.open("rb", buffering=1 << 20) as file:
            yield file
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a JSONL file.") from error
