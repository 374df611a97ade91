"""Change people and their organizations."""

import logging
import secrets
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts import selectors
from accounts.enums import TokenScope
from accounts.models import Group, GroupMembership, Membership, Organization, Token, User
from accounts.system import (
    PREBUILDS_GROUP_DISPLAY_NAME,
    PREBUILDS_GROUP_NAME,
    PREBUILDS_USER_ID,
)

logger = logging.getLogger(__name__)


def ensure_prebuilds_membership(organization_ids: Collection[UUID]) -> dict[UUID, str]:
    """Make the prebuilds user a member of these organizations and of its group there.

    Only missing rows are inserted: an allowance set by an admin is never touched (semantics.md
    13). One statement when nothing is missing. Returns the organizations that could not be
    mended, each with the error: one does not stand in the way of the others.
    """
    failed: dict[UUID, str] = {}
    for organization in _lacking(organization_ids):
        try:
            with transaction.atomic():
                _join(organization)
        except Exception as error:
            logger.exception("membership failed", extra={"organization": str(organization.pk)})
            failed[organization.pk] = f"{type(error).__name__}: {error}"
    return failed


def _lacking(organization_ids: Collection[UUID]) -> list[Organization]:
    """Return those of the organizations where the prebuilds user or its group is missing."""
    member = Membership.objects.filter(organization=OuterRef("pk"), user_id=PREBUILDS_USER_ID)
    in_group = GroupMembership.objects.filter(
        group__organization=OuterRef("pk"),
        group__name__iexact=PREBUILDS_GROUP_NAME,
        user_id=PREBUILDS_USER_ID,
    )
    organizations = Organization.objects.filter(pk__in=organization_ids)
    return list(organizations.exclude(Exists(member) & Exists(in_group)))


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
        name__iexact=PREBUILDS_GROUP_NAME,
        defaults={
            "name": PREBUILDS_GROUP_NAME,
            "display_name": PREBUILDS_GROUP_DISPLAY_NAME,
            "quota_allowance": 0,
        },
    )
    GroupMembership.objects.get_or_create(group=group, user_id=PREBUILDS_USER_ID)
