"""Change people and their organizations."""

import secrets
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from accounts import selectors
from accounts.enums import TokenScope
from accounts.models import Group, GroupMembership, Membership, Organization, Token, User
from accounts.system import (
    PREBUILDS_GROUP_DISPLAY_NAME,
    PREBUILDS_GROUP_NAME,
    PREBUILDS_USER_ID,
)


def ensure_prebuilds_membership(organization_ids: Collection[UUID]) -> int:
    """Make the prebuilds user a member of these organizations and of its group there.

    Only missing rows are inserted: an allowance set by an admin is never touched (semantics.md
    13). One statement when nothing is missing. Returns how many organizations were mended.
    """
    lacking = Organization.objects.filter(pk__in=organization_ids).exclude(
        memberships__user_id=PREBUILDS_USER_ID,
        groups__name=PREBUILDS_GROUP_NAME,
        groups__memberships__user_id=PREBUILDS_USER_ID,
    )
    organizations = list(lacking)
    for organization in organizations:
        _join(organization)
    return len(organizations)


def create_token(
    *, user: User, name: str, scope: TokenScope, expires_at: datetime | None, now: datetime
) -> tuple[Token, str]:
    """Make an API token; return it with its secret, which is shown once and never stored."""
    secret = secrets.token_urlsafe(32)
    token = Token.objects.create(
        user=user,
        name=name,
        scope=scope,
        digest=selectors.digest(secret),
        created_at=now,
        expires_at=expires_at,
    )
    return token, secret


def _join(organization: Organization) -> None:
    Membership.objects.get_or_create(organization=organization, user_id=PREBUILDS_USER_ID)
    group, _ = Group.objects.get_or_create(
        organization=organization,
        name=PREBUILDS_GROUP_NAME,
        defaults={"display_name": PREBUILDS_GROUP_DISPLAY_NAME, "quota_allowance": 0},
    )
    GroupMembership.objects.get_or_create(group=group, user_id=PREBUILDS_USER_ID)
