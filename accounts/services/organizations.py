"""Organizations and who is in them, with which roles; and the prebuilds user's place there."""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from accounts import audit, locks, policy
from accounts.audit import Actor
from accounts.enums import OrganizationRole
from accounts.errors import NotAllowed, NotAMember, OneselfNot, Taken
from accounts.models import Group, GroupMembership, Membership, Organization, User
from accounts.system import (
    PREBUILDS_GROUP_DISPLAY_NAME,
    PREBUILDS_GROUP_NAME,
    PREBUILDS_USER_ID,
)

logger = logging.getLogger(__name__)


def create_organization(
    *, name: str, display_name: str, actor: Actor, now: datetime
) -> Organization:
    """Make an organization; who makes it administers it. Raises Taken."""
    organization = Organization(name=name, display_name=display_name, created_at=now)
    with transaction.atomic():
        _save(organization, insert=True)
        if actor.user is not None:
            Membership.objects.create(
                organization=organization,
                user=actor.user,
                roles=[OrganizationRole.ADMIN],
                created_at=now,
            )
        after = _facts_of(organization)
        audit.record(actor=actor, action="create", target=organization, now=now, after=after)
    return organization


def update_organization(
    *,
    organization_id: UUID,
    name: str | None = None,
    display_name: str | None = None,
    actor: Actor,
    now: datetime,
    check: Callable[[Organization], None] = lambda _: None,
) -> Organization:
    """Rename an organization; None leaves as it is. Raises Taken.

    `check` sees the row, locked, before anything changes; what it raises undoes the call.
    """
    with transaction.atomic():
        organization = locks.lock_organization(organization_id)
        check(organization)
        before = _facts_of(organization)
        organization.name = organization.name if name is None else name
        if display_name is not None:
            organization.display_name = display_name
        _save(organization)
        audit.record_change(
            actor=actor,
            action="update",
            target=organization,
            before=before,
            after=_facts_of(organization),
            now=now,
        )
    return organization


def add_member(
    *, organization: Organization, user: User, actor: Actor, now: datetime
) -> Membership:
    """Make a person a member, without roles. Raises Taken when they are one already."""
    with transaction.atomic():
        membership, is_new = Membership.objects.get_or_create(
            organization=organization, user=user, defaults={"created_at": now}
        )
        if not is_new:
            raise Taken(field="user", value=user.username)
        audit.record(actor=actor, action="add", target=membership, now=now)
    return membership


def remove_member(*, organization_id: UUID, user_id: UUID, actor: Actor, now: datetime) -> None:
    """End a membership, and with it those in the organization's groups.

    Raises NotAMember, and NotAllowed for roles above the actor's.
    """
    with transaction.atomic():
        membership = _locked_member(organization_id, user_id)
        _check_rank(actor, membership, ())
        GroupMembership.objects.filter(
            group__organization_id=organization_id, user_id=user_id
        ).delete()
        audit.record(
            actor=actor,
            action="remove",
            target=membership,
            now=now,
            before={"roles": membership.roles},
        )
        membership.delete()


def set_member_roles(
    *,
    organization_id: UUID,
    user_id: UUID,
    roles: Sequence[str],
    actor: Actor,
    now: datetime,
    check: Callable[[Membership], None] = lambda _: None,
) -> Membership:
    """Give a member exactly these roles there; `check` is as in `update_organization`.

    Raises NotAMember, OneselfNot, and NotAllowed for roles above the actor's, given or taken.
    """
    with transaction.atomic():
        membership = _locked_member(organization_id, user_id)
        check(membership)
        if actor.user == membership.user:
            raise OneselfNot("Nobody changes their own roles. Ask another administrator.")
        _check_rank(actor, membership, roles)
        before, membership.roles = membership.roles, sorted(set(roles))
        membership.save(update_fields=["roles"])
        audit.record_change(
            actor=actor,
            action="set_roles",
            target=membership,
            before={"roles": before},
            after={"roles": membership.roles},
            now=now,
        )
    return membership


def _locked_member(organization_id: UUID, user_id: UUID) -> Membership:
    found = locks.lock_members(organization_id=organization_id, user_ids=[user_id])
    if not found:
        raise NotAMember
    return found[0]


def _check_rank(actor: Actor, membership: Membership, roles: Sequence[str]) -> None:
    """Raise NotAllowed when a role that comes or goes allows more than the actor may do."""
    if actor.user is None:
        return
    place = membership.organization_id
    above = (set(membership.roles) ^ set(roles)) - set(
        policy.grantable_roles(actor.user, organization_id=place)
    )
    if above:
        raise NotAllowed(
            f"You can neither give nor take {', '.join(sorted(above))}: "
            "it allows more than you may do.",
            field="roles",
        )


def _save(organization: Organization, *, insert: bool = False) -> None:
    try:
        with transaction.atomic():
            organization.save(force_insert=insert)
    except IntegrityError as error:
        if "organization_name_unique" in str(error):
            raise Taken(field="name", value=organization.name) from error
        raise


def _facts_of(organization: Organization) -> dict[str, Any]:
    return {"name": organization.name, "display_name": organization.display_name}


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
