"""Reading training files, checked; the catalogue of published sets will stand here."""

from pathlib import Path

from mi.llm.rows import TrainingRow, read_rows


def read_training_rows(path: Path | str) -> list[TrainingRow]:
    """All rows of a training file with their line numbers.

    Raises UserError, naming the file and the line, for whatever cannot be trained on; see `mi.llm.rows.read_rows`.
    """
    return read_rows(path)
