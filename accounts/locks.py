"""Every statement of this package that takes a row lock.

Order: users, organization, group, memberships.

Callers hold a transaction; without one Django raises.
"""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q

from accounts.enums import SiteRole
from accounts.models import Group, Membership, Organization, User


def lock_user_and_owners(user_id: UUID) -> tuple[User, list[User]]:
    """Lock a person and all active owners; return the person, and the owners besides them.

    Two owners who suspend each other wait here, and the second finds that they are the last.
    """
    owner = Q(roles__contains=[SiteRole.OWNER], is_active=True)
    found = User.objects.select_for_update().filter(Q(pk=user_id) | owner).order_by("pk")
    rows = {row.pk: row for row in found}
    return rows.pop(user_id), list(rows.values())


def lock_user(user_id: UUID) -> User:
    """Lock a person."""
    return User.objects.select_for_update().get(pk=user_id)


def lock_organization(organization_id: UUID) -> Organization:
    """Lock an organization."""
    return Organization.objects.select_for_update().get(pk=organization_id)


def lock_members(*, organization_id: UUID, user_ids: Collection[UUID]) -> list[Membership]:
    """Lock the memberships these people have there; who has none is left out."""
    return list(
        Membership.objects.select_for_update(of=("self",))
        .filter(organization_id=organization_id, user_id__in=user_ids, user__is_system=False)
        .select_related("user", "organization")
        .order_by("pk")
    )


def lock_group(group_id: UUID) -> Group:
    """Lock a group."""
    return (
        Group.objects.select_for_update(of=("self",))
        .select_related("organization")
        .get(pk=group_id)
    )
