"""The list of claims and misses."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.export import Field, asked_format, export
from prebuilds.dashboard.base.listing import Column, list_page, query_of, sort_page
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.claims import queries
from prebuilds.dashboard.claims.asked import SPANS, read_filter, read_instant
from prebuilds.dashboard.claims.presentation import present_claim, say_sums
from prebuilds.models import ClaimOutcome, ClaimReason
from prebuilds.selectors import ClaimFilter

COLUMNS: Final = (
    Column(key="asked", label="Asked", order=("created_at", "pk")),
    Column(key="who", label="Who", order=("user__username", "-created_at", "pk")),
    Column(key="preset", label="Preset", order=("template__name", "preset__name", "-created_at")),
    Column(key="outcome", label="Outcome", order=("outcome", "reason", "-created_at")),
    Column(key="took", label="Request took", order=("duration_seconds", "pk"), is_number=True),
    Column(key="waited", label="Ready after", order=("waited", "-created_at"), is_number=True),
    Column(key="workspace", label="Workspace"),
)
EXPORT: Final = (
    Field(name="id"),
    Field(name="created_at"),
    Field(name="user", path="user.username"),
    Field(name="template", path="template.name"),
    Field(name="version", path="preset.version.name"),
    Field(name="preset", path="preset.name"),
    Field(name="outcome"),
    Field(name="reason"),
    Field(name="workspace", path="workspace.name"),
    Field(name="workspace_id"),
    Field(name="duration_seconds"),
    Field(name="wait_seconds"),
)
SHOWN_PER_FORM: Final = "%Y-%m-%dT%H:%M"


@signed_in
@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    """List requests for workspaces, newest first, or give the matching ones away as a file."""
    if asked_format(request):
        order, _ = sort_page(request, COLUMNS, default="-asked")
        rows = queries.list_claims(current_user(request), _asked(request)).order_by(*order)
        return export(request, "claims", EXPORT, rows.iterator())
    context = {**_list(request), **_form(request)}
    return render_page(request, "claims/list.html", context, section="claims")


@signed_in
@require_safe
def table(request: HttpRequest) -> HttpResponse:
    """List them again, for the live block."""
    return render_fragment(request, "claims/list.html#live", _list(request))


def _list(request: HttpRequest) -> dict[str, Any]:
    viewer = current_user(request)
    order, headings = sort_page(request, COLUMNS, default="-asked")
    claims = queries.list_claims(viewer, _asked(request))
    listing = list_page(request, claims.order_by(*order))
    return {
        "listing": listing,
        "claims": [present_claim(claim) for claim in listing.rows],
        "sums": say_sums(queries.sum_up(claims)),
        "headings": headings,
        "is_filtered": bool(query_of(request, without=("page", "format", "sort"))),
        "may_read_people": subject_of(viewer).can_anywhere(Action.READ, Resource.USER),
        "as_of": timezone.now(),
    }


def _form(request: HttpRequest) -> dict[str, Any]:
    viewer, asked, given = current_user(request), _asked(request), request.GET
    return {
        "asked": asked,
        "from": _in_form(given.get("from", "")),
        "until": _in_form(given.get("until", ""), end_of_day=True),
        "last": given.get("last", ""),
        "spans": [(key, label) for key, (label, _) in SPANS.items()],
        "outcomes": ClaimOutcome.choices,
        "reasons": [one for one in ClaimReason.choices if one[0] != ClaimReason.WARM],
        "templates": queries.templates_to_offer(viewer),
        "presets": queries.presets_to_offer(viewer, asked.template_id),
        "preset": queries.find_preset(viewer, asked.preset_id),
        "sees_others": subject_of(viewer).can_anywhere(Action.READ, Resource.WORKSPACE),
    }


def _asked(request: HttpRequest) -> ClaimFilter:
    return read_filter(request.GET.dict(), now=timezone.now())


def _in_form(text: str, *, end_of_day: bool = False) -> str:
    """Return an instant as a form's input takes it; empty when there is none."""
    at = read_instant(text, end_of_day=end_of_day)
    return f"{at:{SHOWN_PER_FORM}}" if at else ""
