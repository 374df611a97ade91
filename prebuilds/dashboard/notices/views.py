"""The list of notices."""

from typing import Any, Final

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import policy
from accounts.models import User
from accounts.policy import Action, Resource
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.export import Field, asked_format, export
from prebuilds.dashboard.base.listing import Column, list_page, sort_page
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.notices import queries
from prebuilds.dashboard.notices.presentation import NoticeView, present_notice
from prebuilds.models import NoticeKind

STATES: Final = (("open", "Open"), ("past", "Past"), ("all", "Open and past"))
COLUMNS: Final = (
    Column(key="kind", label="What", order=("kind", "-opened_at", "pk")),
    Column(key="where", label="Where"),
    Column(key="opened", label="Since", order=("opened_at", "pk")),
    Column(key="lasted", label="Lasted", order=("lasted", "pk"), is_number=True),
    Column(key="harm", label="Cold starts", order=("harm", "opened_at", "pk"), is_number=True),
    Column(key="remedy", label="What to do"),
)
EXPORT: Final = (
    Field(name="id"),
    Field(name="kind"),
    Field(name="organization", path="organization.name"),
    Field(name="template", path="preset.version.template.name"),
    Field(name="version", path="preset.version.name"),
    Field(name="preset", path="preset.name"),
    Field(name="workspace", path="claim.workspace.name"),
    Field(name="detail"),
    Field(name="opened_at"),
    Field(name="closed_at"),
    Field(name="lasted_seconds", path="lasted.total_seconds"),
    Field(name="cold_starts", path="harm"),
)


@signed_in
@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    """List notices, the open ones by the harm they do, or give them away as a file."""
    _require_reader(current_user(request))
    if asked_format(request):
        return export(request, "notices", EXPORT, _chosen(request).order_by("-opened_at", "pk"))
    return render_page(request, "notices/list.html", _list(request), section="notices")


@signed_in
@require_safe
def table(request: HttpRequest) -> HttpResponse:
    """List them again, for the live block."""
    _require_reader(current_user(request))
    return render_fragment(request, "notices/list.html#live", _list(request))


def _list(request: HttpRequest) -> dict[str, object]:
    viewer = current_user(request)
    order, headings = sort_page(
        request, COLUMNS, default="-harm" if _state(request) == "open" else "-opened"
    )
    listing = list_page(request, _chosen(request).order_by(*order))
    return {
        "listing": listing,
        "notices": [_present(viewer, notice) for notice in listing.rows],
        "headings": headings,
        "states": STATES,
        "state": _state(request),
        "kinds": NoticeKind.choices,
        "kind": request.GET.get("kind", ""),
        "organizations": queries.organizations_of(viewer),
        "organization": request.GET.get("organization", ""),
        "back": f"{reverse('dashboard:notices')}?{listing.live_query}",
        "as_of": timezone.now(),
    }


def _present(viewer: User, notice: Any) -> NoticeView:
    def may(action: Action, resource: Resource) -> bool:
        return policy.can(viewer, action, resource, organization_id=notice.organization_id)

    return present_notice(notice, may=may)


def _chosen(request: HttpRequest) -> "QuerySet[Any, Any]":
    return queries.list_notices(
        current_user(request),
        state=_state(request),
        kind=request.GET.get("kind", ""),
        organization=request.GET.get("organization", "").replace("\0", ""),
        now=timezone.now(),
    )


def _state(request: HttpRequest) -> str:
    asked = request.GET.get("state", "")
    return asked if asked in queries.STATES else "open"


def _require_reader(user: User) -> None:
    if not policy.subject_of(user).can_anywhere(Action.READ, Resource.TEMPLATE):
        raise Http404("not for you")
