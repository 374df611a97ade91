"""What the pages of organizations read, each within what the viewer may know of."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Prefetch, Q, QuerySet

from accounts import policy
from accounts.models import Group, Membership, Organization, User
from accounts.policy import Action, Resource
from accounts.system import PREBUILDS_USER_ID
from prebuilds.dashboard.people.queries import readable_memberships, readable_organizations
from workspaces.models import Workspace
from workspaces.models.workspace import IS_LIVE

PEOPLE = Q(memberships__user__is_system=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """What somebody has in an organization that a removal would touch."""

    groups: int
    workspaces: int


def list_organizations(viewer: User) -> QuerySet[Organization]:
    """Return the organizations the viewer may read, with how many people and groups each has."""
    return readable_organizations(viewer).annotate(
        people=Count("memberships", filter=PEOPLE, distinct=True),
        group_count=Count("groups", distinct=True),
    )


def list_members(organization: Organization, viewer: User, *, text: str) -> QuerySet[Membership]:
    """Return the members the viewer may know of, by name: at least themselves."""
    rows = readable_memberships(viewer).filter(organization=organization, user__is_system=False)
    if not may(viewer, Action.READ, Resource.ORGANIZATION_MEMBER, organization):
        rows = rows.filter(user=viewer)
    if text:
        rows = rows.filter(Q(user__username__icontains=text) | Q(user__name__icontains=text))
    return rows.select_related("user").order_by("user__username")


def list_groups(organization: Organization) -> QuerySet[Group]:
    """Return the organization's groups with how many are in each, by name."""
    rows = Group.objects.filter(organization=organization)
    people = Count("members", filter=Q(members__is_system=False))
    has_prebuilds = Count("members", filter=Q(members=PREBUILDS_USER_ID))
    return rows.annotate(people=people, prebuilds=has_prebuilds).order_by("name")


def find_group(group_id: UUID) -> Group | None:
    """Return a group with its organization and its people, by name."""
    people = Prefetch("members", User.objects.order_by("username"))
    rows = Group.objects.select_related("organization").prefetch_related(people)
    return rows.filter(pk=group_id).first()


def stake_of(membership: Membership) -> Stake:
    """Return how many groups and live workspaces a member has there; two statements."""
    where = {"organization_id": membership.organization_id}
    groups = Group.objects.filter(**where, members=membership.user_id)
    workspaces = Workspace.objects.filter(IS_LIVE, **where, owner_id=membership.user_id)
    return Stake(groups=groups.count(), workspaces=workspaces.count())


def may(viewer: User, action: Action, resource: Resource, organization: Organization) -> bool:
    """Return whether the viewer may do it in the organization."""
    return policy.can(viewer, action, resource, organization_id=organization.pk)
