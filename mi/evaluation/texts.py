"""The questions, criteria and labelled examples that lie beside an evaluation, as TOML."""

from typing import Any

from mi.evaluation.data_models import EvaluationContext
from mi.utils.toml import packaged_toml


def texts(folder: str, file: str) -> dict[str, Any]:
    """The tables of `mi/evaluation/<folder>/<file>.toml`; not to be changed."""
    return packaged_toml("mi.evaluation", f"{folder}/{file}.toml")


def asked(folder: str, table: str) -> tuple[EvaluationContext, ...]:
    """The questions of one table of an evaluation's questions.toml, in their order.

    A question is a text, or an object with a text and the `expected` response that its scorer looks for.
    """
    return tuple(_context(question) for question in texts(folder, "questions")[table])


def _context(question: str | dict[str, str]) -> EvaluationContext:
    if isinstance(question, str):
        return EvaluationContext(question)
    return EvaluationContext(question["text"], expected_response=question["expected"])
