"""The list of people, and one person."""

from typing import Final
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import policy
from accounts.enums import SiteRole
from accounts.models import Membership, User
from accounts.policy import Action, Resource
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.export import Field, asked_format, export
from prebuilds.dashboard.base.listing import Column, list_page, sort_page
from prebuilds.dashboard.base.page import render_page
from prebuilds.dashboard.people import queries
from prebuilds.dashboard.people.presentation import (
    MembershipView,
    present_person,
    say_organization_roles,
    say_site_roles,
)

STATUSES: Final = (("active", "Active"), ("suspended", "Suspended"))
COLUMNS: Final = (
    Column(key="name", label="Person", order=("username",)),
    Column(key="email", label="E-mail", order=("email", "username")),
    Column(key="roles", label="Site roles"),
    Column(key="organizations", label="Organizations"),
    Column(key="status", label="Status", order=("-is_active", "username")),
    Column(key="seen", label="Last sign-in", order=("last_login", "username")),
)
EXPORT: Final = (
    Field(name="id", path="person.id"),
    Field(name="username", path="person.username"),
    Field(name="name", path="person.name"),
    Field(name="email", path="person.email"),
    Field(name="roles"),
    Field(name="organizations"),
    Field(name="status"),
    Field(name="last_sign_in", path="person.last_login"),
    Field(name="created_at", path="person.created_at"),
)


@signed_in
@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    """List the people the person may know, or give them away as a file."""
    viewer = current_user(request)
    if not policy.subject_of(viewer).can_anywhere(Action.READ, Resource.USER):
        raise Http404("not for you")
    if asked_format(request):
        people = _chosen(request).order_by("username").iterator(chunk_size=500)
        return export(request, "people", EXPORT, map(present_person, people))
    order, headings = sort_page(request, COLUMNS, default="name")
    listing = list_page(request, _chosen(request).order_by(*order))
    context = {
        "listing": listing,
        "rows": [present_person(person) for person in listing.rows],
        "headings": headings,
        "roles": (*SiteRole.choices, (queries.NO_ROLE, "Member (no site role)")),
        "statuses": STATUSES,
        "text": _text(request),
        "role": request.GET.get("role", ""),
        "status": request.GET.get("status", ""),
        "may_create": policy.can(viewer, Action.CREATE, Resource.USER),
        "as_of": timezone.now(),
    }
    return render_page(request, "people/list.html", context, section="people")


@signed_in
@require_safe
def page(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Show one person."""
    viewer, person = current_user(request), find_person(request, user_id)
    may_change = may_update(viewer, person)
    context = {
        "person": person,
        "is_oneself": person == viewer,
        "roles": say_site_roles(person.roles),
        "memberships": [
            view_membership(viewer, each)
            for each in queries.readable_memberships(viewer).filter(user=person)
        ],
        "groups": queries.groups_of(person, viewer),
        "tokens": queries.tokens_of(person, viewer),
        "now": timezone.now(),
        "may_change": may_change,
        "is_above": not may_change and policy.can(viewer, Action.UPDATE, Resource.USER),
        "may_add": bool(queries.homes_to_offer(viewer)),
        "may_read_audit": policy.can(viewer, Action.READ, Resource.AUDIT_LOG),
    }
    return render_page(request, "people/page.html", context, section="people")


def find_person(request: HttpRequest, user_id: UUID) -> User:
    """Return a person the viewer may know of; Http404 for any other."""
    person = queries.readable_people(current_user(request)).filter(pk=user_id).first()
    if person is None:
        raise Http404("no such person, or not for you")
    return person


def find_changeable(request: HttpRequest, user_id: UUID) -> User:
    """Return a person the viewer may change; PermissionDenied when they may only look."""
    person = find_person(request, user_id)
    if not may_update(current_user(request), person):
        raise PermissionDenied
    return person


def may_update(viewer: User, person: User) -> bool:
    """Return whether the viewer may change others, and this one is not above them."""
    return policy.can(viewer, Action.UPDATE, Resource.USER) and policy.may_change(viewer, person)


def view_membership(viewer: User, membership: Membership) -> MembershipView:
    """Return a membership and what the viewer may do about it."""

    def may(action: Action) -> bool:
        return policy.can(
            viewer,
            action,
            Resource.ORGANIZATION_MEMBER,
            organization_id=membership.organization_id,
        )

    return MembershipView(
        membership=membership,
        roles=say_organization_roles(membership.roles),
        may_change_roles=membership.user_id != viewer.pk and may(Action.UPDATE),
        may_remove=may(Action.DELETE),
    )


def _chosen(request: HttpRequest) -> QuerySet[User]:
    status = request.GET.get("status", "")
    return queries.list_people(
        current_user(request),
        text=_text(request),
        role=request.GET.get("role", ""),
        status=status if status in dict(STATUSES) else "",
    )


def _text(request: HttpRequest) -> str:
    return request.GET.get("q", "").replace("\0", "").strip()
