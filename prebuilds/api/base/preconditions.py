"""Two people editing: the second is told, and nothing is lost (RFC 9110, 13.1.1)."""

from collections.abc import Callable
from typing import TypeVar

from rest_framework import exceptions, status
from rest_framework.request import Request

Row = TypeVar("Row")
Mark = TypeVar("Mark")


class PreconditionFailed(exceptions.APIException):
    """Somebody changed it in between."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = (
        "Somebody else changed this since you read it. Read it again and repeat your change."
    )


class PreconditionRequired(exceptions.APIException):
    """The edit does not say which state it was made on."""

    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_detail = (
        "Send the ETag you got when you read this as If-Match, so that nobody's change is lost "
        '("*" overwrites whatever is there).'
    )


def etag(mark: object) -> str:
    """Return the entity tag of a state; `mark` changes whenever the state does."""
    return f'"{mark}"'


def check_if_match(request: Request, current: str, *, required: bool = False) -> None:
    """Raise PreconditionFailed unless If-Match names the current state.

    Without the header an edit goes through, or raises PreconditionRequired if it is `required`.
    """
    given = request.headers.get("If-Match")
    if given is None:
        if required:
            raise PreconditionRequired
        return
    named = {tag.strip() for tag in given.split(",")}
    if "*" not in named and current not in named:
        raise PreconditionFailed


def if_match(request: Request, mark_of: Callable[[Row], str]) -> Callable[[Row], None]:
    """Return the check a service makes of the row it has locked, so that no edit slips between."""
    return lambda row: check_if_match(request, etag(mark_of(row)))


def tied_to(request: Request, mark: Mark, *, required: bool = False) -> Mark | None:
    """Return `mark`, the state just read, when If-Match names it; None when it ties to no state.

    The service compares again under the row lock. Raises as `check_if_match` does.
    """
    check_if_match(request, etag(mark), required=required)
    return None if request.headers.get("If-Match", "*").strip() == "*" else mark
