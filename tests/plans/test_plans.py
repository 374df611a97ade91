"""Plans are promises: what runs often reads little, however much there is."""

import json
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.system import PREBUILDS_USER_ID
from prebuilds import observation
from prebuilds.claims import reasons
from prebuilds.conf import current_policy
from prebuilds.execution import creation
from prebuilds.locks import LOCK_CLAIMABLE_PREBUILD
from prebuilds.notices.reading import unnoticed_replacements
from templates_app.models import Preset, Template
from tests import factories
from tests.factories import NOON
from tests.plans.conftest import LIVE, PENDING, PREBUILDS_EACH, PRESETS_EACH, TEMPLATES
from workspaces.enums import Stage, Transition
from workspaces.locks import (
    ACQUIRE_JOB,
    END_BUILD,
    LOCK_LEASED_BUILD,
    RECORD_RESOURCES,
    RENEW_LEASE,
)
from workspaces.models import ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.services import agents, jobs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.serial,
    pytest.mark.timeout(120),
    pytest.mark.usefixtures("city"),
    pytest.mark.django_db,
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What PostgreSQL did."""

    buffers: int
    indexes: frozenset[str]
    scanned: frozenset[str]
    milliseconds: float
    text: str


def explain(sql, parameters=None) -> Explained:
    """Run the statement for real and return what it read and by which way."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql, parameters)
        (answer,) = cursor.fetchone()
    (report,) = json.loads(answer) if isinstance(answer, str) else answer
    nodes = list(_nodes(report["Plan"]))
    top = report["Plan"]
    return Explained(
        buffers=top["Shared Hit Blocks"] + top["Shared Read Blocks"],
        indexes=frozenset(node["Index Name"] for node in nodes if "Index Name" in node),
        scanned=frozenset(
            node["Relation Name"] for node in nodes if node["Node Type"].endswith("Seq Scan")
        ),
        milliseconds=report["Execution Time"],
        text="\n".join(_lines(report["Plan"])),
    )


def _nodes(node):
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _lines(node, depth=0):
    """Yield one short line per step of a plan, for a failure's message."""
    what = " ".join(
        str(node[key])
        for key in ("Node Type", "Relation Name", "Index Name", "Sort Key")
        if key in node
    )
    yield (
        f"{'  ' * depth}{what}: {node['Actual Rows']:g} rows x {node['Actual Loops']},"
        f" {node['Plan Rows']} expected,"
        f" {node['Shared Hit Blocks'] + node['Shared Read Blocks']} buffers"
    )
    for child in node.get("Plans", ()):
        yield from _lines(child, depth + 1)


SMALL = {"templates_app_preset", "templates_app_template", "workspaces_provisionerdaemon"}
"""Tables of a few rows here, read whole where that is less than an index."""


def claim(preset) -> Explained:
    return explain(
        LOCK_CLAIMABLE_PREBUILD,
        {
            "wherever": False,
            "seen_since": NOON - timedelta(seconds=30),
            "prebuilds": PREBUILDS_USER_ID,
            "preset": preset.pk,
            "now": NOON,
        },
    )


def acquire(**changes) -> Explained:
    daemon = factories.make_daemon(now=NOON)
    parameters = {
        "daemon": daemon.pk,
        "organization": None,
        "types": ["local"],
        "tags": "{}",
        "machine": "here",
        "lease": daemon.pk,
        "now": NOON,
    }
    return explain(ACQUIRE_JOB, {**parameters, **changes})


def assert_reads(found: Explained, *, at_most: int) -> None:
    assert found.buffers <= at_most, f"{found.buffers} buffers\n{found.text}"


def test_the_city_is_big():
    assert Workspace.objects.filter(deleted_at=None).count() == LIVE
    assert ProvisionerJob.objects.filter(completed_at=None).count() == PENDING
    assert ProvisionerJob.objects.exclude(completed_at=None).count() == 200_000


@pytest.mark.parametrize("target", [10, 100, 1_000])
def test_a_claim_walks_the_index_of_its_pool_whatever_sample_the_planner_has(target):
    """A plan that hangs on the luck of ANALYZE is no promise: every pool, three statistics."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL default_statistics_target = {target}")
        cursor.execute("ANALYZE")

    for preset in Preset.objects.exclude(name="Empty").select_related("version"):
        found = claim(preset)

        assert "workspace_pool" in found.indexes, found.text
        assert found.scanned <= SMALL, found.text
        assert_reads(found, at_most=200)


def give_it_a_past(preset: Preset) -> None:
    """Let a pool have made the thousands of prebuilds that other presets have no more."""
    WorkspaceBuild.objects.filter(workspace__deleted_at__isnull=False).update(preset=preset)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def explain_miss(preset: Preset) -> list[Explained]:
    """Return what PostgreSQL did to say why there is nothing to claim."""
    with CaptureQueriesContext(connection) as statements:
        assert reasons.decide_now(preset.pk, NOON) is not None
    return [explain(one["sql"]) for one in statements]


def test_a_claim_on_an_empty_pool_looks_at_none_of_the_prebuilds_beside_it(city):
    assert_reads(claim(city.empty), at_most=30)


def test_a_claim_on_an_empty_pool_does_not_look_at_what_the_pool_had_before(city):
    give_it_a_past(city.empty)

    assert_reads(claim(city.empty), at_most=30)


def test_a_claim_passes_over_what_has_expired_without_looking(city):
    Preset.objects.filter(pk=city.preset.pk).update(ttl_seconds=3_600)

    assert_reads(claim(city.preset), at_most=60)


def test_a_claim_on_a_version_that_is_not_active_looks_at_none(city):
    Template.objects.filter(pk=city.preset.version.template_id).update(active_version=None)

    assert_reads(claim(city.preset), at_most=30)


@pytest.mark.parametrize("target", [10, 100, 1_000])
def test_why_a_pool_is_empty_is_found_without_the_prebuilds_beside_it(city, target):
    give_it_a_past(city.empty)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL default_statistics_target = {target}")
        cursor.execute("ANALYZE")

    for found in explain_miss(city.empty):
        assert "workspaces_workspace" not in found.scanned, found.text
        assert_reads(found, at_most=100)


def test_why_a_pool_has_nothing_to_claim_is_found_in_its_own_prebuilds(city):
    for found in explain_miss(city.preset):
        assert_reads(found, at_most=20 * PREBUILDS_EACH)


def test_a_claim_passes_over_what_is_not_ready_at_a_few_buffers_each(city):
    oldest = list(
        Workspace.objects.filter(
            owner_id=PREBUILDS_USER_ID, deleted_at=None, latest_build__preset=city.preset
        ).order_by("created_at")[:20]
    )
    agents.Agent.objects.filter(
        resource__build__in=[workspace.latest_build_id for workspace in oldest]
    ).update(lifecycle_state="starting")

    found = claim(city.preset)

    assert_reads(found, at_most=200 + 20 * 130)


def give_it_a_build(job: ProvisionerJob, preset: Preset) -> None:
    """The site's pending jobs have none, and a job without a build is described in no time."""
    WorkspaceBuild.objects.create(
        job=job,
        workspace=job.workspace,
        build_number=4,
        transition=Transition.START,
        template_version=preset.version,
        preset=preset,
        initiator_id=PREBUILDS_USER_ID,
        stage=Stage.PREBUILD_CREATE,
    )


def running_job() -> ProvisionerJob:
    """Let a prebuild's build run on, and return its job with a daemon."""
    daemon = factories.make_daemon(now=NOON)
    live = Workspace.objects.filter(deleted_at=None).order_by("pk").first()
    job = ProvisionerJob.objects.get(workspace=live)
    ProvisionerJob.objects.filter(pk=job.pk).update(daemon=daemon, completed_at=None)
    job.refresh_from_db()
    return job


# May be scanned: people, templates and versions are few, and the site's builds have no values.
FEW = {
    "accounts_user",
    "templates_app_template",
    "templates_app_templateversion",
    "workspaces_buildparameter",
}


def test_an_acquire_walks_the_pending_index_and_reads_little(city):
    first = ProvisionerJob.objects.filter(completed_at=None).order_by(
        "priority", "created_at", "pk"
    )[0]
    give_it_a_build(first, city.preset)

    found = acquire()

    assert "job_pending" in found.indexes, found.text
    assert found.scanned <= FEW, found.text
    assert_reads(found, at_most=90)
    assert ProvisionerJob.objects.get(pk=first.pk).started_at == NOON


def test_an_acquire_passes_over_what_waits_for_another_machine_at_a_few_buffers_each(city):
    waiting = ProvisionerJob.objects.filter(completed_at=None)
    *bound, first = waiting.order_by("priority", "created_at", "pk")[:1_001]
    waiting.filter(pk__in=[job.pk for job in bound]).update(machine="there")
    give_it_a_build(first, city.preset)

    found = acquire()

    assert "job_pending" in found.indexes, found.text
    assert found.scanned <= FEW, found.text
    assert_reads(found, at_most=90 + 3 * len(bound))
    taken = ProvisionerJob.objects.get(pk=first.pk)
    assert (taken.started_at, taken.machine) == (NOON, "here")


def test_asking_again_for_a_leased_job_reads_little():
    job = running_job()

    found = explain(RENEW_LEASE, {"daemon": job.daemon_id, "lease": job.lease, "now": NOON})

    assert found.scanned <= FEW, found.text
    assert_reads(found, at_most=60)
    assert ProvisionerJob.objects.get(pk=job.pk).heartbeat_at == NOON


def test_completing_a_job_reads_its_own_rows_only():
    job = running_job()
    words = {"job": job.pk, "lease": job.lease, "now": NOON}
    ended = {"state": "{}", "replacements": "[]", "deadline": None}
    told = {
        "build": job.build.pk,
        "types": ["local_process", "volume"],
        "names": ["workspace", "disk"],
        "agent_types": ["local_process", "volume"],
        "agent_names": ["workspace", "disk"],
        "agents": ["main", "main"],
        "digests": [b"a", b"b"],
        "now": NOON,
    }

    for statement, parameters, at_most in (
        (LOCK_LEASED_BUILD, words, 20),
        (END_BUILD, words | ended, 120),
        (RECORD_RESOURCES, told, 120),
    ):
        found = explain(statement, parameters)

        assert found.scanned == frozenset(), found.text
        assert_reads(found, at_most=at_most)
    assert ProvisionerJob.objects.get(pk=job.pk).completed_at == NOON
    assert job.build.resources.count() == 2


def test_a_reaper_reads_running_jobs_only():
    with CaptureQueriesContext(connection) as statements:
        assert jobs.reap_lost_jobs(now=NOON) == []

    found = explain(statements[0]["sql"])
    assert "job_running" in found.indexes, found.text
    assert_reads(found, at_most=10)


def test_an_agent_is_found_by_its_token():
    with CaptureQueriesContext(connection) as statements, pytest.raises(Exception, match="agent"):
        agents.authenticate("nobody")

    found = explain(statements[0]["sql"])
    assert "agent_token" in found.indexes, found.text
    assert_reads(found, at_most=20)


def test_the_recount_of_a_creation_reads_little_more_than_the_presets_own_prebuilds(city):
    snapshot = factories.observe(city.preset)
    with CaptureQueriesContext(connection) as statements:
        made = creation.create_prebuilds(snapshot, count=1, now=NOON)
    assert made == 0  # a thousand are there, ten are wanted
    (recount,) = [one["sql"] for one in statements if "COUNT(*)" in one["sql"]]

    found = explain(recount)

    assert found.scanned <= {"templates_app_preset", "templates_app_template"}, found.text
    assert_reads(found, at_most=10 * PREBUILDS_EACH)


def test_the_attempts_a_snapshot_reads_do_not_grow_with_history():
    with CaptureQueriesContext(connection) as statements:
        observation.take_snapshot(current_policy(), using="default", now=NOON)
    (attempts,) = [one["sql"] for one in statements if "never_ready" in one["sql"]]

    found = explain(attempts)

    assert "workspaces_workspacebuild" not in found.scanned, found.text
    assert_reads(found, at_most=60 * TEMPLATES * (PRESETS_EACH + 1) * 10)


CLAIMS, REPLACED = 5_000, 20

CLAIM_THE_GONE = f"""
WITH claimed AS (
    SELECT build.id, build.workspace_id, build.preset_id, build.template_version_id,
           row_number() OVER (ORDER BY build.id) AS n
      FROM workspaces_workspacebuild AS build
     WHERE build.build_number = 2
     LIMIT {CLAIMS}
), said AS (
    UPDATE workspaces_workspacebuild AS build
       SET stage = 'prebuild_claim',
           created_at = %(noon)s::timestamptz - claimed.n * interval '1 hour',
           replacements = CASE WHEN claimed.n <= {REPLACED}
                               THEN '[{{"resource": "disk", "paths": []}}]'::jsonb
                               ELSE '[]' END
      FROM claimed WHERE build.id = claimed.id
)
INSERT INTO prebuilds_claim
       (id, workspace_id, template_id, preset_id, user_id, outcome, reason, created_at,
        duration_seconds, idempotency_key)
SELECT claimed.id, claimed.workspace_id, workspace.template_id, claimed.preset_id,
       workspace.owner_id, 'warm', 'warm', %(noon)s::timestamptz, 0, ''
  FROM claimed JOIN workspaces_workspace AS workspace ON workspace.id = claimed.workspace_id
"""


@pytest.mark.parametrize("target", [1, 100, 10_000])
def test_replaced_resources_are_found_among_the_few_claims_that_had_some(target):
    with connection.cursor() as cursor:
        cursor.execute(CLAIM_THE_GONE, {"noon": NOON})
        cursor.execute("SELECT set_config('default_statistics_target', %s, true)", [str(target)])
        cursor.execute("ANALYZE workspaces_workspacebuild, prebuilds_claim")

    statement, parameters = unnoticed_replacements(NOON).query.sql_with_params()
    found = explain(statement, parameters)

    assert "build_replaced_resources" in found.indexes, found.text
    assert found.scanned <= {"templates_app_template", "prebuilds_notice"}, found.text
    assert_reads(found, at_most=REPLACED * 20)
