"""Fetch daemons, the keys they hold, and how long builds take. No writes."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final
from uuid import UUID

from django.db.models import F, Q

from accounts.selectors import digest
from workspaces.enums import DaemonStatus, Transition
from workspaces.errors import LeaseLost, UnknownDaemon, UnknownJob, UnknownProvisionerKey
from workspaces.machines import OFFLINE_AFTER
from workspaces.models import Agent, ProvisionerDaemon, ProvisionerJob, ProvisionerKey

SAMPLE_SIZE: Final = 20
"""Recent builds that say what is usual."""
FORGOTTEN_AFTER: Final = timedelta(days=7)
"""Daemons that were not seen for longer are not listed any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonJob:
    """What a daemon is doing."""

    job_id: UUID
    workspace_id: UUID
    workspace_name: str
    started_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonRow:
    """A daemon as a list shows it. No organization: it serves all; no key: beside the database."""

    daemon_id: UUID
    name: str
    hostname: str
    version: str
    organization_id: UUID | None
    organization_name: str
    key_id: UUID | None
    key_name: str
    provisioner_types: tuple[str, ...]
    tags: dict[str, str]
    concurrency: int
    machine: str
    started_at: datetime
    last_seen_at: datetime
    status: DaemonStatus
    jobs: tuple[DaemonJob, ...]


def find_key(secret: str) -> ProvisionerKey:
    """Return the live key with this secret, with its organization. UnknownProvisionerKey."""
    live = ProvisionerKey.objects.filter(digest=digest(secret), revoked_at__isnull=True)
    key = live.select_related("organization").first()
    if key is None:
        raise UnknownProvisionerKey
    return key


def list_keys(*, organization_ids: Collection[UUID] | None) -> list[ProvisionerKey]:
    """Return the live keys of these organizations (None: of all), with their organizations."""
    keys = ProvisionerKey.objects.filter(revoked_at__isnull=True).select_related("organization")
    if organization_ids is not None:
        keys = keys.filter(organization__in=organization_ids)
    return list(keys.order_by("organization__name", "name", "pk"))


def find_daemon(*, key: ProvisionerKey, daemon_id: UUID) -> ProvisionerDaemon:
    """Return one of a key's daemons. Raises UnknownDaemon, whoever else has that id."""
    daemon = ProvisionerDaemon.objects.filter(pk=daemon_id, key=key).first()
    if daemon is None:
        raise UnknownDaemon
    return daemon


def check_holder(*, daemon: ProvisionerDaemon, job_id: UUID) -> None:
    """Raise UnknownJob unless the daemon may know of the job, LeaseLost unless it holds it."""
    visible = ProvisionerJob.objects.filter(pk=job_id, organization=daemon.organization_id)
    holder = visible.values_list("daemon_id").first()
    if holder is None:
        raise UnknownJob
    if holder != (daemon.pk,):
        raise LeaseLost


def list_daemons(
    *, now: datetime, organization_ids: Collection[UUID] | None
) -> tuple[DaemonRow, ...]:
    """Return the daemons that serve these organizations (None: all), those online first.

    A daemon without an organization serves everybody and is in every list; of what it does only
    the jobs of these organizations are told. Two statements.
    """
    daemons = list(_listed(now, organization_ids))
    jobs = _jobs_of([daemon.pk for daemon in daemons], organization_ids)
    rows = [_row(daemon, jobs[daemon.pk], now) for daemon in daemons]
    return tuple(sorted(rows, key=lambda row: row.status == DaemonStatus.OFFLINE))


def _listed(
    now: datetime, organization_ids: Collection[UUID] | None
) -> Iterable[ProvisionerDaemon]:
    daemons = ProvisionerDaemon.objects.filter(last_seen_at__gt=now - FORGOTTEN_AFTER)
    if organization_ids is not None:
        serves = Q(organization__isnull=True) | Q(organization__in=organization_ids)
        daemons = daemons.filter(serves)
    return daemons.select_related("organization", "key").order_by("name", "-started_at", "pk")


def _jobs_of(
    daemon_ids: Collection[UUID], organization_ids: Collection[UUID] | None
) -> dict[UUID | None, list[DaemonJob]]:
    """Return what each daemon is doing, oldest first."""
    jobs = ProvisionerJob.objects.filter(
        daemon__in=daemon_ids, started_at__isnull=False, completed_at__isnull=True
    )
    if organization_ids is not None:
        jobs = jobs.filter(organization__in=organization_ids)
    found: dict[UUID | None, list[DaemonJob]] = defaultdict(list)
    for job in jobs.select_related("workspace").order_by("started_at", "pk"):
        found[job.daemon_id].append(
            DaemonJob(
                job_id=job.pk,
                workspace_id=job.workspace_id,
                workspace_name=job.workspace.name,
                started_at=job.started_at,
            )
        )
    return found


def _row(daemon: ProvisionerDaemon, jobs: Collection[DaemonJob], now: datetime) -> DaemonRow:
    return DaemonRow(
        daemon_id=daemon.pk,
        name=daemon.name,
        hostname=daemon.hostname,
        version=daemon.version,
        organization_id=daemon.organization_id,
        organization_name=str(daemon.organization or ""),
        key_id=daemon.key_id,
        key_name=str(daemon.key or ""),
        provisioner_types=tuple(daemon.provisioner_types),
        tags=dict(daemon.tags),
        concurrency=daemon.concurrency,
        machine=daemon.machine,
        started_at=daemon.started_at,
        last_seen_at=daemon.last_seen_at,
        status=_status(daemon, busy=bool(jobs), now=now),
        jobs=tuple(jobs),
    )


def _status(daemon: ProvisionerDaemon, *, busy: bool, now: datetime) -> DaemonStatus:
    if daemon.stopped_at is not None or daemon.last_seen_at <= now - OFFLINE_AFTER:
        return DaemonStatus.OFFLINE
    return DaemonStatus.BUSY if busy else DaemonStatus.IDLE


def usual_build_time(version_id: UUID | None) -> timedelta | None:
    """Return the median time from asking to ready over recent builds; None when never built."""
    spans = (
        Agent.objects.filter(
            resource__build__template_version_id=version_id,
            resource__build__build_number=1,
            resource__build__transition=Transition.START,
            ready_at__isnull=False,
        )
        .annotate(span=F("ready_at") - F("resource__build__created_at"))
        .order_by("-created_at")
        .values_list("span", flat=True)[:SAMPLE_SIZE]
    )
    seconds = [span.total_seconds() for span in spans]
    return timedelta(seconds=median(seconds)) if seconds else None
