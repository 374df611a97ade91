"""Every statement of this package that takes a row lock.

Order: users, organization, group, memberships. Sign-in tries are locked alone, by key.

Callers hold a transaction; without one Django raises.
"""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q

from accounts.enums import SiteRole
from accounts.models import Group, Membership, Organization, RequestCount, SignInTries, User


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


LOCK_TRIES = """
INSERT INTO accounts_signintries AS known (key, failures)
SELECT key, 0 FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (key, place) ORDER BY place
ON CONFLICT (key) DO UPDATE SET failures = known.failures
RETURNING key, failures, last_failed_at, waits_until
"""


def lock_tries(keys: Collection[str]) -> dict[str, SignInTries]:
    """Lock the counts of these keys, made where there are none, by key.

    In one statement: a count that another process deletes meanwhile is made anew.
    """
    rows = SignInTries.objects.raw(LOCK_TRIES, [sorted(keys)])
    return {row.pk: row for row in rows}


COUNT_REQUESTS = """
INSERT INTO accounts_requestcount AS known (key, minute, count) VALUES (%s, %s, %s)
ON CONFLICT (key) DO UPDATE SET count = known.count + EXCLUDED.count
RETURNING key, minute, count
"""


def count_requests(key: str, minute: int, number: int) -> int:
    """Add to a count, made when there is none, and return what it is now.

    Outside any transaction: the row is locked for as long as this one statement takes.
    """
    return RequestCount.objects.raw(COUNT_REQUESTS, [key, minute, number])[0].count
