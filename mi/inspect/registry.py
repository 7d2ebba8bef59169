"""What Inspect finds by the entry point: the provider `mi`, and a task for each evaluation.

Inspect imports this file; anybody else's import registers nothing and loads nothing.
"""
# Inspect is an extra.
# pyright: reportMissingImports=false

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspect_ai import Task

_PACKAGE = "mi/"


def register() -> None:
    """Register the provider and the tasks with Inspect; a second time changes nothing."""
    from inspect_ai.model import modelapi

    from mi.evaluation.known import EVALUATIONS

    @modelapi(name="mi")
    def mi() -> Any:
        from mi.inspect.provider import model_api

        return model_api()

    for name in EVALUATIONS:
        _as_task(name, _maker(name))

    def evaluation(name: str, judge: str | None = None) -> Task:
        return _made(name, judge)

    _as_task("evaluation", evaluation)


def _maker(name: str) -> Callable[..., Task]:
    def make(judge: str | None = None) -> Task:
        return _made(name, judge)

    return make


def _made(name: str, judge: str | None) -> Task:
    from mi.inspect.catalogue import evaluation_named
    from mi.inspect.tasks import task_of

    return task_of(evaluation_named(name, judge))


def _as_task(name: str, make: Callable[..., Task]) -> None:
    """Register under mi/NAME: Inspect adds the package's name itself only to what lies in site-packages."""
    from inspect_ai import task
    from inspect_ai.util import registry_info

    made = task(name=name)(make)
    if not registry_info(made).name.startswith(_PACKAGE):
        task(name=f"{_PACKAGE}{name}")(make)


if "inspect_ai" in sys.modules:
    register()
