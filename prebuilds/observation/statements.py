"""The statements of the snapshot (semantics.md 2): as many as they are here, and no more.

Parameters: `prebuilds` the prebuilds user, `only` one preset or NULL for all, `occupied` the
presets that PREBUILDS found any of, `poolless` whether to show what is left of pools that were
taken away, `heard_since` since when a daemon must have been heard to be online.
"""

from typing import Final

BEGIN_RUN: Final = """
SELECT nextval(pg_get_serial_sequence('prebuilds_reconcilerun', 'id')), settings.paused_until,
       coalesce(settings.reconciliation_paused, false)
  FROM (SELECT) AS one
  LEFT JOIN prebuilds_prebuildssettings AS settings ON settings.reconciliation_paused
"""

PREBUILDS: Final = """
SELECT workspace.id, workspace.created_at, build.preset_id::text, build.transition, job.status,
       CASE WHEN build.build_number = 1 AND job.status = 'pending' THEN job.id END,
       CASE WHEN build.transition = 'start' AND job.status = 'succeeded'
             AND agent.lifecycle_state = 'ready' THEN NULL ELSE job.completed_at END,
       coalesce(agent.lifecycle_state = 'ready', false),
       CASE WHEN agent.lifecycle_state <> 'ready' AND agent.ready_at IS NOT NULL
            THEN agent.lifecycle_changed_at END,
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
  LEFT JOIN (workspaces_workspaceresource AS resource
             JOIN workspaces_agent AS agent ON agent.resource_id = resource.id)
         ON resource.build_id = build.id
 WHERE workspace.owner_id = %(prebuilds)s AND workspace.deleted_at IS NULL
   AND build.preset_id IS NOT NULL
   AND (%(only)s::uuid IS NULL
        OR workspace.pool_preset_id = %(only)s::uuid AND build.preset_id = %(only)s::uuid)
"""
"""One row a prebuild; one an agent, for those with several: grouping all would cost a third.

When a ready one started decides nothing, and is not sent a hundred thousand times. The preset is
sent as text: only looked up by, a UUID would be made and compared in Python.
"""

PRESETS: Final = """
WITH shown AS (
    SELECT preset.id
      FROM templates_app_template AS template
      JOIN templates_app_preset AS preset ON preset.version_id = template.active_version_id
     WHERE preset.desired_instances IS NOT NULL
       AND template.deleted_at IS NULL AND template.deprecation_message = ''
    UNION
    SELECT unnest(%(occupied)s::uuid[])
)
SELECT preset.id, preset.name, template.id, template.name, version.id, version.name,
       organization.id, organization.name,
       template.active_version_id IS NOT DISTINCT FROM version.id,
       template.deleted_at IS NOT NULL, template.deprecation_message <> '',
       coalesce(preset.desired_instances, 0), preset.ttl_seconds, preset.scheduling_timezone,
       preset.last_invalidated_at, preset.prebuild_status, preset.status_reason,
       version.daily_cost, preset.icon, template.display_name, template.icon
  FROM shown
  JOIN templates_app_preset AS preset ON preset.id = shown.id
  JOIN templates_app_templateversion AS version ON version.id = preset.version_id
  JOIN templates_app_template AS template ON template.id = version.template_id
  JOIN accounts_organization AS organization ON organization.id = template.organization_id
 WHERE (preset.desired_instances IS NOT NULL OR %(poolless)s)
   AND (%(only)s::uuid IS NULL OR preset.id = %(only)s::uuid)
 ORDER BY organization.name, template.name, version.created_at, preset.name, preset.id
"""
"""Active presets, and those that prebuilds live of; the rest would be skipped and costs nothing."""

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
), preset AS NOT MATERIALIZED (
    SELECT preset.id, coalesce(preset.failures_reset_at, '-infinity') AS reset_at,
           preset.desired_instances
      FROM templates_app_preset AS preset
      JOIN templates_app_template AS template ON template.active_version_id = preset.version_id
     WHERE preset.desired_instances IS NOT NULL
       AND template.deleted_at IS NULL AND template.deprecation_message = ''
       AND (%(only)s::uuid IS NULL OR preset.id = %(only)s::uuid)
), recent_failure AS MATERIALIZED (
    SELECT attempt.*
      FROM (
           SELECT build.id
             FROM workspaces_provisionerjob AS job
             JOIN workspaces_workspacebuild AS build ON build.job_id = job.id
            WHERE job.status = 'failed' AND job.completed_at >= %(since)s
            UNION
           SELECT build.id
             FROM workspaces_workspacebuild AS never_ready
             JOIN workspaces_workspacebuild AS build
               ON build.workspace_id = never_ready.workspace_id AND build.build_number = 1
            WHERE never_ready.action_reason = 'never_ready'
              AND never_ready.created_at >= %(since)s
           ) AS recent
     CROSS JOIN LATERAL (
           SELECT * FROM attempt WHERE attempt.id = recent.id OFFSET 0  -- one by one
           ) AS attempt
      JOIN preset ON preset.id = attempt.preset_id
     WHERE attempt.failed AND attempt.finished_at >= %(since)s
       AND attempt.finished_at > preset.reset_at
), suspect AS MATERIALIZED (
    SELECT preset_id AS id FROM recent_failure
     UNION
    SELECT preset.id
      FROM preset
     CROSS JOIN LATERAL (
           SELECT attempt.failed FROM attempt
            WHERE attempt.preset_id = preset.id AND attempt.finished_at > preset.reset_at
            ORDER BY attempt.created_at DESC, attempt.finished_at DESC, attempt.failed DESC
            LIMIT 1
           ) AS newest
     WHERE newest.failed
)
SELECT preset_id, created_at, finished_at, failed
  FROM (
       SELECT newest.*
         FROM suspect
         JOIN preset ON preset.id = suspect.id
        CROSS JOIN LATERAL (
              SELECT * FROM attempt
               WHERE attempt.preset_id = preset.id AND attempt.finished_at > preset.reset_at
               ORDER BY attempt.created_at DESC, attempt.finished_at DESC, attempt.failed DESC
               LIMIT greatest(%(hard_limit)s, 1, preset.desired_instances,
                              (SELECT max(schedule.desired_instances)
                                 FROM templates_app_presetschedule AS schedule
                                WHERE schedule.preset_id = preset.id))
              ) AS newest
        UNION
       SELECT * FROM recent_failure
       ) AS counted
"""
"""Only of presets whose newest attempt failed, or with a failure in the lookback.

Of any other preset attempts decide nothing: no backoff without a recent failure, and probe and
hard limit begin with the newest attempt.
"""

ORGANIZATIONS: Final = """
WITH cost AS (
    SELECT workspace.organization_id, sum(build.daily_cost) AS used
      FROM workspaces_workspace AS workspace
      JOIN workspaces_workspacebuild AS build ON build.id = workspace.latest_build_id
     WHERE workspace.owner_id = %(prebuilds)s AND workspace.deleted_at IS NULL
       AND build.daily_cost > 0
     GROUP BY workspace.organization_id
), online AS (
    SELECT machine, organization_id
      FROM workspaces_provisionerdaemon
     WHERE machine <> '' AND stopped_at IS NULL AND last_seen_at > %(heard_since)s
), in_flight AS (
    SELECT workspace.organization_id, count(*) AS builds
      FROM workspaces_provisionerjob AS job
      JOIN workspaces_workspacebuild AS build ON build.job_id = job.id
      JOIN workspaces_workspace AS workspace ON workspace.latest_build_id = build.id
     WHERE job.completed_at IS NULL AND job.canceled_at IS NULL
       AND workspace.owner_id = %(prebuilds)s AND workspace.deleted_at IS NULL
       AND (job.started_at IS NOT NULL OR job.machine = ''
            OR job.machine IN (SELECT machine FROM online WHERE organization_id IS NULL)
            OR (job.machine, job.organization_id) IN (
               SELECT machine, organization_id FROM online WHERE organization_id IS NOT NULL))
     GROUP BY workspace.organization_id
)
SELECT organization.id,
       (SELECT coalesce(sum(team.quota_allowance), 0)
          FROM accounts_group AS team
          JOIN accounts_groupmembership AS member ON member.group_id = team.id
         WHERE team.organization_id = organization.id
           AND member.user_id = %(prebuilds)s),
       coalesce(in_flight.builds, 0), coalesce(cost.used, 0)
  FROM accounts_organization AS organization
  LEFT JOIN in_flight ON in_flight.organization_id = organization.id
  LEFT JOIN cost ON cost.organization_id = organization.id
"""
"""What waits for a machine that is away keeps no daemon busy and may wait for ever, so it is not in
flight."""
