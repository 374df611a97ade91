"""Where workspaces are kept: the machine a job is bound to, and which machines are away. No writes.

A machine is the place where a daemon's driver keeps workspaces; daemons of one place share it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Case, CharField, Count, Func, Q, QuerySet, UUIDField, Value, When

from accounts.system import PREBUILDS_USER_ID
from workspaces.enums import JobStatus
from workspaces.errors import UnknownMachine
from workspaces.models import ProvisionerDaemon, ProvisionerJob
from workspaces.models.job import IS_PENDING

OFFLINE_AFTER: Final = timedelta(seconds=30)
"""A daemon says every 5 s that it is alive; one that did not for this long counts as away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine, by the daemon of it that is online, or was seen last."""

    machine: str
    daemon_id: UUID
    organization_id: UUID | None
    name: str
    hostname: str
    last_seen_at: datetime
    is_online: bool

    @property
    def known_as(self) -> str:
        """How people know it: by its provisioner and its host name."""
        return f"{self.name} on {self.hostname}" if self.hostname else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What is bound to a machine: live workspaces, those of people among them, waiting jobs."""

    workspaces: int
    of_people: int
    pending_jobs: int


NOTHING: Final = Holdings(workspaces=0, of_people=0, pending_jobs=0)


def bound_machine(workspace_id: UUID, *, besides: UUID | None = None) -> Func:
    """Return, as an expression, the machine of the newest job of a workspace that has one.

    Empty for a workspace that was on no machine yet. `besides` is a job that does not count. A
    function of the database: a subquery in each of a thousand rows would be planned a thousand
    times.
    """
    asked = [Value(each, output_field=UUIDField()) for each in (workspace_id, besides)]
    return Func(*asked, function="machine_of_workspace", output_field=CharField())


def is_online(now: datetime) -> Q:
    """Return the condition for a daemon that was heard lately and has not said goodbye."""
    return Q(stopped_at__isnull=True, last_seen_at__gt=now - OFFLINE_AFTER)


def find_machine(machine: str, *, now: datetime) -> Machine:
    """Return a machine. Raises UnknownMachine when no daemon ever came from it."""
    found = _daemons_of([machine], now) if machine else []
    if not found:
        raise UnknownMachine(machine)
    return max(found, key=_by_presence)


def serving_organizations(machine: str) -> set[UUID | None]:
    """Return the organizations whose daemons came from a machine; None stands for all."""
    daemons = ProvisionerDaemon.objects.filter(machine=machine)
    return set(daemons.values_list("organization", flat=True).order_by().distinct())


def count_holdings(machine: str) -> Holdings:
    """Count what is bound to a machine; one statement."""
    return _holdings(ProvisionerJob.objects.filter(machine=machine)).get(machine, NOTHING)


def list_machines(*, now: datetime) -> list[tuple[Machine, Holdings]]:
    """Return the machines that are online or hold something, with what; two statements."""
    holdings = _holdings(ProvisionerJob.objects.exclude(machine=""))
    best: dict[str, Machine] = {}
    for one in _daemons_of(None, now):
        best[one.machine] = max(best.get(one.machine, one), one, key=_by_presence)
    shown = [one for one in best.values() if one.is_online or one.machine in holdings]
    shown.sort(key=lambda one: (not one.is_online, one.name, one.machine))
    return [(one, holdings.get(one.machine, NOTHING)) for one in shown]


def awaited_machines(jobs: Collection[ProvisionerJob], *, now: datetime) -> Mapping[UUID, Machine]:
    """Return, by job, the machine a pending one waits for while no daemon of it is online.

    Only daemons that serve the job's organization count. One statement; none when no job waits
    for a machine of its own.
    """
    waiting = [job for job in jobs if job.machine and job.status == JobStatus.PENDING]
    away = _away({(job.machine, job.organization_id) for job in waiting}, now)
    found = {job.pk: away.get((job.machine, job.organization_id)) for job in waiting}
    return {job_id: machine for job_id, machine in found.items() if machine}


def count_awaiting(*, now: datetime) -> list[tuple[Machine, int]]:
    """Return the machines that are away and how many jobs wait for each; two statements."""
    pending = ProvisionerJob.objects.filter(IS_PENDING).exclude(machine="").order_by()
    counts = pending.values_list("machine", "organization").annotate(Count("pk"))
    numbers = {(machine, home): number for machine, home, number in counts}
    totals: dict[Machine, int] = {}
    for place, machine in _away(set(numbers), now).items():
        totals[machine] = totals.get(machine, 0) + numbers[place]
    return sorted(totals.items(), key=lambda one: one[0].name)


def _away(places: Collection[tuple[str, UUID]], now: datetime) -> dict[tuple[str, UUID], Machine]:
    """Return the machines, each as an organization sees it, that have daemons but none online."""
    daemons = _daemons_of({machine for machine, _ in places}, now) if places else []
    away = {}
    for machine, home in places:
        serving = [
            one for one in daemons if one.machine == machine and one.organization_id in {None, home}
        ]
        best = max(serving, key=_by_presence, default=None)
        if best and not best.is_online:
            away[machine, home] = best
    return away


def _by_presence(machine: Machine) -> tuple[bool, datetime]:
    return machine.is_online, machine.last_seen_at


def _daemons_of(wanted: Collection[str] | None, now: datetime) -> list[Machine]:
    """Return one daemon for each machine (None: of all) and organization: online, or seen last."""
    online = Case(When(is_online(now), then=Value(True)), default=Value(False))
    daemons = ProvisionerDaemon.objects.annotate(online=online).order_by(
        "machine", "organization_id", "-online", "-last_seen_at", "pk"
    )
    known = daemons.exclude(machine="") if wanted is None else daemons.filter(machine__in=wanted)
    return [
        Machine(
            machine=daemon.machine,
            daemon_id=daemon.pk,
            organization_id=daemon.organization_id,
            name=daemon.name,
            hostname=daemon.hostname,
            last_seen_at=daemon.last_seen_at,
            is_online=daemon.online,
        )
        for daemon in known.distinct("machine", "organization_id")
    ]


def _holdings(jobs: QuerySet[ProvisionerJob]) -> dict[str, Holdings]:
    """Count by machine what these jobs bind."""
    live = jobs.filter(workspace__deleted_at__isnull=True).order_by().values("machine")
    counts = live.annotate(
        workspaces=Count("workspace", distinct=True),
        of_people=Count("workspace", distinct=True, filter=~Q(workspace__owner=PREBUILDS_USER_ID)),
        pending_jobs=Count("pk", filter=IS_PENDING),
    )
    return {
        row["machine"]: Holdings(
            workspaces=row["workspaces"],
            of_people=row["of_people"],
            pending_jobs=row["pending_jobs"],
        )
        for row in counts
    }
