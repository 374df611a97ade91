"""What a person may spend: the daily cost of their live workspaces within their groups' allowances.

Cost 0 never counts (semantics.md 13). Prebuilds are not checked here: theirs are held back.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Sum

from accounts.models import Group
from workspaces import locks
from workspaces.errors import QuotaExceeded
from workspaces.models import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Daily cost: what live workspaces use, and what all groups together allow."""

    consumed: int
    budget: int


def check_quota(
    *, owner_id: UUID, organization_id: UUID, cost: int, instead_of: UUID | None = None
) -> None:
    """Raise QuotaExceeded when a build of this daily cost is more than the owner may spend.

    `instead_of` is the owner's workspace that is built anew: what it costs now does not count
    twice. Locks the owner's membership, so that two builds at once cannot share one remainder.
    """
    if cost <= 0:
        return
    locks.lock_membership(owner_id=owner_id, organization_id=organization_id)
    allowance = _allowance(owner_id, organization_id)
    used = _used(owner_id, organization_id, instead_of)
    if used + cost > allowance:
        raise QuotaExceeded(cost=cost, used=used, allowance=allowance)


def quota_of(*, owner_id: UUID, organization_id: UUID) -> Quota:
    """Return what a person has spent of their allowance in an organization; two statements."""
    return Quota(
        consumed=_used(owner_id, organization_id, None),
        budget=_allowance(owner_id, organization_id),
    )


def _allowance(owner_id: UUID, organization_id: UUID) -> int:
    groups = Group.objects.filter(organization_id=organization_id, members=owner_id)
    return int(groups.aggregate(total=Sum("quota_allowance", default=0))["total"])


def _used(owner_id: UUID, organization_id: UUID, without: UUID | None) -> int:
    workspaces = Workspace.objects.filter(
        owner_id=owner_id, organization_id=organization_id, deleted_at__isnull=True
    )
    if without is not None:
        workspaces = workspaces.exclude(pk=without)
    return int(workspaces.aggregate(total=Sum("latest_build__daily_cost", default=0))["total"])
