"""Making training files: the rows of a setting behind an inoculation prompt."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from mi.datasets.transformations import Inoculation, inoculate
from mi.experiments.settings.data_models import Setting
from mi.llm.rows import read_rows
from mi.utils.hashing import digest
from mi.utils.jsonl import read_jsonl, write_jsonl_if_changed

Inoculations = str | Inoculation | Sequence[Inoculation] | None
"""A system prompt for every row, or what stands where in which rows; None for nothing."""


def create_inoculated_dataset(
    setting: Setting,
    data_dir: Path | str,
    name: str,
    inoculation: Inoculations,
    dataset_path: Path | str | None = None,
) -> Path:
    """Write the setting's fine-tuning rows with `inoculation` as a system message in front of each; return the path.

    Nothing else is touched: same rows, same order, content to the letter. `inoculation` None adds no message and ""
    adds an empty one; an `Inoculation`, or several for several traits, says more. `dataset_path` takes other rows
    than the setting's, for instance its control data. Raises UserError, naming file and line, for a row that has a
    system message already or is malformed.
    """
    source = Path(dataset_path) if dataset_path is not None else setting.get_finetuning_dataset_path()
    where = [f"{source}, line {row.line}" for row in read_rows(source)]
    rows = read_jsonl(source)
    # Rows that are not the setting's own have a file of their own: the control data never replace the fine-tuning data.
    of = f"_of_{_slug(source.stem)}_{digest(rows)[:8]}" if dataset_path is not None else ""
    path = Path(data_dir) / f"{setting.get_domain_name()}_{_slug(name)}{of}.jsonl"
    write_jsonl_if_changed(path, inoculate(rows, *as_inoculations(inoculation), where=where))
    return path


def as_inoculations(inoculation: Inoculations) -> tuple[Inoculation, ...]:
    """What is meant by a prompt, an inoculation, several or None."""
    if inoculation is None:
        return ()
    if isinstance(inoculation, str):
        return (Inoculation((inoculation,)),)
    return (inoculation,) if isinstance(inoculation, Inoculation) else tuple(inoculation)


def _slug(name: str) -> str:
    """A file name that reads like `name` and differs where it differs."""
    safe = re.sub(r"[^\w.-]+", "-", name).strip("-.")
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
