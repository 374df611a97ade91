"""Every statement of this package that takes a row lock. Order everywhere: workspace, build, job.

Callers hold a transaction; without one Django raises.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from accounts.models import Membership
from workspaces.models import (
    Agent,
    ProvisionerDaemon,
    ProvisionerJob,
    Workspace,
    WorkspaceBuild,
)
from workspaces.models.workspace import IS_LIVE, IS_PREBUILD

ACQUIRE_JOB: Final = """
UPDATE workspaces_provisionerjob AS job
   SET started_at = %(now)s, heartbeat_at = %(now)s, daemon_id = %(daemon)s, lease = %(lease)s
 WHERE job.id = (
       SELECT candidate.id
         FROM workspaces_provisionerjob AS candidate
        WHERE candidate.completed_at IS NULL
          AND candidate.started_at IS NULL
          AND candidate.canceled_at IS NULL
          AND candidate.provisioner_type = ANY(%(types)s)
          AND candidate.tags <@ %(tags)s::jsonb
          AND (%(organization)s::uuid IS NULL OR candidate.organization_id = %(organization)s)
        ORDER BY candidate.priority, candidate.created_at, candidate.id
        LIMIT 1
          FOR UPDATE SKIP LOCKED)
RETURNING job.id
"""


def lease_next_job(
    *,
    daemon_id: UUID,
    organization_id: UUID | None,
    types: Collection[str],
    tags: str,
    lease: UUID,
    now: datetime,
) -> UUID | None:
    """Give the first pending job that fits to a daemon; None when there is none.

    One statement: jobs other daemons are just taking are skipped, never waited for. `tags` is
    the daemon's, as JSON text; a job fits when its own tags are contained in them.
    """
    parameters: dict[str, Any] = {
        "daemon": daemon_id,
        "organization": organization_id,
        "types": list(types),
        "tags": tags,
        "lease": lease,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(ACQUIRE_JOB, parameters)
        row = cursor.fetchone()
    return row[0] if row else None


def lock_workspace(workspace_id: UUID) -> Workspace:
    """Lock one workspace row and return it as it is now; Workspace.DoesNotExist when missing."""
    return Workspace.objects.select_for_update(of=("self",)).get(pk=workspace_id)


def lock_free_workspace(workspace_id: UUID) -> Workspace | None:
    """Lock a person's live workspace; None when somebody holds it, it is gone, or a prebuild.

    Never waits: what somebody else is at is theirs, and looked at again by the next tick.
    """
    rows = Workspace.objects.select_for_update(of=("self",), skip_locked=True)
    return rows.filter(IS_LIVE, ~IS_PREBUILD, pk=workspace_id).first()


def lock_leased_job(*, job_id: UUID, lease: UUID) -> ProvisionerJob | None:
    """Lock a job its daemon still holds; None when the lease moved on or the job has ended."""
    return (
        ProvisionerJob.objects.select_for_update(of=("self",))
        .filter(pk=job_id, lease=lease, completed_at__isnull=True)
        .first()
    )


def lock_leased_build(*, job_id: UUID, lease: UUID) -> WorkspaceBuild | None:
    """Return the build of a job this lease was given, its workspace locked; None for any other.

    The job is not locked yet, and may have ended: whoever changes it asks for the lease again.
    """
    rows = WorkspaceBuild.objects.select_related("workspace").select_for_update(of=("workspace",))
    return rows.filter(job_id=job_id, job__lease=lease).first()


def lock_job(job_id: UUID) -> ProvisionerJob:
    """Lock one job row; ProvisionerJob.DoesNotExist when missing."""
    return ProvisionerJob.objects.select_for_update(of=("self",)).get(pk=job_id)


def lock_membership(*, owner_id: UUID, organization_id: UUID) -> None:
    """Lock a person's membership of an organization while their quota is counted."""
    rows = Membership.objects.select_for_update(of=("self",)).filter(
        user_id=owner_id, organization_id=organization_id
    )
    rows.first()


def lock_daemon(daemon_id: UUID) -> None:
    """Lock one daemon's row against another acquire of the same daemon.

    `no_key` lets jobs that refer to the daemon be changed meanwhile.
    """
    daemons = ProvisionerDaemon.objects.select_for_update(of=("self",), no_key=True)
    daemons.filter(pk=daemon_id).first()


def lock_agent(agent_id: UUID) -> Agent:
    """Lock one agent row; Agent.DoesNotExist when missing."""
    return Agent.objects.select_for_update(of=("self",)).get(pk=agent_id)
