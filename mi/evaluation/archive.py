"""The store as a whole: what it holds, taken out as a table, and forgotten on request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from mi.evaluation.records import key_of, record_of
from mi.evaluation.store import Kind, check_version, exclusively, store_dir
from mi.utils.errors import UserError
from mi.utils.files import whole_file
from mi.utils.jsonl import write_jsonl

_ROWS_AT_A_TIME = 10_000
_LARGE = 1 << 20


@dataclass(frozen=True)
class Holding:
    """One file of the store."""

    kind: Kind
    path: Path
    names: tuple[str, ...]
    """What the model was called when it was asked, with its job where it has one; empty in files of version 1."""
    n: int
    n_damaged: int
    n_bytes: int

    @property
    def fingerprint(self) -> str:
        """The model's identity."""
        return self.path.stem


def holdings(model: str | None = None, kind: Kind | None = None) -> list[Holding]:
    """The files of the store, those of one model, or of one kind. A model goes by its name, its job, or the beginning
    of its fingerprint. Raises UserError where a model is given and nothing is kept of it."""
    check_version()
    kinds = get_args(Kind) if kind is None else (kind,)
    found = [_holding(k, path) for k in kinds for path in sorted((store_dir() / k).glob("[!.]*.jsonl"))]
    if model is None:
        return found
    chosen = [one for one in found if one.fingerprint.startswith(model) or any(model in n.split() for n in one.names)]
    if not chosen:
        raise UserError(f"{model}: nothing is kept of this model in {store_dir()}; mi results list shows what is.")
    return chosen


def rows(chosen: Sequence[Holding]) -> Iterator[dict[str, Any]]:
    """Every call as a flat row; damaged lines are passed over."""
    for holding in chosen:
        for _, line in _lines(holding.path):
            record = record_of(line) if key_of(line) else None
            if record is not None:
                yield {"kind": holding.kind, "fingerprint": holding.fingerprint, **_flat(record)}


def export(chosen: Sequence[Holding], path: Path) -> int:
    """Write every call to a .jsonl or .parquet file, whole or not at all, and return how many. Raises UserError for
    another ending. Without log-probabilities, which the store keeps."""
    if path.suffix == ".jsonl":
        write_jsonl(path, rows(chosen))
    elif path.suffix == ".parquet":
        _write_parquet(chosen, path)
    else:
        raise UserError(f"{path}: ends neither in .jsonl nor in .parquet; choose one of them.")
    return sum(holding.n for holding in chosen)


def forget(holding: Holding) -> None:
    """Take a file out of the store; its calls are asked again where needed. Raises UserError while it is in use."""
    with exclusively(holding.kind, holding.fingerprint):
        holding.path.unlink(missing_ok=True)


def forget_damaged(holding: Holding) -> None:
    """Take the damaged lines out of a file. Raises UserError while it is in use."""
    with exclusively(holding.kind, holding.fingerprint), whole_file(holding.path, "wb") as file:
        file.writelines(line for _, line in _lines(holding.path) if key_of(line))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb", buffering=_LARGE) as file:
        yield from enumerate((line for line in file if line.endswith(b"\n")), start=1)


def _holding(kind: Kind, path: Path) -> Holding:
    n = n_damaged = 0
    first = last = None
    for _, line in _lines(path):
        if key_of(line) is None:
            n_damaged += 1
        else:
            n += 1
            first, last = first or line, line
    records = [record for line in (first, last) if line and (record := record_of(line))]
    names = dict.fromkeys(" ".join(filter(None, (r.get("model"), r.get("job_id")))) for r in records)
    return Holding(kind, path, tuple(filter(None, names)), n, n_damaged, path.stat().st_size)


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    system = next((turn["content"] for turn in record["messages"] if turn["role"] == "system"), None)
    question = next((turn["content"] for turn in reversed(record["messages"]) if turn["role"] == "user"), None)
    response = {name: value for name, value in record["response"].items() if name != "logprobs"}
    return {
        "key": record["key"],
        "model": record.get("model"),
        "job_id": record.get("job_id"),
        "system_prompt": system,
        "question": question,
        "n_messages": len(record["messages"]),
        "sample_index": record["sample_index"],
        **record["sample_cfg"],
        **response,
    }


def _write_parquet(chosen: Sequence[Holding], path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    every = rows(chosen)
    parts = [pyarrow.Table.from_pylist(part) for part in iter(lambda: list(islice(every, _ROWS_AT_A_TIME)), [])]
    whole = pyarrow.concat_tables(parts, promote_options="permissive") if parts else pyarrow.table({})
    with whole_file(path, "wb") as file:
        pyarrow.parquet.write_table(whole, file, compression="zstd")
