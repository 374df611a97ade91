"""Who is using the admin: the person, and the actor the audit log names."""

from typing import cast

from django.http import HttpRequest

from accounts import audit
from accounts.audit import Actor
from accounts.enums import AuditSource
from accounts.models import User


def viewer_of(request: HttpRequest) -> User:
    """Return who is signed in; the admin lets nobody else in."""
    return cast("User", request.user)


def actor_of(request: HttpRequest) -> Actor:
    """Return who acts through the admin, for the audit log."""
    return audit.actor_at(request.META, user=viewer_of(request), source=AuditSource.ADMIN)
