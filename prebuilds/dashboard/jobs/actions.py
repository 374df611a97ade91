"""Cancel one job, or all waiting starts of prebuilds: the way out of a flooded queue."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.policy import Action, Resource, subject_of
from prebuilds import services
from prebuilds.dashboard.base.access import actor_of, current_user, signed_in
from prebuilds.dashboard.base.listing import query_of
from prebuilds.dashboard.base.plan import Plan, PlanLine, leave, render_plan
from prebuilds.dashboard.base.wording import say_count
from prebuilds.dashboard.jobs.presentation import say_cancel, view_job
from prebuilds.dashboard.jobs.queries import Asked, Flood, find_floods
from prebuilds.dashboard.jobs.views import asked_of, find_job, may_cancel
from prebuilds.selectors import current_pause
from workspaces.enums import JobStatus
from workspaces.errors import JobEnded
from workspaces.queue import places_of

METHODS: Final = ["GET", "HEAD", "POST"]
PAUSES: Final = (
    ("1", "Pause for an hour"),
    ("8", "Pause for 8 hours"),
    ("", "Do not pause: the next cycle makes them anew"),
)
PAUSE_REASON: Final = "Emptying a flooded queue"


@signed_in
@require_http_methods(METHODS)
def cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Cancel one job; GET shows what will come of it."""
    viewer, now = current_user(request), timezone.now()
    job = find_job(viewer, job_id)
    if not may_cancel(viewer, job):
        raise PermissionDenied
    back = reverse("dashboard:job", args=[job_id])
    if request.method == "POST":
        try:
            status = services.cancel_job(job=job, actor=actor_of(request), now=now)
        except JobEnded as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _said(status, job.workspace.name))
        return leave(request, back)
    view = view_job(job, places_of([job]), may_cancel=True, now=now)
    plan = Plan(
        title=f"Cancel: {view.kind.lower()} {job.workspace.name}",
        sentence=say_cancel(view),
        verb="Cancel the job",
        danger=True,
        impossible="" if view.is_unfinished else str(JobEnded()),
    )
    return render_plan(request, plan, section="jobs", back=back)


@signed_in
@require_http_methods(METHODS)
def cancel_pending(request: HttpRequest) -> HttpResponse:
    """Cancel the waiting starts of prebuilds; GET shows how many of which template."""
    viewer, now = current_user(request), timezone.now()
    if not subject_of(viewer).can_anywhere(Action.DELETE, Resource.PREBUILT_WORKSPACE):
        raise Http404("not for you")
    if request.method == "POST":
        _empty(request, now)
        return leave(request, _back(request))
    floods = find_floods(viewer, asked_of(request))
    total = sum(flood.count for flood in floods)
    plan = Plan(
        title="Cancel waiting prebuilds",
        sentence=f"{say_count(total, 'start')} of prebuilds that no provisioner has taken "
        "will be canceled, and their workspaces removed. People's jobs, deletions and what runs "
        "stay as they are."
        if total
        else "",
        verb=f"Cancel {total}",
        lines=tuple(_line(flood) for flood in floods),
        danger=True,
        form="jobs/pending_form.html",
        impossible="" if total else "No start of a prebuild waits here: nothing to cancel.",
    )
    context = {
        "templates": ",".join(str(flood.template.pk) for flood in floods),
        "pauses": PAUSES,
        "may_pause": _may_pause(viewer),
        "is_paused": current_pause(now) is not None,
    }
    return render_plan(request, plan, section="jobs", back=_back(request), context=context)


def _empty(request: HttpRequest, now: datetime) -> None:
    """Do to the listed templates what was shown, and say what came of it."""
    viewer, actor = current_user(request), actor_of(request)
    listed = set(request.POST.get("templates", "").split(","))
    floods = [one for one in find_floods(viewer, Asked()) if str(one.template.pk) in listed]
    hours = request.POST.get("pause", "")
    if floods and hours in ("1", "8") and _may_pause(viewer) and not current_pause(now):
        services.pause_reconciliation(
            actor=actor, reason=PAUSE_REASON, until=now + timedelta(hours=int(hours)), now=now
        )
        messages.info(request, "Reconciliation is paused. Mend what filled the queue, then resume.")
    done = [
        services.cancel_pending_prebuilds(template=one.template, actor=actor, now=now)
        for one in floods
    ]
    canceled, busy = sum(one.canceled for one in done), sum(one.busy for one in done)
    if failed := sum(one.failed for one in done):
        messages.error(request, f"{failed} could not be canceled: see the log of the web process.")
    said = f"{say_count(canceled, 'waiting start')} canceled."
    if busy:
        said += f" {busy} had begun meanwhile and will be built."
    messages.success(request, said)


def _line(flood: Flood) -> PlanLine:
    return PlanLine(
        icon="x", tone="warn", text=f"cancel {flood.count}", subject=str(flood.template)
    )


def _said(status: JobStatus, name: str) -> str:
    if status == JobStatus.CANCELED:
        return f"{name}: the job has left the queue."
    return f"{name}: its provisioner is told to stop."


def _may_pause(viewer: User) -> bool:
    return subject_of(viewer).can_anywhere(Action.UPDATE, Resource.PREBUILDS_SETTINGS)


def _back(request: HttpRequest) -> str:
    query = query_of(request, without=("back", "format"))
    return reverse("dashboard:jobs") + (f"?{query}" if query else "")
