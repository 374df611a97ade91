"""The statements of a snapshot on a big site: 1 000 presets, 50 000 prebuilds, 200 000 builds gone.

Each reads its rows about once: no loop over many rows reads a table again and again, and history
that decides nothing is not looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.system import PREBUILDS_USER_ID
from benchmarks import fill
from prebuilds import observation
from prebuilds.core.policy import Policy
from prebuilds.observation import statements
from templates_app.models import Preset
from tests import factories
from tests.plans.test_plans import _lines, _nodes
from tests.scratch import scratch_database
from workspaces.models import Workspace, WorkspaceBuild

TEMPLATES, PRESETS_EACH, EACH, HISTORY_EACH = 100, 10, 50, 100
PRESETS = TEMPLATES * PRESETS_EACH
GONE = PRESETS * HISTORY_EACH

HISTORY = f"""
CREATE TEMPORARY TABLE gone ON COMMIT DROP AS
SELECT md5('gone' || preset.id || n)::uuid AS id, n, preset.id AS preset_id,
       version.id AS version_id,
       template.id AS template_id, template.organization_id,
       now() - interval '2 hours' - n * interval '6 hours' AS at
  FROM templates_app_preset AS preset
  JOIN templates_app_templateversion AS version ON version.id = preset.version_id
  JOIN templates_app_template AS template ON template.active_version_id = version.id
 CROSS JOIN generate_series(1, {HISTORY_EACH}) AS n;

CREATE TEMPORARY TABLE work ON COMMIT DROP AS
SELECT gone.*, b AS build_number, md5('build' || id || b)::uuid AS build_id,
       md5('job' || id || b)::uuid AS job_id
  FROM gone CROSS JOIN generate_series(1, 2) AS b
 ORDER BY md5(id::text);  -- a table that lives for months is in no order

INSERT INTO workspaces_workspace
       (id, organization_id, owner_id, template_id, name, created_at, updated_at, deleted_at,
        automatic_updates, autostart_schedule, latest_build_id)
SELECT id, organization_id, %(prebuilds)s, template_id, 'gone-' || id, at, at, at, 'never', '',
       md5('build' || id || 2)::uuid
  FROM gone ORDER BY md5(id::text);

INSERT INTO workspaces_provisionerjob
       (id, organization_id, initiator_id, workspace_id, type, provisioner_type, priority, tags,
        input, created_at, started_at, lease, heartbeat_at, completed_at, error, error_code,
        log_length)
SELECT job_id, organization_id, %(prebuilds)s, id, 'workspace_build', 'local', 2, '{{}}', '{{}}',
       at, at, job_id, at, at, CASE WHEN n %% 20 = 0 AND build_number = 1 THEN 'broken' ELSE '' END,
       '', 0
  FROM work;

INSERT INTO workspaces_workspacebuild
       (id, workspace_id, build_number, transition, template_version_id, preset_id, initiator_id,
        reason, stage, action_reason, job_id, created_at, provisioner_state, daily_cost,
        replacements)
SELECT build_id, id, build_number, CASE build_number WHEN 1 THEN 'start' ELSE 'delete' END,
       version_id, preset_id, %(prebuilds)s, 'reconcile',
       CASE build_number WHEN 1 THEN 'prebuild_create' ELSE 'none' END,
       CASE WHEN build_number = 1 THEN 'missing' WHEN n %% 50 = 1 THEN 'never_ready'
            ELSE 'expired' END,
       job_id, at, '{{}}', 0, '[]'
  FROM work;
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(120),
    pytest.mark.usefixtures("big_site"),
    pytest.mark.django_db,
]


@pytest.fixture(scope="module")
def big_site(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """Fill a database of its own, which the module's tests then have to themselves."""
    with django_db_blocker.unblock(), scratch_database("snapshot_plan", copy=True):
        factories.make_baseline()
        fill.add_presets(templates=TEMPLATES, presets=PRESETS_EACH, desired=EACH)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # no triggers, no checks
            cursor.execute(HISTORY, {"prebuilds": PREBUILDS_USER_ID})
        fill.add_ready_prebuilds(each=EACH)
        yield


@pytest.fixture(autouse=True)
def _bounded(db: None) -> None:
    """Let a plan gone wrong fail its test, and not hold up the session."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '15s'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What PostgreSQL did for one statement."""

    buffers: int
    milliseconds: float
    most_walked: int
    """Rows that the busiest sequential scan, or stored intermediate result, looked at in all."""
    indexes: frozenset[str]
    scanned: frozenset[str]
    text: str


def explain(statement) -> Explained:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, BUFFERS, FORMAT JSON) " + statement)
        (((report,),),) = cursor.fetchall()
    nodes = list(_nodes(report["Plan"]))
    return Explained(
        buffers=report["Plan"]["Shared Hit Blocks"] + report["Plan"]["Shared Read Blocks"],
        milliseconds=report["Planning Time"] + report["Execution Time"],
        most_walked=max(_walked(node) for node in nodes),
        indexes=frozenset(node["Index Name"] for node in nodes if "Index Name" in node),
        scanned=frozenset(
            node["Relation Name"] for node in nodes if node["Node Type"].endswith("Seq Scan")
        ),
        text="\n".join(_lines(report["Plan"])),
    )


def _walked(node) -> int:
    """Return how many rows a node without an index walked, over all its loops."""
    if not node["Node Type"].endswith(("Seq Scan", "Materialize", "CTE Scan")):
        return 0
    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return round(rows * node["Actual Loops"])


def take_snapshot():
    """Take a snapshot and return it with the statements it took."""
    with CaptureQueriesContext(connection) as queries:
        snapshot = observation.take_snapshot(Policy(), using="default", now=timezone.now())
    return snapshot, [one["sql"] for one in queries]


def explain_all() -> list[Explained]:
    return [explain(statement) for statement in take_snapshot()[1]]


def explain_attempts() -> Explained:
    (statement,) = [one for one in take_snapshot()[1] if "never_ready" in one]
    return explain(statement)


def test_the_site_is_big():
    assert Preset.objects.count() == PRESETS
    assert Workspace.objects.filter(deleted_at=None).count() == PRESETS * EACH
    assert WorkspaceBuild.objects.exclude(workspace__deleted_at=None).count() == 2 * GONE


def test_a_snapshot_takes_as_many_statements_as_there_are_however_many_presets():
    written = [
        statements.PREBUILDS,
        statements.PRESETS,
        statements.SCHEDULES,
        statements.ATTEMPTS,
        statements.ORGANIZATIONS,
    ]
    snapshot, taken = take_snapshot()
    one = Preset.objects.earliest("id")
    Preset.objects.exclude(pk=one.pk).update(desired_instances=None)
    small, taken_for_one = take_snapshot()

    assert (len(snapshot.presets), len(small.presets)) == (PRESETS, 1)
    assert sum(len(preset.running) for preset in snapshot.presets) == PRESETS * EACH
    assert len(taken) == len(taken_for_one) == len(written)
    assert [text.split("%")[0][:200] for text in taken] == [
        text.split("%")[0][:200] for text in written
    ]


def test_no_statement_walks_the_same_rows_again_and_again():
    for found in explain_all():
        # All builds once, by each of three parallel processes; a loop in a loop walks millions.
        assert found.most_walked <= 3 * (2 * GONE + PRESETS * EACH), found.text


def test_all_statements_together_take_less_than_three_seconds():
    explained = explain_all()

    assert sum(found.milliseconds for found in explained) < 3_000, "\n\n".join(
        f"{found.milliseconds:.0f} ms\n{found.text}" for found in explained
    )


@pytest.mark.parametrize("target", [10, 100])
@pytest.mark.parametrize("window", [3, EACH])
def test_attempts_are_read_as_far_as_the_window_reaches_and_not_the_whole_history(target, window):
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL default_statistics_target = {target}")
        cursor.execute("ANALYZE")
    Preset.objects.update(desired_instances=window)

    found = explain_attempts()

    # Four of the past day's attempts and all of the newest, each a few pages of three indexes.
    assert "workspaces_workspacebuild" not in found.scanned, found.text
    assert "workspaces_provisionerjob" not in found.scanned, found.text
    recent = EACH + 5
    at_most = PRESETS * 15 * (window + recent)
    assert found.buffers <= at_most, f"{found.buffers} buffers of {at_most}\n{found.text}"


def test_recent_failures_are_looked_up_by_their_time_and_not_among_all_failures():
    found = explain_attempts()

    assert {"job_failed", "build_never_ready_recently"} <= found.indexes, found.text
    # Of 1 000 presets the newest attempt, by its index; nobody failed within the hour.
    assert "build_prebuild_attempts" in found.indexes, found.text
    assert found.buffers <= PRESETS * 60, f"{found.buffers} buffers\n{found.text}"


def test_attempts_cost_the_same_without_the_older_part_of_history():
    whole = explain_attempts().buffers
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no triggers, no checks
        cursor.execute(
            "DELETE FROM workspaces_workspacebuild WHERE created_at < now() - interval '5 days'"
        )
        assert cursor.rowcount > GONE
        cursor.execute("ANALYZE")

    found = explain_attempts()

    assert whole <= 1.25 * found.buffers, f"{whole} before\n{found.text}"
