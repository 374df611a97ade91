"""The list of cycles, and one of them."""

from typing import Final

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.policy import Action, Resource, subject_of
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.export import Field, asked_format, export
from prebuilds.dashboard.base.listing import Column, list_page, sort_page
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.base.triggers import TRIGGERS
from prebuilds.dashboard.runs import queries
from prebuilds.dashboard.runs.presentation import say_decision
from prebuilds.models import ReconcileRun, Trigger

COLUMNS: Final = (
    Column(key="started", label="Started", order=("started_at", "pk")),
    Column(key="trigger", label="Started by", order=("trigger", "-started_at")),
    Column(key="elapsed", label="Took", order=("elapsed", "-started_at"), is_number=True),
    Column(key="presets", label="Presets", order=("presets_total", "-started_at"), is_number=True),
    Column(key="created", label="Created", order=("created", "-started_at"), is_number=True),
    Column(key="deleted", label="Deleted", order=("deleted", "-started_at"), is_number=True),
    Column(key="cancelled", label="Cancelled", order=("cancelled", "-started_at"), is_number=True),
    Column(key="held", label="Held", order=("held", "-started_at"), is_number=True),
    Column(key="result", label="Result"),
)
EXPORT: Final = tuple(
    Field(name=name)
    for name in (
        "id",
        "trigger",
        "started_at",
        "completed_at",
        "lock_acquired",
        "paused",
        "presets_total",
        "presets_reconciled",
        "presets_failed",
        "created",
        "deleted",
        "cancelled",
        "held",
        "error",
    )
)


@signed_in
@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    """List cycles, newest first, or give them away as a file."""
    _require_reader(current_user(request))
    if asked_format(request):
        return export(request, "cycles", EXPORT, _chosen(request).iterator())
    return render_page(request, "runs/list.html", _list(request), section="runs")


@signed_in
@require_safe
def table(request: HttpRequest) -> HttpResponse:
    """List them again, for the live block."""
    _require_reader(current_user(request))
    return render_fragment(request, "runs/list.html#live", _list(request))


@signed_in
@require_safe
def page(request: HttpRequest, run_id: int) -> HttpResponse:
    """Show what one cycle decided."""
    user = current_user(request)
    _require_reader(user)
    run = get_object_or_404(queries.list_runs(trigger="", only_busy=False), pk=run_id)
    decisions = [say_decision(one) for one in queries.decisions_of(run, user)]
    context = {"run": run, "decisions": decisions}
    return render_page(request, "runs/page.html", context, section="runs")


def _list(request: HttpRequest) -> dict[str, object]:
    order, headings = sort_page(request, COLUMNS, default="-started")
    return {
        "listing": list_page(request, _chosen(request).order_by(*order)),
        "headings": headings,
        "triggers": TRIGGERS,
        "trigger": request.GET.get("trigger", ""),
        "only_busy": request.GET.get("busy") == "yes",
        "as_of": timezone.now(),
    }


def _chosen(request: HttpRequest) -> QuerySet[ReconcileRun]:
    trigger = request.GET.get("trigger", "")
    return queries.list_runs(
        trigger=trigger if trigger in Trigger.values else "",
        only_busy=request.GET.get("busy") == "yes",
    )


def _require_reader(user: User) -> None:
    if not subject_of(user).can_anywhere(Action.READ, Resource.RECONCILE_RUN):
        raise Http404("not for you")
