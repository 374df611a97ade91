"""What can be done to a group; each says first what it means for its people."""

from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts import selectors
from accounts.models import Group, User
from accounts.policy import Action, Resource
from accounts.services import groups
from prebuilds.dashboard.base.access import actor_of, current_user, signed_in
from prebuilds.dashboard.base.forms import HouseForm, ask, sent, still
from prebuilds.dashboard.base.plan import Plan
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.organizations import queries
from prebuilds.dashboard.organizations.changes import ask_of_organization, find_named
from prebuilds.dashboard.organizations.forms import AddForm, GroupForm
from prebuilds.dashboard.organizations.views import (
    SECTION,
    find_group,
    find_organization,
    require,
)

METHODS: Final = ["GET", "HEAD", "POST"]


@signed_in
@require_http_methods(METHODS)
def create(request: HttpRequest, organization_id: UUID) -> HttpResponse:
    """Make a group without people."""
    organization = find_organization(request, organization_id)
    require(request, Action.CREATE, Resource.GROUP, organization)

    def do(values: dict[str, Any]) -> str:
        made = groups.create_group(
            organization=organization,
            name=values["name"],
            display_name=values["display_name"],
            quota_allowance=values["quota_allowance"],
            actor=actor_of(request),
            now=timezone.now(),
        )
        return f"The group {made} is there. Add people to it."

    shown = Plan(
        title=f"New group in {organization}",
        sentence="People get the allowances of all their groups together.",
        verb="Create",
    )
    return ask_of_organization(request, organization, shown, GroupForm(sent(request)), do)


@signed_in
@require_http_methods(METHODS)
def edit(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Rename a group, or change its allowance."""
    group = _changeable_group(request, group_id, Action.UPDATE)
    first = {
        "name": group.name,
        "display_name": group.display_name,
        "quota_allowance": group.quota_allowance,
        "mark": selectors.mark_of_group(group),
    }

    def do(values: dict[str, Any]) -> str:
        fields = {name: values[name] for name in ("name", "display_name", "quota_allowance")}
        changed = groups.update_group(
            group_id=group.pk,
            change=groups.GroupChange(**fields),
            actor=actor_of(request),
            now=timezone.now(),
            check=still(values["mark"], selectors.mark_of_group),
        )
        return f"{changed}: an allowance of {changed.quota_allowance} a day."

    shown = Plan(
        title=f"Edit {group}",
        sentence="The allowance counts from the next build on; what runs goes on. Pools that are "
        "held by quota are built within a minute of a higher one.",
        verb="Save",
    )
    return _ask(request, group, shown, GroupForm(sent(request), initial=first), do)


@signed_in
@require_http_methods(METHODS)
def add_person(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Put a member of the organization into a group."""
    group = _changeable_group(request, group_id, Action.UPDATE)

    def do(values: dict[str, Any]) -> str:
        members = queries.list_members(group.organization, current_user(request), text="")
        person = find_named(
            User.objects.filter(pk__in=members.values("user_id")), values["username"]
        )
        _change_people(request, group, groups.GroupChange(add_users=[person.pk]))
        return f"{person.username} is in {group}."

    shown = Plan(
        title=f"Add somebody to {group}",
        sentence=f"They must be a member of {group.organization}. They may spend "
        f"{group.quota_allowance} a day more.",
        verb="Add",
    )
    return _ask(request, group, shown, AddForm(sent(request)), do)


@signed_in
@require_http_methods(METHODS)
def remove_person(request: HttpRequest, group_id: UUID, user_id: UUID) -> HttpResponse:
    """Take somebody out of a group."""
    group = _changeable_group(request, group_id, Action.UPDATE)
    person = next((each for each in group.members.all() if each.pk == user_id), None)
    if person is None:
        raise Http404("nobody of this id is in the group")

    def do(values: dict[str, Any]) -> str:
        _change_people(request, group, groups.GroupChange(remove_users=[user_id]))
        return f"{person.username} is not in {group} any more."

    shown = Plan(
        title=f"Take {person.username} out of {group}",
        sentence=f"They may spend {group.quota_allowance} a day less. What runs goes on; new "
        "builds that cost more than is left to them are refused.",
        verb="Take out",
        danger=True,
    )
    return _ask(request, group, shown, HouseForm(sent(request)), do)


@signed_in
@require_http_methods(METHODS)
def delete(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Delete a group; its people lose its allowance."""
    group = _changeable_group(request, group_id, Action.DELETE)

    def do(values: dict[str, Any]) -> str:
        groups.delete_group(group_id=group.pk, actor=actor_of(request), now=timezone.now())
        return f"The group {group} is deleted."

    people = say_count(len(group.members.all()), "person", "people")
    shown = Plan(
        title=f"Delete {group}",
        sentence=f"It has {people}; each loses {group.quota_allowance} of allowance a day. "
        "Nobody is removed from the organization, and what runs goes on.",
        verb="Delete",
        danger=True,
        impossible="The prebuilds user's own group stays." if groups.is_fixed(group) else "",
    )
    return ask_of_organization(request, group.organization, shown, HouseForm(sent(request)), do)


def _changeable_group(request: HttpRequest, group_id: UUID, action: Action) -> Group:
    group = find_group(request, group_id)
    require(request, action, Resource.GROUP, group.organization)
    return group


def _change_people(request: HttpRequest, group: Group, change: groups.GroupChange) -> None:
    groups.update_group(
        group_id=group.pk, change=change, actor=actor_of(request), now=timezone.now()
    )


def _ask(request: HttpRequest, group: Group, plan: Plan, form: HouseForm, do: Any) -> HttpResponse:
    back = reverse("dashboard:group", args=[group.pk])
    return ask(request, plan, form, do, section=SECTION, back=back)
