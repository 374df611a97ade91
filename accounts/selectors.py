"""Fetch people. No writes."""

from datetime import datetime
from hashlib import sha256

from django.db.models import Q, QuerySet

from accounts.errors import InvalidToken
from accounts.models import Group, Membership, Organization, Token, User


def find_token(secret: str, *, now: datetime) -> Token:
    """Return the live token with this secret, with its user. Raises InvalidToken."""
    token = live_tokens(now=now).filter(digest=digest(secret)).first()
    if token is None:
        raise InvalidToken(InvalidToken.__doc__)
    return token


def live_tokens(*, now: datetime) -> QuerySet[Token]:
    """Return the tokens that let somebody in, with their users."""
    rows = Token.objects.select_related("user").filter(revoked_at__isnull=True)
    return rows.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), user__is_active=True)


def digest(secret: str) -> bytes:
    """Return what is stored instead of a token's secret; 256 random bits need no salt."""
    return sha256(secret.encode()).digest()


def username_of_email(email: str) -> str:
    """Return who signs in with this address; empty when nobody does."""
    return User.objects.filter(email__iexact=email).values_list("username", flat=True).first() or ""


def mark_of_user(user: User) -> str:
    """Return a mark that changes with whatever can be edited of a person."""
    return _mark(user.username, user.name, user.email, str(user.is_active), *sorted(user.roles))


def mark_of_membership(membership: Membership) -> str:
    """Return a mark that changes with the roles of a member."""
    return _mark(str(membership.pk), *sorted(membership.roles))


def mark_of_organization(organization: Organization) -> str:
    """Return a mark that changes with whatever can be edited of an organization."""
    return _mark(organization.name, organization.display_name)


def mark_of_group(group: Group) -> str:
    """Return a mark that changes with whatever can be edited of a group, its members included."""
    members = sorted(str(one.pk) for one in group.members.all())
    return _mark(group.name, group.display_name, str(group.quota_allowance), *members)


def _mark(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:32]
