"""Every statement of this package that takes a row lock. Order everywhere: workspace, build, job.

It is long because all of them are here, to be read side by side.
Callers hold a transaction; without one Django raises.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from accounts.models import Membership
from workspaces.models import Agent, ProvisionerDaemon, ProvisionerJob, Workspace
from workspaces.models.workspace import IS_LIVE, IS_PREBUILD
from workspaces.protocol import AcquiredJob

_DESCRIBED: Final = """
SELECT taken.id AS job_id, taken.lease, taken.traceparent, build.id AS build_id, build.build_number,
       workspace.id AS workspace_id, workspace.name AS workspace_name,
       workspace.owner_id, owner.username AS owner_name,
       template.name AS template_name, version.name AS template_version,
       build.transition, build.stage, version.source_files, version.startup_script,
       version.startup_timeout_seconds,
       (SELECT coalesce(jsonb_object_agg(given.name, given.value), '{}')
          FROM workspaces_buildparameter AS given
         WHERE given.build_id = build.id) AS parameters,
       coalesce((
           SELECT earlier.provisioner_state
             FROM workspaces_workspacebuild AS earlier
            WHERE earlier.workspace_id = build.workspace_id
              AND earlier.build_number < build.build_number
              AND earlier.provisioner_state <> '{}'
            ORDER BY earlier.build_number DESC
            LIMIT 1), '{}') AS provisioner_state
  FROM taken
  JOIN workspaces_workspacebuild AS build ON build.job_id = taken.id
  JOIN workspaces_workspace AS workspace ON workspace.id = build.workspace_id
  JOIN accounts_user AS owner ON owner.id = workspace.owner_id
  JOIN templates_app_template AS template ON template.id = workspace.template_id
  JOIN templates_app_templateversion AS version ON version.id = build.template_version_id
"""

ACQUIRE_JOB: Final = f"""
WITH taken AS (
    UPDATE workspaces_provisionerjob AS job
       SET started_at = %(now)s, heartbeat_at = %(now)s, daemon_id = %(daemon)s,
           lease = %(lease)s, machine = %(machine)s
     WHERE job.id = (
           SELECT candidate.id
             FROM workspaces_provisionerjob AS candidate
            WHERE candidate.completed_at IS NULL
              AND candidate.started_at IS NULL
              AND candidate.canceled_at IS NULL
              AND candidate.provisioner_type = ANY(%(types)s)
              AND candidate.tags <@ %(tags)s::jsonb
              AND candidate.machine IN ('', %(machine)s)
              AND (%(organization)s::uuid IS NULL OR candidate.organization_id = %(organization)s)
            ORDER BY candidate.priority, candidate.created_at, candidate.id
            LIMIT 1
              FOR UPDATE SKIP LOCKED)
    RETURNING job.id, job.lease, job.traceparent
){_DESCRIBED}"""  # noqa: S608  constants alone

RENEW_LEASE: Final = f"""
WITH taken AS (
    UPDATE workspaces_provisionerjob AS job
       SET heartbeat_at = %(now)s
     WHERE job.daemon_id = %(daemon)s AND job.lease = %(lease)s
       AND job.started_at IS NOT NULL AND job.completed_at IS NULL
    RETURNING job.id, job.lease, job.traceparent
){_DESCRIBED}"""  # noqa: S608  constants alone


LOCK_LEASED_BUILD: Final = """
SELECT build.id, build.transition,
       workspace.id, workspace.owner_id, workspace.template_id, workspace.ttl_seconds
  FROM workspaces_workspacebuild AS build
  JOIN workspaces_provisionerjob AS job ON job.id = build.job_id
  JOIN workspaces_workspace AS workspace ON workspace.id = build.workspace_id
 WHERE build.job_id = %(job)s AND job.lease = %(lease)s
   FOR UPDATE OF workspace
"""

END_BUILD: Final = """
WITH ended AS (
    UPDATE workspaces_provisionerjob
       SET completed_at = %(now)s, heartbeat_at = %(now)s
     WHERE id = %(job)s AND lease = %(lease)s AND completed_at IS NULL
    RETURNING id
)
UPDATE workspaces_workspacebuild AS build
   SET provisioner_state = %(state)s, replacements = %(replacements)s, deadline = %(deadline)s
  FROM ended
 WHERE build.job_id = ended.id
"""

RECORD_RESOURCES: Final = """
WITH known AS (
    SELECT id, type, name FROM workspaces_workspaceresource WHERE build_id = %(build)s
), made AS (
    INSERT INTO workspaces_workspaceresource (id, build_id, type, name, created_at)
    SELECT gen_random_uuid(), %(build)s, given.type, given.name, %(now)s
      FROM unnest(%(types)s::text[], %(names)s::text[]) AS given (type, name)
     WHERE (given.type, given.name) NOT IN (SELECT type, name FROM known)
    RETURNING id, type, name
), resource AS (
    SELECT * FROM known UNION ALL SELECT * FROM made
)
INSERT INTO workspaces_agent AS agent
       (id, resource_id, name, token_digest, lifecycle_state, lifecycle_changed_at, created_at,
        log_length)
SELECT gen_random_uuid(), resource.id, given.agent, given.digest, 'created', %(now)s, %(now)s, 0
  FROM unnest(%(agent_types)s::text[], %(agent_names)s::text[], %(agents)s::text[],
              %(digests)s::bytea[]) AS given (type, name, agent, digest)
  JOIN resource ON resource.type = given.type AND resource.name = given.name
    ON CONFLICT (resource_id, name) DO UPDATE SET token_digest = excluded.token_digest
"""


@dataclass(frozen=True, slots=True)
class LeasedBuild:
    """What completing a job wants to know of its build and the (locked) workspace."""

    pk: UUID
    transition: str
    workspace_id: UUID
    owner_id: UUID
    template_id: UUID
    ttl_seconds: int | None


def lease_next_job(
    *,
    daemon_id: UUID,
    organization_id: UUID | None,
    types: Collection[str],
    tags: str,
    machine: str,
    lease: UUID,
    access_url: str,
    now: datetime,
) -> AcquiredJob | None:
    """Give the first pending job that fits to a daemon; None when there is none.

    One statement: jobs other daemons are just taking are skipped, never waited for. `tags` is
    the daemon's, as JSON text; a job fits when its own tags are contained in them, and when it
    is bound to no machine or to this one. From then on it is bound to this one.
    """
    parameters: dict[str, Any] = {
        "daemon": daemon_id,
        "organization": organization_id,
        "types": list(types),
        "tags": tags,
        "machine": machine,
        "lease": lease,
        "now": now,
    }
    return _taken(ACQUIRE_JOB, parameters, access_url)


def renew_lease(
    *, daemon_id: UUID, lease: UUID, access_url: str, now: datetime
) -> AcquiredJob | None:
    """Keep the job alive that a daemon holds by this lease, and return it; None when there is none.

    The daemon is locked: its acquires go one after the other.
    """
    parameters = {"daemon": daemon_id, "lease": lease, "now": now}
    return _taken(RENEW_LEASE, parameters, access_url)


def _taken(statement: str, parameters: Mapping[str, Any], access_url: str) -> AcquiredJob | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
        names = [column.name for column in cursor.description or ()]
    if row is None:
        return None
    found = dict(zip(names, row, strict=True))
    for name in ("source_files", "parameters", "provisioner_state"):
        found[name] = json.loads(found[name])
    return AcquiredJob(**found, access_url=access_url)


def lock_workspace(workspace_id: UUID) -> Workspace:
    """Lock one workspace row and return it as it is now; Workspace.DoesNotExist when missing."""
    return Workspace.objects.select_for_update(of=("self",)).get(pk=workspace_id)


def lock_workspaces_on(machine: str) -> list[UUID]:
    """Lock the live workspaces with a job bound to a machine, in the order of their ids.

    Who is making a build of one is waited for, so that no job is bound behind our back.
    """
    bound = ProvisionerJob.objects.filter(machine=machine).values("workspace")
    rows = Workspace.objects.filter(IS_LIVE, pk__in=bound).select_for_update(of=("self",))
    return list(rows.order_by("pk").values_list("pk", flat=True))


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


def lock_leased_build(*, job_id: UUID, lease: UUID) -> LeasedBuild | None:
    """Return the build of a job this lease was given, its workspace locked; None for any other.

    The job is not locked yet, and may have ended: whoever changes it asks for the lease again.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK_LEASED_BUILD, {"job": job_id, "lease": lease})
        row = cursor.fetchone()
    return LeasedBuild(*row) if row else None


def end_build(
    *,
    job_id: UUID,
    lease: UUID,
    state: Mapping[str, Any],
    replacements: Sequence[Mapping[str, Any]],
    deadline: datetime | None,
    now: datetime,
) -> bool:
    """End a job well and store what its build left behind; False when the lease has moved on."""
    parameters: dict[str, Any] = {
        "job": job_id,
        "lease": lease,
        "state": json.dumps(state),
        "replacements": json.dumps(replacements),
        "deadline": deadline,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(END_BUILD, parameters)
        return bool(cursor.rowcount)


def record_resources(
    *,
    build_id: UUID,
    resources: Collection[tuple[str, str]],
    agents: Mapping[tuple[str, str, str], bytes],
    now: datetime,
) -> None:
    """Store the resources (type, name) of a build and the digests of their agents' tokens.

    What is known stays as it is, but for the digest. The caller has the build's job locked.
    """
    parameters: dict[str, Any] = {
        "build": build_id,
        "types": [type_ for type_, _ in resources],
        "names": [name for _, name in resources],
        "agent_types": [type_ for type_, _, _ in agents],
        "agent_names": [name for _, name, _ in agents],
        "agents": [agent for _, _, agent in agents],
        "digests": list(agents.values()),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(RECORD_RESOURCES, parameters)


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
