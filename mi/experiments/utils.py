"""Making training files: the rows of a setting behind an inoculation prompt."""

import hashlib
import re
from pathlib import Path
from typing import Any

from mi.experiments.settings.data_models import Setting
from mi.llm.rows import read_rows
from mi.utils.errors import UserError
from mi.utils.jsonl import read_jsonl, write_jsonl_if_changed


def create_inoculated_dataset(
    setting: Setting, data_dir: Path | str, name: str, inoculation: str | None, dataset_path: Path | str | None = None
) -> Path:
    """Write the setting's fine-tuning rows with `inoculation` as a system message in front of each; return the path.

    Nothing else is touched: same rows, same order, content to the letter. `inoculation` None adds no message and ""
    adds an empty one. `dataset_path` takes other rows than the setting's, for instance its control data. Raises
    UserError, naming file and line, for a row that has a system message already or is malformed.
    """
    source = Path(dataset_path) if dataset_path is not None else setting.get_finetuning_dataset_path()
    path = Path(data_dir) / f"{setting.get_domain_name()}_{_slug(name)}.jsonl"
    lines = [row.line for row in read_rows(source)]
    rows = [
        _inoculated(row, inoculation, f"{source}, line {line}")
        for line, row in zip(lines, read_jsonl(source), strict=True)
    ]
    write_jsonl_if_changed(path, rows)
    return path


def _inoculated(row: dict[str, Any], inoculation: str | None, where: str) -> dict[str, Any]:
    if inoculation is None:
        return row
    if any(message["role"] == "system" for message in row["messages"]):
        raise UserError(f"{where}: the row has a system message already; take it out, or train without an inoculation.")
    return {**row, "messages": [{"role": "system", "content": inoculation}, *row["messages"]]}


def _slug(name: str) -> str:
    """A file name that reads like `name` and differs where it differs."""
    safe = re.sub(r"[^\w.-]+", "-", name).strip("-.")
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
