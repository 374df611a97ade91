"""Groups: their allowance, and who shares it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts import audit, locks
from accounts.audit import Actor
from accounts.errors import Fixed, NotAMember, Taken
from accounts.models import Group, GroupMembership, Organization
from accounts.system import PREBUILDS_GROUP_NAME, PREBUILDS_USER_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChange:
    """What is to change of a group; None leaves as it is."""

    name: str | None = None
    display_name: str | None = None
    quota_allowance: int | None = None
    add_users: Collection[UUID] = ()
    remove_users: Collection[UUID] = ()


def create_group(
    *,
    organization: Organization,
    name: str,
    display_name: str,
    quota_allowance: int,
    actor: Actor,
    now: datetime,
) -> Group:
    """Make a group without members. Raises Taken."""
    group = Group(
        organization=organization,
        name=name,
        display_name=display_name,
        quota_allowance=quota_allowance,
    )
    with transaction.atomic():
        _save(group, insert=True)
        audit.record(actor=actor, action="create", target=group, now=now, after=_facts_of(group))
    return group


def update_group(
    *,
    group_id: UUID,
    change: GroupChange,
    actor: Actor,
    now: datetime,
    check: Callable[[Group], None] = lambda _: None,
) -> Group:
    """Change a group and who is in it. Raises Taken, NotAMember, Fixed.

    `check` sees the row, locked, before anything changes; what it raises undoes the call.
    """
    with transaction.atomic():
        group = locks.lock_group(group_id)
        check(group)
        before = _facts_of(group)
        _apply(group, change)
        _save(group)
        moved = _add(group, change.add_users) | _remove(group, change.remove_users)
        audit.record_change(
            actor=actor,
            action="update",
            target=group,
            before=before,
            after=_facts_of(group) | moved,
            now=now,
        )
    return group


def delete_group(
    *, group_id: UUID, actor: Actor, now: datetime, check: Callable[[Group], None] = lambda _: None
) -> None:
    """Delete a group; its members lose its allowance. Raises Fixed."""
    with transaction.atomic():
        group = locks.lock_group(group_id)
        check(group)
        if is_fixed(group):
            raise Fixed
        audit.record(actor=actor, action="delete", target=group, now=now, before=_facts_of(group))
        group.delete()


def is_fixed(group: Group) -> bool:
    """Return whether this is the prebuilds user's own group, as it is stored."""
    return group.name.lower() == PREBUILDS_GROUP_NAME


def _apply(group: Group, change: GroupChange) -> None:
    if change.name is not None and change.name != group.name:
        if is_fixed(group):
            raise Fixed(field="name")
        group.name = change.name
    if change.display_name is not None:
        group.display_name = change.display_name
    if change.quota_allowance is not None:
        group.quota_allowance = change.quota_allowance


def _add(group: Group, user_ids: Collection[UUID]) -> dict[str, Any]:
    """Put people in; they must be members of the organization, and stay so while we do."""
    if not user_ids:
        return {}
    members = locks.lock_members(organization_id=group.organization_id, user_ids=user_ids)
    unknown = sorted(str(one) for one in set(user_ids) - {one.user_id for one in members})
    if unknown:
        raise NotAMember(
            f"{unknown[0]} is not a member of {group.organization}. Add them there first.",
            field="add_users",
        )
    present = set(group.memberships.values_list("user_id", flat=True))
    new = [one.user for one in members if one.user_id not in present]
    GroupMembership.objects.bulk_create(GroupMembership(group=group, user=one) for one in new)
    return {"added": sorted(one.username for one in new)} if new else {}


def _remove(group: Group, user_ids: Collection[UUID]) -> dict[str, Any]:
    """Take people out; who is not in it is no error: the wish is met."""
    if not user_ids:
        return {}
    if PREBUILDS_USER_ID in user_ids:
        raise Fixed(field="remove_users")
    rows = group.memberships.filter(user_id__in=user_ids).select_related("user")
    gone = sorted(one.user.username for one in rows)
    rows.delete()
    return {"removed": gone} if gone else {}


def _save(group: Group, *, insert: bool = False) -> None:
    try:
        with transaction.atomic():
            group.save(force_insert=insert)
    except IntegrityError as error:
        if "group_name_unique" in str(error):
            raise Taken(field="name", value=group.name) from error
        raise


def _facts_of(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "display_name": group.display_name,
        "quota_allowance": group.quota_allowance,
    }
