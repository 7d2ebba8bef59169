"""Examining a family or a model that one names, with a small copy of it or with its own weights."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mi.external.local_driver.families import building, formats
from mi.external.local_driver.families.data_models import Examined, Family, Finding
from mi.external.local_driver.hub import folder_of
from mi.utils.errors import UserError


def examine_family(family: Family, weights: bool = True) -> Examined:
    """What holds for a small copy of a family; without `weights` what its format alone tells."""
    found = formats.examine_format(building.tokenizer_of(family))
    if weights:
        found += _weighed(lambda folder, precision: building.write_family(family, folder, precision))
    return Examined(family.title, family.example, found)


def examine_model(model_id: str, weights: bool = True) -> Examined:
    """What holds for a real model: its own tokenizer and template, and a small copy of its own configuration.

    Only its small files are fetched. Raises UserError for a model that is not there or has no chat template.
    """
    folder = folder_of(model_id, weights=False)
    found = formats.examine_format(_tokenizer(folder, model_id))
    if weights:
        found += _weighed(lambda into, precision: building.write_small_copy(folder, into, precision))
    return Examined(model_id, model_id, found)


def _weighed(write: Callable[[Path, str], Path]) -> tuple[Finding, ...]:
    from mi.external.local_driver.families.weighing import examine_weights

    folder = Path(tempfile.mkdtemp(prefix="mi-family-"))
    try:
        return examine_weights(write, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tokenizer(folder: Path, model_id: str) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder))
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(f"{model_id}: its tokenizer cannot be read ({reason}); restore its files.") from error
