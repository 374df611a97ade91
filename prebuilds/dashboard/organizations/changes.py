"""What can be done to an organization and its members; each says first what it means."""

from typing import Any, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts import policy, selectors
from accounts.enums import OrganizationRole
from accounts.errors import NotAMember
from accounts.models import Membership, Organization, User
from accounts.policy import Action, Resource
from accounts.services import organizations
from prebuilds.dashboard.base.access import actor_of, current_user, signed_in
from prebuilds.dashboard.base.forms import HouseForm, ask, sent, still
from prebuilds.dashboard.base.plan import Plan
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.organizations import queries
from prebuilds.dashboard.organizations.forms import AddForm, OrganizationForm
from prebuilds.dashboard.organizations.views import (
    SECTION,
    find_member,
    find_organization,
    require,
)
from prebuilds.dashboard.people.forms import RolesForm, labelled
from prebuilds.dashboard.people.presentation import say_organization_roles
from prebuilds.dashboard.people.queries import readable_people

METHODS: Final = ["GET", "HEAD", "POST"]


@signed_in
@require_http_methods(METHODS)
def create(request: HttpRequest) -> HttpResponse:
    """Make an organization; who makes it administers it."""
    viewer = current_user(request)
    if not policy.can(viewer, Action.CREATE, Resource.ORGANIZATION):
        may_know = policy.subject_of(viewer).can_anywhere(Action.READ, Resource.ORGANIZATION)
        raise PermissionDenied if may_know else Http404("not for you")

    def do(values: dict[str, Any]) -> str:
        made = organizations.create_organization(
            name=values["name"],
            display_name=values["display_name"],
            actor=actor_of(request),
            now=timezone.now(),
        )
        return f"{made} is there; you are its administrator."

    shown = Plan(
        title="New organization",
        sentence="A tenant of its own: templates, people, groups and provisioners live in one. You "
        "become its administrator.",
        verb="Create",
    )
    form = OrganizationForm(sent(request))
    back = reverse("dashboard:organizations")
    return ask(request, shown, form, do, section=SECTION, back=back)


@signed_in
@require_http_methods(METHODS)
def edit(request: HttpRequest, organization_id: UUID) -> HttpResponse:
    """Rename an organization."""
    organization = find_organization(request, organization_id)
    require(request, Action.UPDATE, Resource.ORGANIZATION, organization)
    first = {
        "name": organization.name,
        "display_name": organization.display_name,
        "mark": selectors.mark_of_organization(organization),
    }

    def do(values: dict[str, Any]) -> str:
        changed = organizations.update_organization(
            organization_id=organization.pk,
            name=values["name"],
            display_name=values["display_name"],
            actor=actor_of(request),
            now=timezone.now(),
            check=still(values["mark"], selectors.mark_of_organization),
        )
        return f"It is called {changed} now."

    shown = Plan(
        title=f"Edit {organization}",
        sentence="Addresses and scripts that use the old name stop working.",
        verb="Save",
    )
    form = OrganizationForm(sent(request), initial=first)
    return ask_of_organization(request, organization, shown, form, do)


@signed_in
@require_http_methods(METHODS)
def add_member(request: HttpRequest, organization_id: UUID) -> HttpResponse:
    """Make somebody a member, by user name."""
    organization = find_organization(request, organization_id)
    require(request, Action.CREATE, Resource.ORGANIZATION_MEMBER, organization)

    def do(values: dict[str, Any]) -> str:
        person = find_named(readable_people(current_user(request)), values["username"])
        organizations.add_member(
            organization=organization, user=person, actor=actor_of(request), now=timezone.now()
        )
        return f"{person.username} is a member of {organization}."

    shown = Plan(
        title=f"Add somebody to {organization}",
        sentence="As a plain member they can create workspaces from its templates; roles are given "
        "afterwards.",
        verb="Add",
    )
    return ask_of_organization(request, organization, shown, AddForm(sent(request)), do)


@signed_in
@require_http_methods(METHODS)
def member_roles(request: HttpRequest, organization_id: UUID, user_id: UUID) -> HttpResponse:
    """Give a member other roles there, of those the actor may give."""
    organization = find_organization(request, organization_id)
    member = find_member(request, organization, user_id)
    require(request, Action.UPDATE, Resource.ORGANIZATION_MEMBER, organization)
    if user_id == current_user(request).pk:
        raise PermissionDenied
    place = {"organization_id": organization.pk}
    grantable = policy.grantable_roles(current_user(request), **place)

    def do(values: dict[str, Any]) -> str:
        kept = set(member.roles) - set(grantable)
        changed = organizations.set_member_roles(
            organization_id=organization.pk,
            user_id=user_id,
            roles=sorted({*values["roles"], *kept}),
            actor=actor_of(request),
            now=timezone.now(),
            check=still(values["mark"], selectors.mark_of_membership),
        )
        said = say_organization_roles(changed.roles)
        return f"{member.user.username} in {organization} is now: {said}."

    shown = Plan(
        title=f"Roles of {member.user.username} in {organization}",
        sentence=f"Now: {say_organization_roles(member.roles)}. They hold in this organization "
        "alone. You can give and take what allows nothing you may not do there yourself.",
        verb="Save roles",
    )
    form = RolesForm(
        sent(request),
        choices=labelled(OrganizationRole.choices, grantable),
        initial={"roles": member.roles, "mark": selectors.mark_of_membership(member)},
    )
    return ask_of_organization(request, organization, shown, form, do)


@signed_in
@require_http_methods(METHODS)
def remove_member(request: HttpRequest, organization_id: UUID, user_id: UUID) -> HttpResponse:
    """End a membership."""
    organization = find_organization(request, organization_id)
    member = find_member(request, organization, user_id)
    require(request, Action.DELETE, Resource.ORGANIZATION_MEMBER, organization)

    def do(values: dict[str, Any]) -> str:
        organizations.remove_member(
            organization_id=organization.pk,
            user_id=user_id,
            actor=actor_of(request),
            now=timezone.now(),
        )
        return f"{member.user.username} is no member of {organization} any more."

    shown = Plan(
        title=f"Remove {member.user.username} from {organization}",
        sentence=_what_removal_means(member),
        verb="Remove",
        danger=True,
    )
    return ask_of_organization(request, organization, shown, HouseForm(sent(request)), do)


def find_named(people: Any, username: str) -> User:
    """Return who has this user name; raises NotAMember, at the input, when nobody does."""
    found: User | None = people.filter(username__iexact=username.replace("\0", "")).first()
    if found is None:
        raise NotAMember(
            f'There is nobody called "{username}" whom you may add here. Check the user name.',
            field="username",
        )
    return found


def _what_removal_means(member: Membership) -> str:
    stake = queries.stake_of(member)
    parts = ["They can no longer create workspaces from its templates"]
    if stake.groups:
        parts.append(f"they leave {say_count(stake.groups, 'group')} there, with the allowance")
    if stake.workspaces:
        parts.append(
            f"their {say_count(stake.workspaces, 'workspace')} there "
            f"{'stays' if stake.workspaces == 1 else 'stay'}, but they cannot open "
            f"{'it' if stake.workspaces == 1 else 'them'} any more"
        )
    return "; ".join(parts) + "."


def ask_of_organization(
    request: HttpRequest, organization: Organization, plan: Plan, form: HouseForm, do: Any
) -> HttpResponse:
    """Ask, and go back to the organization's page."""
    back = reverse("dashboard:organization", args=[organization.pk])
    return ask(request, plan, form, do, section=SECTION, back=back)
