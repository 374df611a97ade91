"""Fill a database fast: presets, and prebuilds in any number, by a few bulk statements."""

from django.db import connection, transaction

from accounts.models import Organization, User
from accounts.system import PREBUILDS_USER_ID
from templates_app.models import Template

PRESETS = """
WITH template AS (
    INSERT INTO templates_app_template (id, organization_id, name, display_name, icon, description,
        deprecation_message, default_ttl_seconds, allow_user_autostart, allow_user_autostop,
        time_til_dormant_seconds, time_til_dormant_autodelete_seconds, created_at, updated_at)
    SELECT gen_random_uuid(), %(organization)s, %(prefix)s || number, '', '', '', '', 0, true, true,
           0, 0, now(), now()
      FROM generate_series(1, %(templates)s) AS number
    RETURNING id, name
), version AS (
    INSERT INTO templates_app_templateversion (id, template_id, name, message, created_by_id,
        created_at, provisioner_type, source_files, startup_script, startup_timeout_seconds, tags,
        daily_cost)
    SELECT gen_random_uuid(), template.id, 'v' || number, '', %(user)s, now(), 'local', '{}', '',
           600, '{}', 0
      FROM template, generate_series(1, %(versions)s) AS number
    RETURNING id, template_id, name
), preset AS (
    INSERT INTO templates_app_preset (id, version_id, name, description, icon, is_default,
        desired_instances, scheduling_timezone, prebuild_status, status_reason, revision,
        created_at, updated_at)
    SELECT gen_random_uuid(), version.id, 'p' || number, '', '', false, %(desired)s, 'UTC',
           'healthy', '', 1, now(), now()
      FROM version, generate_series(1, %(presets)s) AS number
    RETURNING id
)
SELECT count(*) FROM preset
"""

ACTIVATE = """
UPDATE templates_app_template AS template SET active_version_id = version.id
  FROM templates_app_templateversion AS version
 WHERE version.template_id = template.id AND version.name = 'v1'
   AND template.active_version_id IS NULL
"""

PREBUILDS = """
CREATE TEMPORARY TABLE filled ON COMMIT DROP AS
SELECT gen_random_uuid() AS workspace, gen_random_uuid() AS build, gen_random_uuid() AS job,
       gen_random_uuid() AS resource, preset.id AS preset, version.id AS version,
       template.id AS template, template.organization_id AS organization,
       now() - interval '1 minute' * number AS at
  FROM templates_app_preset AS preset
  JOIN templates_app_templateversion AS version ON version.id = preset.version_id
  JOIN templates_app_template AS template ON template.active_version_id = version.id
 CROSS JOIN generate_series(1, %(each)s) AS number
 WHERE preset.desired_instances IS NOT NULL;
INSERT INTO workspaces_workspace (id, organization_id, owner_id, template_id, name, created_at,
       updated_at, automatic_updates, autostart_schedule, latest_build_id, pool_preset_id)
SELECT workspace, organization, %(prebuilds)s, template, 'prebuild-' || workspace, at, at,
       'never', '', build, preset FROM filled;
INSERT INTO workspaces_provisionerjob (id, organization_id, initiator_id, workspace_id, type,
       provisioner_type, priority, tags, input, created_at, started_at, lease, heartbeat_at,
       completed_at, error, error_code, log_length)
SELECT job, organization, %(prebuilds)s, workspace, 'workspace_build', 'local', 2, '{}', '{}', at,
       at, gen_random_uuid(), at, at, '', '', 0 FROM filled;
INSERT INTO workspaces_workspacebuild (id, workspace_id, build_number, transition,
       template_version_id, preset_id, initiator_id, reason, stage, action_reason, job_id,
       created_at, provisioner_state, daily_cost, replacements)
SELECT build, workspace, 1, 'start', version, preset, %(prebuilds)s, 'reconcile',
       'prebuild_create', 'missing', job, at, '{}', 0, '[]' FROM filled;
INSERT INTO workspaces_workspaceresource (id, build_id, name, type, created_at)
SELECT resource, build, 'workspace', 'local_process', at FROM filled;
INSERT INTO workspaces_agent (id, resource_id, name, token_digest, lifecycle_state,
       lifecycle_changed_at, created_at,
       ready_at, log_length)
SELECT gen_random_uuid(), resource, 'main', decode(replace(resource::text, '-', ''), 'hex'),
       'ready', at, at, at, 0 FROM filled;
"""


def clear() -> None:
    """Remove every template and all that hangs on it."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE templates_app_template, prebuilds_reconcilerun CASCADE")


def add_presets(
    *, templates: int, presets: int, desired: int, versions: int = 1, prefix: str = "t"
) -> None:
    """Add templates, each with `versions` versions (the first is active) of `presets` presets."""
    organization = Organization.objects.get(is_default=True)
    user = User.objects.first() or User.objects.create_user("bench")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            PRESETS,
            {
                "organization": organization.pk,
                "user": user.pk,
                "templates": templates,
                "versions": versions,
                "presets": presets,
                "desired": desired,
                "prefix": prefix,
            },
        )
        cursor.execute(ACTIVATE)
    analyze()


def add_ready_prebuilds(*, each: int) -> None:
    """Give every active preset this many ready prebuilds, a minute apart in age."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(PREBUILDS, {"each": each, "prebuilds": PREBUILDS_USER_ID})
    analyze()


def analyze() -> None:
    """Bring the planner's statistics up to date."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def a_template() -> Template:
    """Return the first template."""
    return Template.objects.order_by("name")[0]
