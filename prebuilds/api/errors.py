"""One shape for every error: {"message", "detail", "validations": [{"field", "detail"}]}."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from accounts.errors import (
    AccountsError,
    Fixed,
    LastOwner,
    NotAllowed,
    Taken,
    TooManyTries,
    WrongCredentials,
)
from prebuilds import outages
from prebuilds.errors import IdempotencyKeyReused, PrebuildsError, TemplateInUse
from templates_app import errors as templates
from templates_app.errors import TemplatesError
from templates_app.parameters import InvalidParameters
from workspaces.errors import (
    BuildInProgress,
    JobEnded,
    KeyNameTaken,
    LeaseLost,
    NameTaken,
    NoDeadline,
    PrebuildHasNoLifecycle,
    PrebuildKeepsItsName,
    QuotaExceeded,
    UnknownAgentToken,
    UnknownDaemon,
    UnknownJob,
    UnknownProvisionerKey,
    WorkspaceDeleted,
    WorkspaceDormant,
    WorkspaceNotRunning,
    WorkspacesError,
)

DOMAIN_ERRORS = (AccountsError, TemplatesError, WorkspacesError, PrebuildsError)
FIELDS = {"ttl_seconds": "ttl_ms"}
"""Where the API says a thing in another unit than the domain."""
STATUS_BY_ERROR: dict[type[Exception], int] = {
    WrongCredentials: status.HTTP_401_UNAUTHORIZED,
    TooManyTries: status.HTTP_429_TOO_MANY_REQUESTS,
    NotAllowed: status.HTTP_403_FORBIDDEN,
    LastOwner: status.HTTP_409_CONFLICT,
    Taken: status.HTTP_409_CONFLICT,
    Fixed: status.HTTP_409_CONFLICT,
    NameTaken: status.HTTP_409_CONFLICT,
    QuotaExceeded: status.HTTP_409_CONFLICT,
    BuildInProgress: status.HTTP_409_CONFLICT,
    JobEnded: status.HTTP_409_CONFLICT,
    WorkspaceDeleted: status.HTTP_410_GONE,
    WorkspaceDormant: status.HTTP_409_CONFLICT,
    WorkspaceNotRunning: status.HTTP_409_CONFLICT,
    NoDeadline: status.HTTP_409_CONFLICT,
    PrebuildHasNoLifecycle: status.HTTP_409_CONFLICT,
    PrebuildKeepsItsName: status.HTTP_409_CONFLICT,
    LeaseLost: status.HTTP_409_CONFLICT,
    UnknownAgentToken: status.HTTP_401_UNAUTHORIZED,
    UnknownProvisionerKey: status.HTTP_401_UNAUTHORIZED,
    UnknownDaemon: status.HTTP_404_NOT_FOUND,
    UnknownJob: status.HTTP_404_NOT_FOUND,
    KeyNameTaken: status.HTTP_409_CONFLICT,
    IdempotencyKeyReused: status.HTTP_409_CONFLICT,
    TemplateInUse: status.HTTP_409_CONFLICT,
    templates.NameTaken: status.HTTP_409_CONFLICT,
    templates.PresetInUse: status.HTTP_409_CONFLICT,
    templates.TemplateDeleted: status.HTTP_410_GONE,
    templates.StaleTemplate: status.HTTP_412_PRECONDITION_FAILED,
    templates.StalePreset: status.HTTP_412_PRECONDITION_FAILED,
}

DETAIL_BY_ERROR: dict[type[Exception], str] = {LeaseLost: "lease_lost"}
"""The word a program tells a refusal by; most have none, as the status suffices."""


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an exception into the one shape; an unexpected one is left to Django (500)."""
    if (ours := _answer_expected(error)) is not None:
        set_rollback()
        return ours
    response = exception_handler(error, context)
    if response is None:
        return None
    answer = body(response.status_code, _message(error))
    for name in ("WWW-Authenticate", "Retry-After"):
        if name in response.headers:
            answer[name] = response.headers[name]
    return answer


def _answer_expected(error: Exception) -> Response | None:
    match error:
        case InvalidParameters():
            problems = [
                {"field": f"rich_parameter_values.{each.field}", "detail": each.detail}
                for each in error.problems
            ]
            return body(400, "The parameter values do not validate.", validations=problems)
        case exceptions.ValidationError():
            return body(400, "Validation failed.", validations=list(_flatten(error.detail)))
        case RequestDataTooBig():
            return body(413, too_large())
        case _ if outages.means_away(error):
            return _ask_for_patience(error)
    return _refuse(error) if isinstance(error, DOMAIN_ERRORS) else None


def body(
    code: int, message: str, *, detail: str = "", validations: list[dict[str, str]] | None = None
) -> Response:
    """Return a response of the one shape."""
    return Response(
        {"message": message, "detail": detail, "validations": validations or []}, status=code
    )


def _refuse(error: Exception) -> Response:
    answer = body(
        STATUS_BY_ERROR.get(type(error), 400),
        str(error) or type(error).__doc__ or "",
        detail=DETAIL_BY_ERROR.get(type(error), ""),
        validations=_at_field(error),
    )
    if isinstance(error, TooManyTries):
        answer["Retry-After"] = str(error.retry_after)
    return answer


def _ask_for_patience(error: Exception) -> Response:
    """Answer while the database is away, or cut the request off; a later one may succeed."""
    answer = body(503, outages.WORDS)
    answer["Retry-After"] = str(outages.RETRY_SECONDS)
    outages.note(error, answer)
    return answer


def too_large() -> str:
    """Return what somebody reads whose body is not read."""
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return f"The body is larger than {limit} bytes. Send less at once."


def _message(error: Exception) -> str:
    if isinstance(error, Http404):
        return "Resource not found or you do not have access to it."
    if isinstance(error, PermissionDenied):
        return "You are not allowed to do this."
    return str(getattr(error, "detail", error))


def _at_field(error: Exception) -> list[dict[str, str]]:
    """Return the inputs a domain error names, if it names any."""
    if isinstance(error, templates.InvalidInput):
        return [{"field": field, "detail": detail} for field, detail in error.problems]
    field = getattr(error, "field", "")
    detail = getattr(error, "detail", "") or str(error)
    return [{"field": FIELDS.get(field, field), "detail": detail}] if field else []


def _flatten(detail: Any, field: str = "") -> Iterator[dict[str, str]]:
    """Yield one validation per message, the field's name dotted from the outside in.

    What is wrong inside a list is named by its place: `rich_parameter_values.0.name`.
    """
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _flatten(inner, f"{field}.{name}" if field else str(name))
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            yield from _flatten(inner, f"{field}.{place}" if isinstance(inner, dict) else field)
    else:
        yield {"field": field, "detail": str(detail)}
