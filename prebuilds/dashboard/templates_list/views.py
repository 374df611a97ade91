"""The list of templates."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.export import Field, asked_format, export
from prebuilds.dashboard.base.listing import Column, Heading, list_page, sort_page
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.template.status import CHOICES
from prebuilds.dashboard.templates_list.presentation import TemplateView, present
from prebuilds.dashboard.templates_list.queries import TemplateRow, list_templates

COLUMNS: Final = (
    Column(key="name", label="Template", order=("name",)),
    Column(key="organization", label="Organization", order=("organization", "name")),
    Column(key="version", label="Active version", order=("version", "name")),
    Column(key="pools", label="Pools", order=("pools", "name"), is_number=True),
    Column(key="ready", label="Ready of desired", order=("counts.ready", "name"), is_number=True),
    Column(
        key="workspaces",
        label="People's workspaces",
        order=("counts.people", "name"),
        is_number=True,
    ),
    Column(key="status", label="Status", order=("status.word", "name")),
)
EXPORT: Final = (
    Field(name="id", path="template.pk"),
    Field(name="name", path="template.name"),
    Field(name="display_name", path="template.display_name"),
    Field(name="organization", path="template.organization.name"),
    Field(name="active_version", path="version"),
    Field(name="pools"),
    Field(name="ready", path="counts.ready"),
    Field(name="desired"),
    Field(name="starting", path="counts.starting"),
    Field(name="prebuilds", path="counts.prebuilds"),
    Field(name="workspaces", path="counts.people"),
    Field(name="status", path="status.key"),
    Field(name="deprecation_message", path="template.deprecation_message"),
    Field(name="updated_at", path="template.updated_at"),
)


@signed_in
@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    """List the templates the person may read, or give them away as a file."""
    if asked_format(request):
        return export(request, "templates", EXPORT, _sorted(request)[0])
    return render_page(request, "templates_list/page.html", _list(request), section="templates")


@signed_in
@require_safe
def table(request: HttpRequest) -> HttpResponse:
    """List them again, for the live block."""
    return render_fragment(request, "templates_list/page.html#live", _list(request))


def _list(request: HttpRequest) -> dict[str, object]:
    rows, headings = _sorted(request)
    subject = subject_of(current_user(request))
    views: list[TemplateView] = [present(row, subject) for row in rows]
    return {
        "listing": list_page(request, views),
        "headings": headings,
        "statuses": CHOICES,
        "status": _status(request),
        "words": request.GET.get("q", ""),
        "may_create": subject.can_anywhere(Action.CREATE, Resource.TEMPLATE),
        "as_of": timezone.now(),
    }


def _sorted(request: HttpRequest) -> tuple[list[TemplateRow], list[Heading]]:
    order, headings = sort_page(request, COLUMNS, default="name")
    rows = list_templates(
        current_user(request),
        words=request.GET.get("q", ""),
        status=_status(request),
        now=timezone.now(),
    )
    for name in reversed(order):
        rows.sort(key=_folded(name.removeprefix("-")), reverse=name.startswith("-"))
    return rows, headings


def _folded(path: str) -> Callable[[TemplateRow], Any]:
    read = attrgetter(path)
    return lambda row: value.casefold() if isinstance(value := read(row), str) else value


def _status(request: HttpRequest) -> str:
    asked = request.GET.get("status", "")
    return asked if asked in dict(CHOICES) else ""
