"""The list of audit entries."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from accounts.enums import AuditSource
from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.audit import queries
from prebuilds.dashboard.audit.presentation import present_entry, say_type
from prebuilds.dashboard.audit.queries import Filters
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.export import Field, asked_format, export
from prebuilds.dashboard.base.listing import list_page
from prebuilds.dashboard.base.page import render_page
from prebuilds.dashboard.base.wording import say_word

EXPORT: Final = (
    Field(name="id"),
    Field(name="at"),
    Field(name="actor", path="actor.username"),
    Field(name="source"),
    Field(name="address"),
    Field(name="action"),
    Field(name="object_type"),
    Field(name="object_id"),
    Field(name="object_label"),
    Field(name="before"),
    Field(name="after"),
)


@signed_in
@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    """List entries, newest first, or give them away as a file."""
    if not subject_of(current_user(request)).can_anywhere(Action.READ, Resource.AUDIT_LOG):
        raise Http404("not for you")
    filters = _asked(request)
    rows = queries.list_entries(filters)
    if asked_format(request):
        return export(request, "audit", EXPORT, rows.iterator())
    listing = list_page(request, rows)
    actions, types = queries.known_words()
    context = {
        "listing": listing,
        "entries": [present_entry(entry) for entry in listing.rows],
        "filters": filters,
        "actions": [(each, say_word(each)) for each in _with(actions, filters.action)],
        "types": [(each, say_type(each)) for each in _with(types, filters.type)],
        "sources": AuditSource.choices,
        "is_filtered": filters != Filters(),
        "as_of": timezone.now(),
    }
    return render_page(request, "audit/list.html", context, section="audit")


def _asked(request: HttpRequest) -> Filters:
    def text(name: str) -> str:
        return request.GET.get(name, "").replace("\0", "").strip()

    return Filters(
        actor=text("actor"),
        action=text("action"),
        type=text("type"),
        source=text("source"),
        text=text("q"),
        since=_day(text("since")),
    )


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:  # well written, but no day: 2026-02-31
        return None


def _with(known: Sequence[str], chosen: str) -> list[str]:
    """Return the words to choose from, the chosen one among them."""
    return sorted({*known, chosen} - {""})
