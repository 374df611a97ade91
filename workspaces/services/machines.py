"""A machine is gone for good: what was bound to it may be done by any daemon from now on."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from accounts import audit
from accounts.audit import Actor
from workspaces import locks, machines
from workspaces.errors import MachineOnline
from workspaces.models import ProvisionerDaemon, ProvisionerJob
from workspaces.models.job import IS_PENDING, IS_UNFINISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a machine let go of: live workspaces, and how many of their jobs wait."""

    workspaces: int
    pending_jobs: int


def forget_machine(*, machine: str, actor: Actor, now: datetime) -> Release:
    """Release the live workspaces of a machine, and their waiting jobs; their files are lost.

    One transaction, workspaces before jobs. Nothing is written down when nothing was bound.
    Raises UnknownMachine, and MachineOnline while a daemon of it is online or holds a job.
    """
    machines.find_machine(machine, now=now)  # what is unknown locks nothing
    with transaction.atomic():
        workspace_ids = locks.lock_workspaces_on(machine)
        # Again, when nothing is waited for any more: a daemon may have come back meanwhile.
        found = machines.find_machine(machine, now=now)
        bound = ProvisionerJob.objects.filter(machine=machine, workspace__in=workspace_ids)
        if found.is_online or bound.filter(IS_UNFINISHED, started_at__isnull=False).exists():
            raise MachineOnline(found.name)
        release = Release(
            workspaces=len(workspace_ids), pending_jobs=bound.filter(IS_PENDING).count()
        )
        if workspace_ids:
            # One that a daemon takes at this instant is there, whatever we were told.
            bound.filter(Q(started_at__isnull=True) | Q(completed_at__isnull=False)).update(
                machine=""
            )
            audit.record(
                actor=actor,
                action="forget_machine",
                target=ProvisionerDaemon.objects.get(pk=found.daemon_id),
                now=now,
                before={"machine": machine},
                after={
                    "workspaces_released": release.workspaces,
                    "pending_jobs_released": release.pending_jobs,
                },
            )
    return release
