"""What the endpoints share: the server behind a request, and pages of lists."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query, Request

from mi.serve.context import Context
from mi.serve.errors import invalid

T = TypeVar("T")


def context_of(request: Request) -> Context:
    """The running server."""
    return request.app.state.context


Server = Annotated[Context, Depends(context_of)]
After = Annotated[str | None, Query(max_length=256)]


def behind(after: str | None, find: Callable[[], T]) -> T:
    """What `find` finds. Raises ApiError (400) where the object called `after` is not there."""
    try:
        return find()
    except KeyError as error:
        raise invalid(f"there is no {after} to go on behind; take the last id of the page before.", "after") from error


Json = dict[str, Any]
