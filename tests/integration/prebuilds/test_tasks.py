"""The doorbells: one domain call each, a sentence for the task list."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from prebuilds import locks, tasks
from prebuilds.models import ReconcileRun
from tests import factories
from workspaces.enums import JobStatus
from workspaces.models import ProvisionerJob, Workspace


@pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
class TestReconcile:
    def test_it_runs_one_cycle(self):
        factories.make_template()

        assert tasks.reconcile() == "reconciled"

        assert Workspace.objects.count() == 2
        assert ReconcileRun.objects.get().trigger == "schedule"

    def test_it_leaves_at_once_when_another_is_at_it(self):
        factories.make_template()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [locks.RECONCILE_LOCK_KEY])

            assert tasks.reconcile() == "another reconciler was at it"

        assert not Workspace.objects.exists()


@pytest.mark.django_db
class TestApplyLifecycle:
    def test_it_stops_what_has_run_long_enough(self):
        now = timezone.now()
        template = factories.make_template(fields={"default_ttl_seconds": 60})
        workspace = factories.make_workspace(template=template, now=now - timedelta(hours=1))
        factories.finish_all_jobs(now=now - timedelta(hours=1))

        answer = tasks.apply_lifecycle()

        assert answer == ("0 deleting, 0 dormant, 1 stopping, 0 starting, 0 refused, 0 failed")
        workspace.refresh_from_db()
        assert workspace.latest_build.reason == "autostop"

    def test_with_nothing_due_it_says_so(self):
        assert tasks.apply_lifecycle().startswith("0 deleting, 0 dormant, 0 stopping")


@pytest.mark.django_db
class TestHousekeep:
    def test_it_ends_jobs_whose_provisioner_went_silent(self):
        preset = factories.preset_of(factories.make_template())
        factories.make_pending_prebuilds(preset, 2)
        now = timezone.now()
        lost = factories.acquire(now=now - timedelta(seconds=31))
        alive = factories.acquire(now=now)

        assert tasks.housekeep() == "1 lost jobs, 0 old rows"

        statuses = dict(ProvisionerJob.objects.values_list("pk", "status"))
        assert statuses == {lost.job_id: JobStatus.FAILED, alive.job_id: JobStatus.RUNNING}
        assert ProvisionerJob.objects.get(pk=lost.job_id).error_code == "provisioner_lost"

    def test_it_forgets_old_runs(self):
        now = timezone.now()
        for days in (1, 6, 8, 30):
            ReconcileRun.objects.create(
                trigger="schedule", started_at=now - timedelta(days=days), completed_at=now
            )

        assert tasks.housekeep() == "0 lost jobs, 2 old rows"
        assert ReconcileRun.objects.count() == 2


def test_tasks_import_no_queue():
    assert all(
        schedule["func"].startswith("prebuilds.tasks.") for schedule in tasks.SCHEDULES.values()
    )
    assert all(schedule["minutes"] >= 1 for schedule in tasks.SCHEDULES.values())
