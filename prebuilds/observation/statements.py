"""The statements of the snapshot (semantics.md 2): as many as they are here, and no more.

Parameters: `prebuilds` the prebuilds user, `only` one preset or NULL for all.
"""

from datetime import timedelta
from typing import Final

PRESETS: Final = """
WITH shown AS (
    SELECT preset.id
      FROM templates_app_template AS template
      JOIN templates_app_preset AS preset ON preset.version_id = template.active_version_id
     WHERE preset.desired_instances IS NOT NULL
       AND template.deleted_at IS NULL AND template.deprecation_message = ''
    UNION
    SELECT build.preset_id
      FROM workspaces_workspace AS workspace
      JOIN workspaces_workspacebuild AS build ON build.id = workspace.latest_build_id
     WHERE workspace.owner_id = %(prebuilds)s AND workspace.deleted_at IS NULL
)
SELECT preset.id, preset.name, template.id, template.name, version.id, version.name,
       organization.id, organization.name,
       template.active_version_id IS NOT DISTINCT FROM version.id,
       template.deleted_at IS NOT NULL, template.deprecation_message <> '',
       preset.desired_instances, preset.ttl_seconds, preset.scheduling_timezone,
       preset.last_invalidated_at, preset.prebuild_status, preset.status_reason,
       version.daily_cost
  FROM shown
  JOIN templates_app_preset AS preset ON preset.id = shown.id
  JOIN templates_app_templateversion AS version ON version.id = preset.version_id
  JOIN templates_app_template AS template ON template.id = version.template_id
  JOIN accounts_organization AS organization ON organization.id = template.organization_id
 WHERE preset.desired_instances IS NOT NULL
   AND (%(only)s::uuid IS NULL OR preset.id = %(only)s::uuid)
 ORDER BY organization.name, template.name, version.created_at, preset.name, preset.id
"""
"""Active presets, and the inactive ones that have anything left; the rest would be skipped."""

SCHEDULES: Final = """
SELECT schedule.preset_id, schedule.cron_expression, schedule.desired_instances
  FROM templates_app_presetschedule AS schedule
  JOIN templates_app_preset AS preset ON preset.id = schedule.preset_id
  JOIN templates_app_template AS template ON template.active_version_id = preset.version_id
 WHERE preset.desired_instances IS NOT NULL
   AND template.deleted_at IS NULL AND template.deprecation_message = ''
   AND (%(only)s::uuid IS NULL OR preset.id = %(only)s::uuid)
 ORDER BY schedule.preset_id, schedule.position, schedule.id
"""

PREBUILDS: Final = """
SELECT workspace.id, workspace.created_at, build.preset_id, build.build_number,
       build.transition, build.job_id, job.status, job.started_at IS NOT NULL,
       job.completed_at, coalesce(agents.ready, false), agents.lost_ready_at,
       CASE WHEN build.transition = 'delete' AND job.status IN ('failed', 'canceled') THEN (
            SELECT count(*)
              FROM workspaces_workspacebuild AS try
              JOIN workspaces_provisionerjob AS try_job ON try_job.id = try.job_id
             WHERE try.workspace_id = workspace.id
               AND try.transition = 'delete' AND try_job.status = 'failed'
               AND try.build_number > (
                   SELECT coalesce(max(other.build_number), 0)
                     FROM workspaces_workspacebuild AS other
                    WHERE other.workspace_id = workspace.id AND other.transition <> 'delete')
            ) END
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
   AND (%(only)s::uuid IS NULL OR build.preset_id = %(only)s::uuid)
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
       AND (%(only)s::uuid IS NULL OR preset.id = %(only)s::uuid)
)
SELECT id, created_at, finished_at, failed
  FROM (
       SELECT preset.id, newest.created_at, newest.finished_at, newest.failed,
              bool_or(newest.failed) OVER (PARTITION BY preset.id) AS any_failed
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
       ) AS counted
 WHERE any_failed
"""
"""Only of presets with a failure among them: attempts that all succeeded decide nothing."""

LONGEST_ATTEMPT: Final = timedelta(days=1)
"""No attempt takes longer; it bounds how far back recent failures are looked for."""

ORGANIZATIONS: Final = """
SELECT organization.id,
       (SELECT coalesce(sum(team.quota_allowance), 0)
          FROM accounts_group AS team
          JOIN accounts_groupmembership AS member ON member.group_id = team.id
         WHERE team.organization_id = organization.id
           AND member.user_id = %(prebuilds)s),
       count(job.id) FILTER (WHERE job.completed_at IS NULL AND job.canceled_at IS NULL),
       coalesce(sum(build.daily_cost), 0)
  FROM accounts_organization AS organization
  LEFT JOIN workspaces_workspace AS workspace
         ON workspace.organization_id = organization.id
        AND workspace.owner_id = %(prebuilds)s AND workspace.deleted_at IS NULL
  LEFT JOIN workspaces_workspacebuild AS build ON build.id = workspace.latest_build_id
  LEFT JOIN workspaces_provisionerjob AS job ON job.id = build.job_id
 GROUP BY organization.id
"""
