"""OBSERVE: read everything a cycle decides from (semantics.md 2).

A constant number of statements on the alias `snapshot`, whatever the number of presets; the
caller holds its transaction. Storage words become the core's words here and nowhere else.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import connections

from accounts.system import PREBUILDS_USER_ID
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import (
    Attempt,
    FailedDeletion,
    FailedPrebuild,
    OrganizationSnapshot,
    PendingStart,
    PresetSnapshot,
    RunningPrebuild,
    Snapshot,
    Status,
)
from prebuilds.locks import SNAPSHOT_ALIAS
from prebuilds.models import PrebuildsSettings
from templates_app.schedules import Schedule

PRESETS: Final = """
SELECT preset.id, preset.name, template.id, template.name, version.id, version.name,
       organization.id, organization.name,
       template.active_version_id IS NOT DISTINCT FROM version.id,
       template.deleted_at IS NOT NULL, template.deprecation_message <> '',
       preset.desired_instances, preset.ttl_seconds, preset.scheduling_timezone,
       preset.last_invalidated_at, preset.prebuild_status, preset.status_reason,
       version.daily_cost
  FROM templates_app_preset AS preset
  JOIN templates_app_templateversion AS version ON version.id = preset.version_id
  JOIN templates_app_template AS template ON template.id = version.template_id
  JOIN accounts_organization AS organization ON organization.id = template.organization_id
 WHERE preset.desired_instances IS NOT NULL
 ORDER BY organization.name, template.name, version.created_at, preset.name, preset.id
"""

SCHEDULES: Final = """
SELECT schedule.preset_id, schedule.cron_expression, schedule.desired_instances
  FROM templates_app_presetschedule AS schedule
  JOIN templates_app_preset AS preset ON preset.id = schedule.preset_id
  JOIN templates_app_template AS template ON template.active_version_id = preset.version_id
 WHERE preset.desired_instances IS NOT NULL
   AND template.deleted_at IS NULL AND template.deprecation_message = ''
 ORDER BY schedule.preset_id, schedule.position, schedule.id
"""

PREBUILDS: Final = """
SELECT workspace.id, workspace.created_at, build.preset_id, build.build_number,
       build.transition, build.job_id, job.status, job.started_at IS NOT NULL,
       job.completed_at, coalesce(agents.ready, false), agents.lost_ready_at
  FROM workspaces_workspace AS workspace
  JOIN workspaces_workspacebuild AS build ON build.id = workspace.latest_build_id
  JOIN workspaces_provisionerjob AS job ON job.id = build.job_id
  LEFT JOIN (
       SELECT resource.build_id, bool_and(agent.lifecycle_state = 'ready') AS ready,
              max(agent.lifecycle_changed_at) FILTER (
                  WHERE agent.lifecycle_state <> 'ready' AND agent.ready_at IS NOT NULL
              ) AS lost_ready_at
         FROM workspaces_agent AS agent
         JOIN workspaces_workspaceresource AS resource ON resource.id = agent.resource_id
         JOIN workspaces_workspace AS prebuild ON prebuild.latest_build_id = resource.build_id
        WHERE prebuild.owner_id = %(prebuilds)s AND prebuild.deleted_at IS NULL
        GROUP BY resource.build_id
       ) AS agents ON agents.build_id = build.id
 WHERE workspace.owner_id = %(prebuilds)s AND workspace.deleted_at IS NULL
   AND build.preset_id IS NOT NULL
"""

FAILED_DELETIONS: Final = """
SELECT workspace.id, count(*)
  FROM workspaces_workspace AS workspace
  JOIN workspaces_workspacebuild AS latest ON latest.id = workspace.latest_build_id
  JOIN workspaces_provisionerjob AS latest_job ON latest_job.id = latest.job_id
  JOIN workspaces_workspacebuild AS build ON build.workspace_id = workspace.id
  JOIN workspaces_provisionerjob AS job ON job.id = build.job_id
 WHERE workspace.owner_id = %(prebuilds)s AND workspace.deleted_at IS NULL
   AND latest.transition = 'delete' AND latest_job.status = 'failed'
   AND build.transition = 'delete' AND job.status = 'failed'
 GROUP BY workspace.id
"""

ATTEMPTS: Final = """
WITH attempt AS NOT MATERIALIZED (
    SELECT build.id, build.preset_id, build.created_at,
           coalesce(never_ready.created_at, job.completed_at) AS finished_at,
           job.status = 'failed' OR never_ready.created_at IS NOT NULL AS failed
      FROM workspaces_workspacebuild AS build
      JOIN workspaces_provisionerjob AS job ON job.id = build.job_id
      LEFT JOIN workspaces_workspacebuild AS never_ready
             ON never_ready.workspace_id = build.workspace_id
            AND never_ready.build_number = 2
            AND never_ready.action_reason = 'never_ready'
     WHERE build.build_number = 1 AND build.transition = 'start'
       AND build.initiator_id = %(prebuilds)s
       AND job.status IN ('succeeded', 'failed')
), preset AS (
    SELECT preset.id, coalesce(preset.failures_reset_at, '-infinity') AS reset_at,
           greatest(%(hard_limit)s, 1, preset.desired_instances,
                    (SELECT max(schedule.desired_instances)
                       FROM templates_app_presetschedule AS schedule
                      WHERE schedule.preset_id = preset.id)) AS size
      FROM templates_app_preset AS preset
      JOIN templates_app_template AS template ON template.active_version_id = preset.version_id
     WHERE preset.desired_instances IS NOT NULL
       AND template.deleted_at IS NULL AND template.deprecation_message = ''
)
SELECT preset.id, newest.created_at, newest.finished_at, newest.failed
  FROM preset
 CROSS JOIN LATERAL (
       (SELECT * FROM attempt
         WHERE attempt.preset_id = preset.id AND attempt.finished_at > preset.reset_at
         ORDER BY attempt.created_at DESC, attempt.finished_at DESC
         LIMIT preset.size)
       UNION
       (SELECT * FROM attempt
         WHERE attempt.preset_id = preset.id AND attempt.finished_at > preset.reset_at
           AND attempt.failed AND attempt.finished_at >= %(since)s
           AND attempt.created_at >= %(created_since)s)
       ) AS newest
"""
LONGEST_ATTEMPT: Final = timedelta(days=1)
"""No attempt takes longer; it bounds how far back recent failures are looked for."""

ORGANIZATIONS: Final = """
SELECT organization.id,
       (SELECT coalesce(sum(team.quota_allowance), 0)
          FROM accounts_group AS team
          JOIN accounts_groupmembership AS member ON member.group_id = team.id
         WHERE team.organization_id = organization.id
           AND member.user_id = %(prebuilds)s),
       count(*) FILTER (WHERE job.completed_at IS NULL AND job.canceled_at IS NULL),
       coalesce(sum(build.daily_cost), 0)
  FROM accounts_organization AS organization
  LEFT JOIN workspaces_workspace AS workspace
         ON workspace.organization_id = organization.id
        AND workspace.owner_id = %(prebuilds)s AND workspace.deleted_at IS NULL
  LEFT JOIN workspaces_workspacebuild AS build ON build.id = workspace.latest_build_id
  LEFT JOIN workspaces_provisionerjob AS job ON job.id = build.job_id
 GROUP BY organization.id
"""

Row = tuple[Any, ...]


class _Members:
    """The prebuilds of one preset, sorted by what is happening to them."""

    __slots__ = (
        "deleting",
        "failed",
        "failed_deletions",
        "pending",
        "running",
        "starting",
        "stopping",
    )

    def __init__(self) -> None:
        self.running: list[RunningPrebuild] = []
        self.pending: list[PendingStart] = []
        self.failed: list[FailedPrebuild] = []
        self.failed_deletions: list[FailedDeletion] = []
        self.starting = self.stopping = self.deleting = 0


def take_snapshot(policy: Policy, *, now: datetime, using: str = SNAPSHOT_ALIAS) -> Snapshot:
    """Read the snapshot; only one statement when no preset has a pool."""
    fetch = partial(_fetch, using)
    presets = fetch(PRESETS)
    if not presets:
        return Snapshot()
    schedules = _schedules(fetch(SCHEDULES))
    tries: dict[UUID, int] = dict(fetch(FAILED_DELETIONS))
    members = _sort_members(fetch(PREBUILDS), tries)
    since = now - policy.backoff_lookback
    attempts = _attempts(
        fetch(
            ATTEMPTS,
            hard_limit=policy.failure_hard_limit,
            since=since,
            created_since=since - LONGEST_ATTEMPT,
        )
    )
    nobody = _Members()
    return Snapshot(
        presets=tuple(
            _preset(row, schedules[row[0]], members.get(row[0], nobody), attempts[row[0]])
            for row in presets
        ),
        organizations={row[0]: _organization(row) for row in fetch(ORGANIZATIONS)},
    )


def is_paused(now: datetime) -> bool:
    """Return whether people have paused reconciliation at this instant (semantics.md 19)."""
    row = PrebuildsSettings.objects.filter(reconciliation_paused=True).first()
    return row is not None and (row.paused_until is None or now < row.paused_until)


def _fetch(using: str, sql: str, **parameters: int | datetime) -> list[Row]:
    with connections[using].cursor() as cursor:
        cursor.execute(sql, {"prebuilds": PREBUILDS_USER_ID, **parameters})
        rows: list[Row] = cursor.fetchall()
    return rows


def _sort_members(rows: Iterable[Row], tries: dict[UUID, int]) -> dict[UUID, _Members]:
    members: dict[UUID, _Members] = defaultdict(_Members)
    for row in rows:
        _sort_member(members[row[2]], row, tries)
    return members


def _sort_member(group: _Members, row: Row, tries: dict[UUID, int]) -> None:
    """Put one prebuild where it counts; a stopped one is parked by a human and counts nowhere."""
    workspace_id, created_at, _, number, transition, job_id, status = row[:7]
    started, ended_at, ready, lost_ready_at = row[7:]
    match transition, status:
        case "start", "succeeded":
            group.running.append(
                RunningPrebuild(
                    id=workspace_id,
                    created_at=created_at,
                    started_at=ended_at,
                    ready=ready,
                    lost_ready_at=lost_ready_at,
                )
            )
        case "start", "pending" | "running":
            group.starting += 1
            if number == 1 and not started:
                group.pending.append(
                    PendingStart(workspace_id=workspace_id, job_id=job_id, created_at=created_at)
                )
        case "start", "failed" | "canceled":
            group.failed.append(
                FailedPrebuild(id=workspace_id, ended_at=ended_at, canceled=status == "canceled")
            )
        case "stop", "pending" | "running":
            group.stopping += 1
        case "delete", "pending" | "running":
            group.deleting += 1
        case "delete", "failed" | "canceled":
            group.failed_deletions.append(
                FailedDeletion(id=workspace_id, tries=tries.get(workspace_id, 1), ended_at=ended_at)
            )


def _preset(
    row: Row, schedules: Sequence[Schedule], members: _Members, attempts: Sequence[Attempt]
) -> PresetSnapshot:
    return PresetSnapshot(
        id=row[0],
        name=row[1],
        template_id=row[2],
        template_name=row[3],
        version_id=row[4],
        version_name=row[5],
        organization_id=row[6],
        organization_name=row[7],
        using_active_version=row[8],
        deleted=row[9],
        deprecated=row[10],
        desired_instances=row[11],
        ttl=timedelta(seconds=row[12]) if row[12] else None,
        scheduling_timezone=row[13],
        last_invalidated_at=row[14],
        status=Status(row[15]),
        status_reason=row[16],
        daily_cost=row[17],
        schedules=tuple(schedules),
        running=tuple(members.running),
        starting=members.starting,
        stopping=members.stopping,
        deleting=members.deleting,
        pending=tuple(members.pending),
        attempts=tuple(attempts),
        failed=tuple(members.failed),
        failed_deletions=tuple(members.failed_deletions),
    )


def _schedules(rows: Iterable[Row]) -> dict[UUID, list[Schedule]]:
    found: dict[UUID, list[Schedule]] = defaultdict(list)
    for preset_id, expression, instances in rows:
        found[preset_id].append(Schedule(expression=expression, desired_instances=instances))
    return found


def _attempts(rows: Iterable[Row]) -> dict[UUID, list[Attempt]]:
    found: dict[UUID, list[Attempt]] = defaultdict(list)
    for preset_id, created_at, finished_at, failed in rows:
        found[preset_id].append(
            Attempt(created_at=created_at, finished_at=finished_at, failed=failed)
        )
    return found


def _organization(row: Row) -> OrganizationSnapshot:
    return OrganizationSnapshot(
        quota_allowance=int(row[1]), in_flight=row[2], quota_used=int(row[3])
    )
