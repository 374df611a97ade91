"""A big site: 50 000 live prebuilds, 200 000 finished jobs, 50 000 pending ones."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import connection, transaction

from accounts.system import PREBUILDS_USER_ID
from templates_app.models import Preset
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON
from tests.scratch import scratch_database

TEMPLATES, PRESETS_EACH = 5, 10
LIVE, GONE, BUILDS_OF_GONE, PENDING = 50_000, 50_000, 3, 50_000
PREBUILDS_EACH = LIVE // (TEMPLATES * PRESETS_EACH)

FILL = f"""
CREATE TEMPORARY TABLE pool ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY template.name, preset.name) - 1 AS number,
       preset.id AS preset_id, preset.version_id, template.id AS template_id,
       template.organization_id
  FROM templates_app_preset AS preset
  JOIN templates_app_template AS template ON template.active_version_id = preset.version_id
 WHERE preset.name <> 'Empty';

CREATE TEMPORARY TABLE site ON COMMIT DROP AS
SELECT n, md5('workspace' || n)::uuid AS id, n > {LIVE} AS gone, pool.*,
       %(noon)s::timestamptz - n * interval '1 minute' AS created_at
  FROM generate_series(1, {LIVE} + {GONE}) AS n
  JOIN pool ON pool.number = n %% (SELECT count(*) FROM pool)
 ORDER BY md5(n::text);  -- a table that lives for months is in no order

CREATE TEMPORARY TABLE work ON COMMIT DROP AS
SELECT site.*, b AS build_number, md5('build' || n || '/' || b)::uuid AS build_id,
       md5('job' || n || '/' || b)::uuid AS job_id
  FROM site CROSS JOIN generate_series(1, {BUILDS_OF_GONE}) AS b
 WHERE gone OR b = 1;

INSERT INTO workspaces_workspace
       (id, organization_id, owner_id, template_id, name, created_at, updated_at, deleted_at,
        automatic_updates, autostart_schedule, latest_build_id, pool_preset_id)
SELECT id, organization_id, CASE WHEN gone THEN %(person)s ELSE %(prebuilds)s END::uuid,
       template_id, 'w' || n, created_at, created_at, CASE WHEN gone THEN created_at END,
       'never', '',
       md5('build' || n || '/' || CASE WHEN gone THEN {BUILDS_OF_GONE} ELSE 1 END)::uuid,
       CASE WHEN NOT gone THEN preset_id END
  FROM site ORDER BY md5(n::text);

INSERT INTO workspaces_provisionerjob
       (id, organization_id, initiator_id, workspace_id, type, provisioner_type, priority, tags,
        input, created_at, started_at, lease, heartbeat_at, completed_at, error, error_code,
        log_length)
SELECT job_id, organization_id, %(prebuilds)s::uuid, id, 'workspace_build', 'local', 2, '{{}}',
       '{{}}', created_at, created_at, job_id, created_at, created_at, '', '', 0
  FROM work;

INSERT INTO workspaces_provisionerjob
       (id, organization_id, initiator_id, workspace_id, type, provisioner_type, priority, tags,
        input, created_at, error, error_code, log_length)
SELECT md5('pending' || n)::uuid, organization_id, %(prebuilds)s::uuid, id, 'workspace_build',
       'local', n %% 3, '{{}}', '{{}}', created_at, '', '', 0
  FROM site WHERE gone;

INSERT INTO workspaces_workspacebuild
       (id, workspace_id, build_number, transition, template_version_id, preset_id, initiator_id,
        reason, stage, action_reason, job_id, created_at, provisioner_state, daily_cost,
        replacements)
SELECT build_id, id, build_number, CASE build_number WHEN 3 THEN 'delete' ELSE 'start' END,
       version_id, preset_id, %(prebuilds)s::uuid, 'reconcile',
       CASE build_number WHEN 1 THEN 'prebuild_create' ELSE 'none' END, '', job_id, created_at,
       '{{}}', 0, '[]'
  FROM work;

INSERT INTO workspaces_workspaceresource (id, build_id, name, type, created_at)
SELECT build_id, build_id, 'workspace', 'local_process', created_at
  FROM work WHERE build_number < 3;

INSERT INTO workspaces_agent
       (id, resource_id, name, token_digest, lifecycle_state, lifecycle_changed_at, created_at,
        ready_at, log_length)
SELECT build_id, build_id, 'main', decode(md5(build_id::text), 'hex'), 'ready', created_at,
       created_at, created_at, 0
  FROM work WHERE build_number < 3;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """A big site: presets with a thousand prebuilds each, and one whose pool is empty."""

    preset: Preset
    empty: Preset


@pytest.fixture(scope="module")
def city(django_db_setup: None, django_db_blocker) -> Iterator[City]:
    """Fill a database of its own, which the module's tests then have to themselves."""
    with django_db_blocker.unblock(), scratch_database("plans", copy=True):
        yield _build_city()


def _build_city() -> City:
    factories.make_baseline()
    names = [f"P{number}" for number in range(PRESETS_EACH)]
    specs = [PresetSpec(name=each, desired_instances=10) for each in (*names, "Empty")]
    templates = [factories.make_template(presets=specs) for _ in range(TEMPLATES)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no triggers, no checks
        cursor.execute(
            FILL,
            {
                "noon": NOON,
                "prebuilds": PREBUILDS_USER_ID,
                "person": factories.make_user().pk,
            },
        )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    return City(
        preset=factories.preset_of(templates[2], "P5"),
        empty=factories.preset_of(templates[2], "Empty"),
    )
