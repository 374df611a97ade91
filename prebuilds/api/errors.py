"""One shape for every error: {"message", "detail", "validations": [{"field", "detail"}]}."""

import logging
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from accounts.errors import AccountsError
from prebuilds.errors import PrebuildsError
from templates_app.errors import TemplatesError
from templates_app.parameters import InvalidParameters
from workspaces.errors import (
    BuildInProgress,
    LeaseLost,
    NameTaken,
    QuotaExceeded,
    UnknownAgentToken,
    WorkspaceDeleted,
    WorkspacesError,
)

logger = logging.getLogger(__name__)

DOMAIN_ERRORS = (AccountsError, TemplatesError, WorkspacesError, PrebuildsError)
STATUS_BY_ERROR: dict[type[Exception], int] = {
    NameTaken: status.HTTP_409_CONFLICT,
    QuotaExceeded: status.HTTP_409_CONFLICT,
    BuildInProgress: status.HTTP_409_CONFLICT,
    WorkspaceDeleted: status.HTTP_410_GONE,
    LeaseLost: status.HTTP_409_CONFLICT,
    UnknownAgentToken: status.HTTP_401_UNAUTHORIZED,
}


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an exception into the one shape; an unexpected one is left to Django (500)."""
    if isinstance(error, InvalidParameters):
        set_rollback()
        problems = [
            {"field": f"rich_parameter_values.{each.field}", "detail": each.detail}
            for each in error.problems
        ]
        return body(400, "The parameter values do not validate.", validations=problems)
    if isinstance(error, DOMAIN_ERRORS):
        set_rollback()
        return body(STATUS_BY_ERROR.get(type(error), 400), str(error) or type(error).__doc__ or "")
    if isinstance(error, exceptions.ValidationError):
        set_rollback()
        return body(400, "Validation failed.", validations=list(_flatten(error.detail)))
    response = exception_handler(error, context)
    if response is None:
        return None
    answer = body(response.status_code, _message(error))
    for name in ("WWW-Authenticate", "Retry-After"):
        if name in response.headers:
            answer[name] = response.headers[name]
    return answer


def body(
    code: int, message: str, *, detail: str = "", validations: list[dict[str, str]] | None = None
) -> Response:
    """Return a response of the one shape."""
    return Response(
        {"message": message, "detail": detail, "validations": validations or []}, status=code
    )


def _message(error: Exception) -> str:
    if isinstance(error, Http404):
        return "Resource not found or you do not have access to it."
    if isinstance(error, PermissionDenied):
        return "You are not allowed to do this."
    return str(getattr(error, "detail", error))


def _flatten(detail: Any, field: str = "") -> Iterator[dict[str, str]]:
    """Yield one validation per message, the field's name dotted from the outside in."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _flatten(inner, f"{field}.{name}" if field else str(name))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _flatten(inner, field)
    else:
        yield {"field": field, "detail": str(detail)}
