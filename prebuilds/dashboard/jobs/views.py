"""The queue as it is served, people first, and one job with its log."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import policy
from accounts.models import User
from accounts.policy import Action, Resource
from prebuilds.dashboard.base.access import current_user, signed_in
from prebuilds.dashboard.base.export import Field, asked_format, export
from prebuilds.dashboard.base.listing import Column, list_page, query_of, sort_page
from prebuilds.dashboard.base.machines import may_forget
from prebuilds.dashboard.base.page import render_fragment, render_page
from prebuilds.dashboard.jobs import queries
from prebuilds.dashboard.jobs.presentation import (
    KINDS,
    LOOKS,
    JobView,
    say_queue,
    say_why_waiting,
    view_job,
)
from prebuilds.dashboard.jobs.queries import ALL, OPEN, PEOPLE, PREBUILDS, Asked
from workspaces.enums import JobStatus
from workspaces.machines import awaited_machines
from workspaces.models import ProvisionerJob
from workspaces.queue import places_of

STATUSES: Final = (
    (OPEN, "Waiting and running"),
    *((status.value, look.word) for status, look in LOOKS.items()),
    (ALL, "All, also past ones"),
)
INITIATORS: Final = ((PEOPLE, "People"), (PREBUILDS, "Prebuilds"))
COLUMNS: Final = (
    Column(key="place", label="Place", order=("rank", "priority", "created_at", "pk")),
    Column(key="job", label="Job", order=("build__transition", "workspace__name", "pk")),
    Column(key="status", label="Status", order=("rank", "status", "-created_at")),
    Column(key="template", label="Template", order=("workspace__template__name", "-created_at")),
    Column(key="who", label="For", order=("initiator__username", "-created_at")),
    Column(key="asked", label="Asked", order=("created_at", "pk")),
    Column(key="waited", label="Waited", is_number=True),
    Column(key="ran", label="Ran", is_number=True),
    Column(key="provisioner", label="Provisioner", order=("daemon__name", "-created_at")),
    Column(key="actions", label=""),
)
EXPORT: Final = tuple(
    Field(name=name, path=path)
    for name, path in (
        ("id", "id"),
        ("status", "status"),
        ("transition", "build.transition"),
        ("workspace", "workspace.name"),
        ("template", "workspace.template.name"),
        ("version", "build.template_version.name"),
        ("initiator", "initiator.username"),
        ("priority", "priority"),
        ("provisioner", "daemon.name"),
        ("machine", "machine"),
        ("created_at", "created_at"),
        ("started_at", "started_at"),
        ("completed_at", "completed_at"),
        ("canceled_at", "canceled_at"),
        ("error_code", "error_code"),
        ("error", "error"),
    )
)


@signed_in
@require_safe
def index(request: HttpRequest) -> HttpResponseBase:
    """List the jobs that wait and run in the order they are served, or those asked for."""
    viewer = current_user(request)
    if asked_format(request):
        order, _ = _sorting(request)
        return export(request, "jobs", EXPORT, _chosen(request).order_by(*order).iterator())
    subject = policy.subject_of(viewer)
    context = {
        **_list(request),
        "statuses": STATUSES,
        "initiators": INITIATORS,
        "kinds": KINDS.items(),
        "templates": queries.templates_to_offer(viewer),
        "organizations": queries.organizations_to_offer(viewer),
        "may_empty": subject.can_anywhere(Action.DELETE, Resource.PREBUILT_WORKSPACE),
        "may_see_provisioners": subject.can_anywhere(Action.READ, Resource.PROVISIONER),
    }
    return render_page(request, "jobs/list.html", context, section="jobs")


@signed_in
@require_safe
def table(request: HttpRequest) -> HttpResponse:
    """List them again, for the live block."""
    return render_fragment(request, "jobs/list.html#live", _list(request))


@signed_in
@require_safe
def page(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Show one job."""
    return render_page(request, "jobs/page.html", _details(request, job_id), section="jobs")


@signed_in
@require_safe
def state(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Show its live part again."""
    return render_fragment(request, "jobs/page.html#live", _details(request, job_id))


@signed_in
@require_safe
def log(request: HttpRequest, job_id: UUID) -> HttpResponseBase:
    """Give the whole log away as a text file."""
    job = find_job(current_user(request), job_id)
    response = StreamingHttpResponse(
        queries.log_lines(job), content_type="text/plain; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="job-{job.pk}.log"'
    response["Cache-Control"] = "no-store"
    return response


def find_job(viewer: User, job_id: UUID) -> ProvisionerJob:
    """Return a job the person may see; 404 for any other."""
    job = queries.find_job(viewer, job_id)
    if job is None:
        raise Http404("no such job, or not for you")
    return job


def may_cancel(viewer: User, job: ProvisionerJob) -> bool:
    """Return whether the person may end this job."""
    return policy.can_cancel_job(
        viewer, organization_id=job.organization_id, owner_id=job.workspace.owner_id
    )


def asked_of(request: HttpRequest) -> Asked:
    """Return which jobs the URL asks for; a value that is none counts as not given."""
    given = request.GET
    return Asked(
        status=_one_of(given.get("status", ""), [*JobStatus.values, ALL], OPEN),
        who=_one_of(given.get("who", ""), [PEOPLE, PREBUILDS], ""),
        kind=_one_of(given.get("kind", ""), [kind.value for kind in KINDS], ""),
        template=_id(given.get("template", "")),
        organization=_id(given.get("organization", "")),
    )


def _list(request: HttpRequest) -> dict[str, Any]:
    viewer, now = current_user(request), timezone.now()
    order, headings = _sorting(request)
    listing = list_page(request, _chosen(request).order_by(*order))
    places, awaited = places_of(listing.rows), awaited_machines(listing.rows, now=now)
    size = queries.size_of_queue(viewer)
    shows_place = bool(places) or not listing.rows
    return {
        "shows_place": shows_place,
        "listing": listing,
        "rows": [
            view_job(job, places, may_cancel=may_cancel(viewer, job), now=now, awaited=awaited)
            for job in listing.rows
        ],
        "headings": [one for one in headings if shows_place or one.key != "place"],
        "asked": asked_of(request),
        "queue": say_queue(size),
        "place_query": query_of(request, without=("page", "format", "status", "who", "kind")),
        "as_of": now,
    }


def _sorting(request: HttpRequest) -> tuple[list[str], list[Any]]:
    """What waits is shown in the order it is served, what is over the newest first."""
    is_queue = asked_of(request).status in (OPEN, JobStatus.PENDING, JobStatus.RUNNING)
    return sort_page(request, COLUMNS, default="place" if is_queue else "-asked")


def _chosen(request: HttpRequest) -> QuerySet[ProvisionerJob]:
    return queries.list_jobs(current_user(request), asked_of(request))


def _details(request: HttpRequest, job_id: UUID) -> dict[str, Any]:
    viewer, now = current_user(request), timezone.now()
    job = find_job(viewer, job_id)
    view = view_job(
        job,
        places_of([job]),
        may_cancel=may_cancel(viewer, job),
        now=now,
        awaited=awaited_machines([job], now=now),
    )
    lines = queries.tail_of(job)
    return {
        "view": view,
        "job": job,
        "build": getattr(job, "build", None),
        "why": _why_waiting(view, now),
        "may_forget": view.awaits and may_forget(viewer, view.awaits.machine),
        "lines": lines[-queries.LOG_TAIL :],
        "is_cut": len(lines) > queries.LOG_TAIL,
        "as_of": now,
    }


def _why_waiting(view: JobView, now: datetime) -> str:
    if view.job.status != JobStatus.PENDING:
        return ""
    fitting = [] if view.awaits else queries.fitting_daemons(view.job, now)
    return say_why_waiting(view.job, fitting, view.awaits)


def _one_of(value: str, known: list[str], otherwise: str) -> str:
    return value if value in known else otherwise


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
