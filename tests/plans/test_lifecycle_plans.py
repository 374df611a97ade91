"""The lifecycle task looks at what is due, not at the whole site: 50 000 people's workspaces."""

from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from prebuilds.metrics import gauges
from templates_app.models import Template
from tests import factories
from tests.factories import NOON
from tests.plans.test_plans import assert_reads, explain
from tests.scratch import scratch_database
from workspaces.models import Workspace, WorkspaceBuild
from workspaces.services import lifecycle_executor

TEMPLATES, LIVE, BUILDS_EACH, DUE = 50, 50_000, 3, 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(120),
    pytest.mark.usefixtures("town"),
    pytest.mark.django_db,
]

FILL = f"""
CREATE TEMPORARY TABLE house ON COMMIT DROP AS
SELECT n, md5('workspace' || n)::uuid AS id, template.id AS template_id, template.organization_id,
       template.active_version_id AS version_id, n %% 10 = 0 AS dormant,
       %(noon)s::timestamptz + CASE WHEN n <= {DUE} THEN -1 ELSE 1 + n %% 600 END
           * interval '1 minute' AS due_at
  FROM generate_series(1, {LIVE}) AS n
  JOIN (SELECT row_number() OVER (ORDER BY name) - 1 AS number, * FROM templates_app_template)
       AS template ON template.number = n %% {TEMPLATES};

INSERT INTO workspaces_workspace
       (id, organization_id, owner_id, template_id, name, created_at, updated_at,
        automatic_updates, autostart_schedule, last_used_at, next_start_at, dormant_at, deleting_at,
        latest_build_id)
SELECT id, organization_id, %(person)s::uuid, template_id, 'w' || n, %(noon)s, %(noon)s, 'never',
       '0 9 * * *', CASE WHEN n <= {DUE} THEN due_at - interval '30 days' ELSE due_at END, due_at,
       CASE WHEN dormant THEN %(noon)s::timestamptz END,
       CASE WHEN dormant AND n %% 100 > 0 THEN due_at END, md5('build' || n || '/1')::uuid
  FROM house ORDER BY md5(n::text);

INSERT INTO workspaces_provisionerjob
       (id, organization_id, initiator_id, workspace_id, type, provisioner_type, priority, tags,
        input, created_at, started_at, lease, heartbeat_at, completed_at, error, error_code,
        log_length)
SELECT md5('job' || n || '/' || b)::uuid, organization_id, %(person)s::uuid, id, 'workspace_build',
       'local', 0, '{{}}', '{{}}', %(noon)s, %(noon)s, id, %(noon)s, %(noon)s, '', '', 0
  FROM house CROSS JOIN generate_series(1, {BUILDS_EACH}) AS b ORDER BY md5(n::text);

INSERT INTO workspaces_workspacebuild
       (id, workspace_id, build_number, transition, template_version_id, initiator_id, reason,
        stage, action_reason, job_id, created_at, deadline, provisioner_state, daily_cost,
        replacements)
SELECT md5('build' || n || '/' || b)::uuid, id, {BUILDS_EACH} + 1 - b, 'start', version_id,
       %(person)s::uuid, 'initiator', 'none', '', md5('job' || n || '/' || b)::uuid, %(noon)s,
       CASE WHEN b = 1 AND NOT dormant THEN due_at END, '{{}}', 0, '[]'
  FROM house CROSS JOIN generate_series(1, {BUILDS_EACH}) AS b ORDER BY md5(n::text);
"""


@pytest.fixture(scope="module")
def town(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """Fill a database of its own, which the module's tests then have to themselves."""
    with django_db_blocker.unblock(), scratch_database("town", copy=True):
        factories.make_baseline()
        for number in range(TEMPLATES):
            asleep_after = 86_400 * (1 + number % 3) if number % 2 else 0
            factories.make_template(presets=[], fields={"time_til_dormant_seconds": asleep_after})
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # no triggers, no checks
            cursor.execute(FILL, {"noon": NOON, "person": factories.make_user().pk})
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")
        yield


def test_the_town_is_big_and_little_is_due():
    assert Workspace.objects.count() == LIVE
    assert Workspace.objects.filter(next_start_at__lte=NOON).count() == DUE
    assert Workspace.objects.filter(deleting_at__lte=NOON).count() == DUE // 10
    assert WorkspaceBuild.objects.filter(deadline__lte=NOON).count() == DUE - DUE // 10
    assert WorkspaceBuild.objects.count() == LIVE * BUILDS_EACH


def statements_of(find):
    with CaptureQueriesContext(connection) as statements:
        found = find(NOON)
    return found, [one["sql"] for one in statements]


RULES = {
    "autostart": (lifecycle_executor._find_starts, "workspace_next_starts", DUE),
    "deletion": (lifecycle_executor._find_deletions, "workspace_deletions", DUE // 10),
    "autostop": (lifecycle_executor._find_deadlines, "build_deadlines", DUE - DUE // 10),
    "dormancy": (lifecycle_executor._find_unused, "workspace_last_uses", None),
    "undated": (lifecycle_executor._find_undated, "workspace_dormant_undated", 0),
}


@pytest.mark.parametrize("target", [10, 100, 1_000])
@pytest.mark.parametrize(("find", "index", "due"), RULES.values(), ids=RULES)
def test_each_rule_walks_its_index_whatever_sample_the_planner_has(find, index, due, target):
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL default_statistics_target = {target}")
        cursor.execute("ANALYZE")

    rows, statements = statements_of(find)
    found = explain(statements[-1])

    assert len(rows) == due if due is not None else rows
    assert index in found.indexes, found.text
    assert found.scanned <= {"templates_app_template"}, found.text
    assert_reads(found, at_most=400)


def test_undated_workspaces_are_found_through_the_few_templates_that_want_a_date():
    wanting = Template.objects.order_by("name")[10]
    Template.objects.filter(pk=wanting.pk).update(time_til_dormant_autodelete_seconds=60)

    rows, (statement,) = statements_of(lifecycle_executor._find_undated)
    found = explain(statement)

    asleep = Workspace.objects.filter(template=wanting, dormant_at__isnull=False)
    assert len(rows) == asleep.filter(deleting_at=None).count()
    assert "workspaces_workspace" not in found.scanned, found.text
    assert_reads(found, at_most=1_000)


def test_how_late_the_first_one_is_is_read_from_the_head_of_each_index():
    late, statements = statements_of(lambda now: gauges.read_overdue(now=now))

    assert late == {"stop": 60.0, "start": 60.0}
    for statement, index in zip(
        statements, ("build_deadlines", "workspace_next_starts"), strict=True
    ):
        found = explain(statement)
        assert index in found.indexes, found.text
        assert_reads(found, at_most=400)
