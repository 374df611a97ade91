"""Tables of people: who they are, how they get in, and what they changed."""

from accounts.models.access import RequestCount, SignInTries, Token
from accounts.models.audit import AuditEntry
from accounts.models.people import (
    Group,
    GroupMembership,
    Membership,
    Organization,
    User,
    UserManager,
    UserQuerySet,
)

__all__ = [
    "AuditEntry",
    "Group",
    "GroupMembership",
    "Membership",
    "Organization",
    "RequestCount",
    "SignInTries",
    "Token",
    "User",
    "UserManager",
    "UserQuerySet",
]
