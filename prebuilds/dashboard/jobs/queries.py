"""What the pages of jobs read, of what the person may know."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Case, Count, Q, QuerySet, Value, When

from accounts.models import Organization, User
from accounts.policy import Action, Resource, subject_of
from accounts.system import PREBUILDS_USER_ID
from templates_app.models import Template
from workspaces.enums import DaemonStatus, JobStatus, Transition
from workspaces.models import JobLog, ProvisionerJob
from workspaces.models.job import IS_PENDING, IS_UNFINISHED
from workspaces.queue import visible_jobs
from workspaces.selectors import DaemonRow, list_daemons

LOG_TAIL: Final = 500
TEMPLATES_OFFERED: Final = 500
PEOPLE: Final = "people"
PREBUILDS: Final = "prebuilds"
OPEN: Final = "open"
ALL: Final = "all"
RANK: Final = Case(
    When(status__in=[JobStatus.RUNNING, JobStatus.CANCELING], then=Value(0)),
    When(status=JobStatus.PENDING, then=Value(1)),
    default=Value(2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which jobs the URL asks for; what it does not name leaves out nothing."""

    status: str = OPEN
    who: str = ""
    kind: str = ""
    template: UUID | None = None
    organization: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSize:
    """How many jobs wait for people and for prebuilds, and how many run."""

    people: int
    prebuilds: int
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """A template with starts of prebuilds that no daemon has taken."""

    template: Template
    count: int


def list_jobs(viewer: User, asked: Asked) -> QuerySet[ProvisionerJob]:
    """Return the jobs that are asked for, with what a row shows; `rank` 0 runs, 1 waits."""
    jobs = visible_jobs(viewer).filter(_condition(asked)).annotate(rank=RANK)
    return jobs.select_related(
        "workspace__template", "initiator", "daemon", "build__template_version"
    )


def find_job(viewer: User, job_id: UUID) -> ProvisionerJob | None:
    """Return one job with what its page shows, or None."""
    found = visible_jobs(viewer).select_related(
        "workspace__template",
        "workspace__owner",
        "organization",
        "initiator",
        "daemon",
        "build__template_version",
        "build__preset",
    )
    return found.filter(pk=job_id).first()


def size_of_queue(viewer: User) -> QueueSize:
    """Count what is unfinished; one statement."""
    by_prebuilds = Q(initiator=PREBUILDS_USER_ID)
    counts = (
        visible_jobs(viewer)
        .filter(IS_UNFINISHED)
        .aggregate(
            people=Count("pk", filter=IS_PENDING & ~by_prebuilds),
            prebuilds=Count("pk", filter=IS_PENDING & by_prebuilds),
            running=Count("pk", filter=Q(started_at__isnull=False)),
        )
    )
    return QueueSize(**counts)


def tail_of(job: ProvisionerJob) -> list[JobLog]:
    """Return the last lines of a job's log and one more, if there are more, as they were written.

    The caller shows LOG_TAIL of them. No statement for a job that has written nothing.
    """
    if not job.log_length:
        return []
    return list(reversed(JobLog.objects.filter(job=job).order_by("-id")[: LOG_TAIL + 1]))


def log_lines(job: ProvisionerJob) -> Iterable[str]:
    """Yield the whole log as lines of a text file."""
    lines = JobLog.objects.filter(job=job).order_by("id")
    for at, output in lines.values_list("at", "output").iterator(chunk_size=1_000):
        yield f"{at.isoformat(timespec='milliseconds')} {output}\n"


def fitting_daemons(job: ProvisionerJob, now: datetime) -> list[DaemonRow]:
    """Return the daemons that are online and could do the job, as the acquire sees it."""
    return [
        daemon
        for daemon in list_daemons(now=now, organization_ids={job.organization_id})
        if daemon.status != DaemonStatus.OFFLINE
        and job.provisioner_type in daemon.provisioner_types
        and job.tags.items() <= daemon.tags.items()
        and job.machine in {"", daemon.machine}
    ]


def templates_to_offer(viewer: User) -> list[Template]:
    """Return the templates one may filter by."""
    readable = subject_of(viewer).readable_organizations(Resource.TEMPLATE)
    found = Template.objects.filter(deleted_at__isnull=True).order_by("name", "pk")
    if readable is not None:
        found = found.filter(organization__in=readable)
    return list(found[:TEMPLATES_OFFERED])


def organizations_to_offer(viewer: User) -> list[Organization]:
    """Return the organizations one may filter by."""
    readable = subject_of(viewer).readable_organizations(Resource.ORGANIZATION)
    found = Organization.objects.order_by("name")
    return list(found if readable is None else found.filter(pk__in=readable))


def find_floods(viewer: User, asked: Asked) -> list[Flood]:
    """Return the templates with waiting starts of prebuilds that the person may cancel."""
    waiting = IS_PENDING & Q(
        initiator=PREBUILDS_USER_ID,
        workspace__owner=PREBUILDS_USER_ID,
        workspace__deleted_at__isnull=True,
        build__transition=Transition.START,
    )
    places = _condition(Asked(status=ALL, template=asked.template, organization=asked.organization))
    counts = dict(
        visible_jobs(viewer)
        .filter(waiting, places)
        .order_by()
        .values_list("workspace__template")
        .annotate(count=Count("pk"))
    )
    templates = Template.objects.filter(pk__in=counts).order_by("name", "pk")
    subject = subject_of(viewer)
    return [
        Flood(template=template, count=counts[template.pk])
        for template in templates
        if subject.can(
            Action.DELETE,
            Resource.PREBUILT_WORKSPACE,
            organization_id=template.organization_id,
        )
    ]


def _condition(asked: Asked) -> Q:
    condition = Q()
    if asked.status == OPEN:
        condition &= IS_UNFINISHED
    elif asked.status != ALL:
        condition &= Q(status=asked.status)
    if asked.who:
        by_prebuilds = Q(initiator=PREBUILDS_USER_ID)
        condition &= by_prebuilds if asked.who == PREBUILDS else ~by_prebuilds
    if asked.kind:
        condition &= Q(build__transition=asked.kind)
    if asked.template:
        condition &= Q(workspace__template=asked.template)
    if asked.organization:
        condition &= Q(organization=asked.organization)
    return condition
