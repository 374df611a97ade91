"""The demo's invented past in the tables: whole, over, counted once, and in no other database."""

from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.models import AuditEntry
from prebuilds import history, metrics, reconciler, trends
from prebuilds.core.policy import Policy
from prebuilds.metrics.totals import read_totals
from prebuilds.models import Claim, MetricTotal, Notice, PoolHour, ReconcileRun
from templates_app.models import Preset, Template
from tests import factories
from workspaces.models import ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.models.job import IS_UNFINISHED
from workspaces.models.workspace import IS_LIVE

pytestmark = pytest.mark.django_db

WRITTEN = (Claim, PoolHour, Workspace, WorkspaceBuild, ProvisionerJob, Notice, ReconcileRun)


def demo(*arguments):
    out = StringIO()
    call_command("demo", *arguments, stdout=out)
    return out.getvalue()


def sizes():
    return {model.__name__: model.objects.count() for model in (*WRITTEN, AuditEntry)}


def test_the_first_time_it_has_a_past_and_says_that_it_is_invented():
    out = demo()

    assert "is invented" in out
    assert all(sizes().values()), sizes()
    oldest = Claim.objects.earliest("created_at").created_at
    assert timedelta(days=13) < timezone.now() - oldest <= timedelta(days=14, hours=1)


def test_a_second_time_adds_nothing_and_says_nothing_of_it():
    demo()
    before = sizes()

    assert "is invented" not in demo()
    assert sizes() == before


def test_beside_other_data_there_is_no_past():
    factories.make_user("somebody")

    out = demo("--force")

    assert "is invented" not in out
    assert not any(sizes().values()), sizes()


def test_all_of_it_is_over():
    demo()

    assert not Workspace.objects.filter(IS_LIVE).exists()
    assert not ProvisionerJob.objects.filter(IS_UNFINISHED).exists()
    assert not Notice.objects.filter(closed_at__isnull=True).exists()
    now = timezone.now()
    assert not ProvisionerJob.objects.filter(completed_at__gt=now).exists()
    assert not Workspace.objects.filter(deleted_at__gt=now).exists()


def test_what_hours_count_is_what_claims_say():
    demo()

    counted = {
        (row["preset_id"], row["hour"]): (row["warm"], row["cold"])
        for row in history.count_by_hour(Claim.objects.all())
    }
    stored = {
        (row.preset_id, row.hour): (row.warm, row.cold)
        for row in PoolHour.objects.all()
        if row.warm or row.cold
    }
    assert stored == counted


def test_no_hour_is_fuller_than_it_wanted_to_be():
    demo()

    for row in PoolHour.objects.all():
        assert 0 <= (row.ready_min or 0) * row.samples <= row.ready_sum <= row.desired_sum


def test_the_incident_cost_what_its_claims_say():
    demo()

    (notice,) = Notice.objects.all()
    misses = Claim.objects.filter(
        preset=notice.preset,
        outcome="cold",
        created_at__gte=notice.opened_at,
        created_at__lt=notice.closed_at,
    )
    assert notice.cold_starts == misses.count()
    assert ProvisionerJob.objects.filter(status="failed").count() == 3


def test_the_versions_are_as_old_as_the_story_says():
    demo()

    template = Template.objects.get(name="python-project")
    versions = template.versions.order_by("created_at")
    assert [version.name for version in versions] == ["0.9.0", "1.0.0"]
    assert template.active_version.name == "1.0.0"
    promoted = AuditEntry.objects.get(action="promote")
    assert versions[1].created_at < promoted.at < timezone.now() - timedelta(days=8)


@pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
def test_each_claim_is_counted_once_however_often_one_counts():
    demo()
    claims = Claim.objects.count()

    for minutes in (0, 5, 30):
        now = timezone.now() + timedelta(minutes=minutes)
        metrics.accumulate(now=now)
        counted = {
            key: total.count for key, total in read_totals(now=now).items() if key[0] == "claims"
        }
        assert sum(counted.values()) == claims
    stored = MetricTotal.objects.filter(metric="claims").values_list("count", flat=True)
    assert sum(stored) == claims


@pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
def test_the_next_roll_up_changes_no_hour_that_is_over():
    demo()
    before = hours_before(timezone.now())

    history.roll_up(now=timezone.now())

    assert hours_before(timezone.now()) == before


@pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
def test_no_pool_is_treated_otherwise_for_its_past():
    demo()

    plan = reconciler.plan_cycle(policy=Policy(), now=timezone.now())

    acts = {(one.preset.name, act.reason) for one in plan for act in one.actions}
    assert {reason for name, reason in acts if name in ("Small", "Large", "Standard")} == {
        "missing"
    }
    assert "0.9.0" not in {one.preset.version_name for one in plan}
    assert Preset.objects.get(name="Small").prebuild_status == "healthy"


def test_the_start_page_has_numbers_to_show():
    demo()

    found = trends.read_trends(now=timezone.now())

    assert found.day.total
    assert found.week.rate
    assert found.week_before.rate
    assert found.waits.warm_p95 or found.waits.cold_p95
    assert found.idle.hours > 24


def hours_before(now: datetime):
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    rows = PoolHour.objects.filter(hour__lt=this_hour - timedelta(hours=1))
    return sorted(rows.values_list("pk", "warm", "cold", "samples", "ready_sum", "idle_seconds"))
