"""What the pages of people read, each within what the viewer may know of."""

from typing import Final

from django.db.models import Prefetch, Q, QuerySet

from accounts import policy
from accounts.enums import SiteRole
from accounts.models import Group, Membership, Organization, Token, User
from accounts.policy import Action, Resource

NO_ROLE: Final = "none"


def readable_people(viewer: User) -> QuerySet[User]:
    """Return the people a person may know: themselves, and where a role says so."""
    readable = policy.subject_of(viewer).readable_organizations(Resource.USER)
    if readable is None:
        return User.objects.all()
    members = Membership.objects.filter(organization__in=readable)
    return User.objects.filter(Q(pk=viewer.pk) | Q(pk__in=members.values("user")))


def list_people(viewer: User, *, text: str, role: str, status: str) -> QuerySet[User]:
    """Return the people who match, with their memberships the viewer may know of."""
    rows = readable_people(viewer).prefetch_related(
        Prefetch("memberships", readable_memberships(viewer))
    )
    if text:
        words = Q(username__icontains=text) | Q(name__icontains=text) | Q(email__icontains=text)
        rows = rows.filter(words)
    if role in SiteRole.values:
        rows = rows.filter(roles__contains=[role])
    elif role == NO_ROLE:
        rows = rows.filter(roles=[])
    return rows.filter(is_active=status == "active") if status else rows


def readable_memberships(viewer: User) -> QuerySet[Membership]:
    """Return memberships in organizations the viewer may read, by organization."""
    rows = Membership.objects.select_related("organization").order_by("organization__name")
    return rows.filter(organization__in=readable_organizations(viewer))


def readable_organizations(viewer: User) -> QuerySet[Organization]:
    """Return the organizations a person may read, by name."""
    readable = policy.subject_of(viewer).readable_organizations(Resource.ORGANIZATION)
    rows = Organization.objects.order_by("name")
    return rows if readable is None else rows.filter(pk__in=readable)


def groups_of(person: User, viewer: User) -> QuerySet[Group]:
    """Return the groups a person is in, as far as the viewer may read them."""
    rows = person.groups.select_related("organization").order_by("organization__name", "name")
    readable = policy.subject_of(viewer).readable_organizations(Resource.GROUP)
    return rows if readable is None else rows.filter(organization__in=readable)


def live_tokens(person: User) -> QuerySet[Token]:
    """Return the tokens that were not revoked, newest first; those that ended are among them."""
    rows = person.tokens.filter(revoked_at__isnull=True)
    return rows.select_related("user").order_by("-created_at", "pk")


def tokens_of(person: User, viewer: User) -> QuerySet[Token]:
    """Return a person's live tokens; none for who may not know of them."""
    may_read = policy.can(viewer, Action.READ, Resource.USER, owner_id=person.pk)
    return live_tokens(person) if may_read else Token.objects.none()


def homes_to_offer(viewer: User) -> list[Organization]:
    """Return the organizations the viewer may add members to."""
    subject = policy.subject_of(viewer)
    return [
        each
        for each in readable_organizations(viewer)
        if subject.can(Action.CREATE, Resource.ORGANIZATION_MEMBER, organization_id=each.pk)
    ]
