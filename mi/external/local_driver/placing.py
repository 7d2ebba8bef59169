"""Where a model lies and in which precision, and what is told when there is no room, no GPU or no driver for it."""

import functools
import os
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from mi.utils.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")

_DEVICES = ("cpu", "cuda")
_PRECISIONS = ("float32", "bfloat16", "float16")


def device() -> str:
    """ "cuda" or "cpu": MI_DEVICE, or the GPU where there is one that works.

    Raises UserError for a GPU that is named and is not there, and for one whose driver is too old: a model that lands
    on the processor for that reason would take days without a word.
    """
    named = os.environ.get("MI_DEVICE") or None
    if named not in (None, *_DEVICES):
        raise UserError(f"MI_DEVICE is {named!r}; give cpu or cuda, or leave it out to take a GPU where there is one.")
    if named == "cpu":
        return "cpu"
    there, trouble = _gpu()
    if "driver" in trouble and ("too old" in trouble or "insufficient" in trouble):
        raise UserError(
            "the NVIDIA driver of this machine is too old for the torch that is installed; update the driver, install "
            "a torch that was built for its CUDA, or set MI_DEVICE=cpu."
        )
    if named == "cuda" and not there:
        import torch

        built = "" if torch.version.cuda else f" (torch {torch.__version__} is built without CUDA)"
        raise UserError(f"MI_DEVICE is cuda and torch finds no GPU here{built}; set MI_DEVICE=cpu or leave it out.")
    return "cuda" if there else "cpu"


@functools.cache
def _gpu() -> tuple[bool, str]:
    """Whether torch can use a GPU, and what it said while it looked, which it says once."""
    import torch

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            there = torch.cuda.is_available()
        except RuntimeError as error:
            return False, str(error)
    return there, " ".join(str(warning.message) for warning in said)


def placement() -> dict[str, Any]:
    """How `from_pretrained` is to place a model: 32-bit on a processor; on a GPU in the precision of its file.

    MI_PRECISION (float32, bfloat16 or float16) is used instead where it is set.
    """
    import torch

    named = os.environ.get("MI_PRECISION") or None
    if named not in (None, *_PRECISIONS):
        raise UserError(f"MI_PRECISION is {named!r}; give {', '.join(_PRECISIONS)}, or leave it out.")
    if device() == "cuda":
        return {"dtype": getattr(torch, named) if named else "auto", "device_map": {"": 0}}
    return {"dtype": getattr(torch, named or "float32")}


def tells_shortage(what: str, mend: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: where the memory of the GPU or of the machine is used up, one sentence says so, with the mend."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def told(*given: P.args, **named: P.kwargs) -> R:
            try:
                return function(*given, **named)
            except (MemoryError, RuntimeError) as error:
                if not is_shortage(error):
                    raise
                raise UserError(f"memory ran out while {what} ({_first_line(error)}); {mend}.") from error

        return told

    return decorate


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that memory is used up: torch's own on a GPU, the allocator's on a processor."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or any(
        said in words for said in ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
    )


def _first_line(error: BaseException) -> str:
    """The first sentence of what a library said, for torch goes on for a page."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].partition(". ")[0].rstrip(".")
