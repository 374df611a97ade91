"""The list of organizations, one of them with its members and groups, and one group."""

from typing import Final
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from accounts import policy
from accounts.models import Group, Membership, Organization
from accounts.policy import Action, Resource
from accounts.services import groups
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.export import Field, asked_format, export
from prebuilds.dashboard.base.listing import list_page
from prebuilds.dashboard.base.page import render_page
from prebuilds.dashboard.organizations import queries
from prebuilds.dashboard.people.queries import readable_organizations
from prebuilds.dashboard.people.views import view_membership

SECTION: Final = "organizations"
ORGANIZATIONS_EXPORT: Final = tuple(
    Field(name=name)
    for name in ("id", "name", "display_name", "is_default", "people", "group_count")
)
MEMBERS_EXPORT: Final = (
    Field(name="user_id"),
    Field(name="username", path="user.username"),
    Field(name="name", path="user.name"),
    Field(name="email", path="user.email"),
    Field(name="roles"),
    Field(name="member_since", path="created_at"),
)


@signed_in
@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    """List the organizations the person may read."""
    viewer = current_user(request)
    if not policy.subject_of(viewer).can_anywhere(Action.READ, Resource.ORGANIZATION):
        raise Http404("not for you")
    rows = queries.list_organizations(viewer)
    if asked_format(request):
        return export(request, "organizations", ORGANIZATIONS_EXPORT, rows.iterator())
    context = {
        "listing": list_page(request, rows),
        "may_create": policy.can(viewer, Action.CREATE, Resource.ORGANIZATION),
        "may_read_numbers": policy.can(viewer, Action.READ, Resource.ORGANIZATION_MEMBER),
    }
    return render_page(request, "organizations/list.html", context, section=SECTION)


@signed_in
@require_safe
def page(request: HttpRequest, organization_id: UUID) -> HttpResponseBase:
    """Show one organization: its members as far as the person may know them, and its groups."""
    viewer, organization = current_user(request), find_organization(request, organization_id)
    members = _members(request, organization)
    if asked_format(request):
        return export(request, "members", MEMBERS_EXPORT, members.iterator())
    listing = list_page(request, members)
    may_read_groups = queries.may(viewer, Action.READ, Resource.GROUP, organization)
    context = {
        "organization": organization,
        "listing": listing,
        "members": [view_membership(viewer, each) for each in listing.rows],
        "text": request.GET.get("q", ""),
        "groups": queries.list_groups(organization) if may_read_groups else None,
        "may_read_people": policy.subject_of(viewer).can_anywhere(Action.READ, Resource.USER),
        "may_edit": queries.may(viewer, Action.UPDATE, Resource.ORGANIZATION, organization),
        "may_add": queries.may(viewer, Action.CREATE, Resource.ORGANIZATION_MEMBER, organization),
        "may_create_group": queries.may(viewer, Action.CREATE, Resource.GROUP, organization),
        "may_edit_group": queries.may(viewer, Action.UPDATE, Resource.GROUP, organization),
    }
    return render_page(request, "organizations/page.html", context, section=SECTION)


@signed_in
@require_safe
def group_page(request: HttpRequest, group_id: UUID) -> HttpResponse:
    """Show one group: its allowance and its people."""
    viewer, group = current_user(request), find_group(request, group_id)

    def may(action: Action) -> bool:
        return queries.may(viewer, action, Resource.GROUP, group.organization)

    context = {
        "group": group,
        "people": group.members.all(),
        "is_fixed": groups.is_fixed(group),
        "may_edit": may(Action.UPDATE),
        "may_delete": may(Action.DELETE) and not groups.is_fixed(group),
        "may_read_people": policy.subject_of(viewer).can_anywhere(Action.READ, Resource.USER),
    }
    return render_page(request, "organizations/group.html", context, section=SECTION)


def find_organization(request: HttpRequest, organization_id: UUID) -> Organization:
    """Return an organization the person may read; Http404 for any other."""
    rows = readable_organizations(current_user(request))
    organization = rows.filter(pk=organization_id).first()
    if organization is None:
        raise Http404("no such organization, or not for you")
    return organization


def find_group(request: HttpRequest, group_id: UUID) -> Group:
    """Return a group the person may read; Http404 for any other."""
    group = queries.find_group(group_id)
    viewer = current_user(request)
    if group and queries.may(viewer, Action.READ, Resource.GROUP, group.organization):
        return group
    raise Http404("no such group, or not for you")


def find_member(request: HttpRequest, organization: Organization, user_id: UUID) -> Membership:
    """Return a member the person may know of; Http404 for anybody else."""
    rows = queries.list_members(organization, current_user(request), text="")
    membership = rows.filter(user_id=user_id).first()
    if membership is None:
        raise Http404("no such member, or not for you")
    return membership


def require(
    request: HttpRequest, action: Action, resource: Resource, organization: Organization
) -> None:
    """Raise PermissionDenied unless the person may do it in an organization they may read."""
    if not queries.may(current_user(request), action, resource, organization):
        raise PermissionDenied


def _members(request: HttpRequest, organization: Organization) -> QuerySet[Membership]:
    text = request.GET.get("q", "").replace("\0", "").strip()
    return queries.list_members(organization, current_user(request), text=text)
