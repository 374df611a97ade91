"""What a cycle leaves behind when something breaks or changes in its middle."""

import threading
from collections import Counter
from functools import partial

import pytest
from django.db import Error, connection

from accounts.system import PREBUILDS_USER_ID
from prebuilds import execution, reconciler, selectors
from prebuilds.core.policy import Policy
from prebuilds.models import ReconcileDecision, ReconcileRun, Trigger
from templates_app.models import Preset, Template
from templates_app.services import PresetSpec
from tests import factories
from tests.concurrency.racing import alongside, race
from tests.factories import NOON
from workspaces.models import Workspace, WorkspaceBuild

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

END_LOCK_HOLDER = """
SELECT pg_terminate_backend(lock.pid, 5000)
  FROM pg_locks AS lock JOIN pg_database ON pg_database.oid = lock.database
 WHERE locktype = 'advisory' AND granted AND datname = current_database()
"""


def make_preset(**spec):
    spec = PresetSpec(**{"name": "Small", "desired_instances": 3, **spec})
    return factories.preset_of(factories.make_template(presets=(spec,)))


def cycle(now=NOON):
    return reconciler.run_cycle(trigger=Trigger.COMMAND, policy=Policy(), clock=lambda: now)


def pool_sizes():
    """Count live prebuilds by preset, but not those on their way out."""
    rows = Workspace.objects.filter(owner_id=PREBUILDS_USER_ID, deleted_at__isnull=True)
    return Counter(
        rows.filter(latest_build__transition="start").values_list(
            "latest_build__preset_id", flat=True
        )
    )


def execute_sql(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else None


def before_first_execution(monkeypatch, effect):
    """Let something happen, on a connection of its own, after deciding and before any effect."""
    real, lock, done = execution.execute_decision, threading.Lock(), []

    def execute(decision, **options):
        with lock:  # the cycle's other threads wait, too
            if not done:
                done.append(alongside(effect))
        return real(decision, **options)

    monkeypatch.setattr(execution, "execute_decision", execute)


class TestLostLock:
    """The connection that holds the lock and the snapshot is ended in the middle."""

    @pytest.fixture
    def presets(self):
        return [make_preset() for _ in range(3)]

    def test_the_run_is_recorded_with_its_error_and_is_no_heartbeat(self, presets, monkeypatch):
        before_first_execution(monkeypatch, partial(execute_sql, END_LOCK_HOLDER))

        with pytest.raises(Error):
            cycle()

        run = ReconcileRun.objects.get()
        assert (run.trigger, run.started_at, run.completed_at) == ("command", NOON, None)
        assert "Error: " in run.error
        assert not ReconcileDecision.objects.exists()
        assert selectors.last_cycle_at() is None

    def test_the_next_cycle_converges_and_is_a_heartbeat_again(self, presets, monkeypatch):
        before_first_execution(monkeypatch, partial(execute_sql, END_LOCK_HOLDER))
        with pytest.raises(Error):
            cycle()
        monkeypatch.undo()
        sizes = pool_sizes()

        again, resting = cycle(), cycle()

        assert all(size <= 3 for size in sizes.values())
        assert again.lock_acquired
        assert pool_sizes() == {preset.pk: 3 for preset in presets}
        assert sum(sizes.values()) + again.total("created") == 9
        assert resting.executed == ()
        assert [bool(run.error) for run in ReconcileRun.objects.order_by("id")] == [1, 0, 0]
        assert selectors.last_cycle_at() == NOON


class TestChangesInTheMiddle:
    """Existing tests change the only preset; here one of each kind changes in one cycle."""

    def test_each_changed_preset_gets_what_it_wants_now_and_the_others_what_was_seen(
        self, monkeypatch
    ):
        steady, deleted, promoted, lowered, raised, emptied = (make_preset() for _ in range(6))

        def change():
            Template.objects.filter(pk=deleted.version.template_id).update(deleted_at=NOON)
            factories.promote_new_version(promoted.version.template)
            Preset.objects.filter(pk=lowered.pk).update(desired_instances=1)
            Preset.objects.filter(pk=raised.pk).update(desired_instances=5)
            Preset.objects.filter(pk=emptied.pk).update(desired_instances=None)

        before_first_execution(monkeypatch, change)
        done = cycle()
        monkeypatch.undo()

        assert done.failed == []
        # Never more than the snapshot saw missing; the next cycle sees the rest.
        assert pool_sizes() == {steady.pk: 3, lowered.pk: 1, raised.pk: 3}
        cycle()
        new = factories.preset_of(Template.objects.get(pk=promoted.version.template_id))
        assert pool_sizes() == {steady.pk: 3, lowered.pk: 1, raised.pk: 5, new.pk: 2}
        assert cycle().executed == ()

    def test_a_rollback_after_the_decision_to_drain_costs_one_cycle_and_never_a_claimed_one(
        self, monkeypatch
    ):
        preset = make_preset()
        old_version = preset.version_id
        template = preset.version.template
        factories.make_ready_prebuilds(preset, 3, now=NOON)
        factories.promote_new_version(template, presets=())

        def promote_back_and_claim():
            Template.objects.filter(pk=template.pk).update(active_version_id=old_version)
            return factories.claim_prebuild(Preset.objects.get(pk=preset.pk), now=NOON).pk

        before_first_execution(monkeypatch, promote_back_and_claim)
        cycle()
        monkeypatch.undo()
        cycle()

        claimed = Workspace.objects.exclude(owner_id=PREBUILDS_USER_ID).get()
        assert not WorkspaceBuild.objects.filter(workspace=claimed, transition="delete").exists()
        assert pool_sizes() == {preset.pk: 3}

    def test_edits_that_race_with_cycles_never_leave_more_than_is_wanted(self):
        presets = [make_preset(desired_instances=4) for _ in range(3)]

        def lower(preset):
            Preset.objects.filter(pk=preset.pk).update(desired_instances=1)

        race(cycle, *(partial(lower, preset) for preset in presets), cycle)
        cycle()

        assert pool_sizes() == {preset.pk: 1 for preset in presets}


class TestPoisoned:
    """Rows that no form would have saved."""

    def test_a_bad_zone_and_a_bad_expression_fall_back_are_recorded_and_stop_nobody(self):
        schedules = (("* 12 * * *", 5),)
        bad_zone, bad_cron, good = (
            make_preset(desired_instances=number, schedules=schedules) for number in (1, 2, 3)
        )
        execute_sql(
            "UPDATE templates_app_preset SET scheduling_timezone = 'Mars/Olympus' WHERE id = %s",
            bad_zone.pk,
        )
        execute_sql(
            "UPDATE templates_app_presetschedule SET cron_expression = '61 25 * *'"
            " WHERE preset_id = %s",
            bad_cron.pk,
        )

        done = cycle()

        assert done.failed == []
        assert pool_sizes() == {bad_zone.pk: 1, bad_cron.pk: 2, good.pk: 5}
        states = dict(ReconcileDecision.objects.values_list("preset_id", "state"))
        assert "Mars/Olympus" in states[bad_zone.pk]["schedule_problem"]
        assert "61 25 * *" in states[bad_cron.pk]["schedule_problem"]
        assert states[good.pk]["schedule_problem"] == ""
        assert [states[one.pk]["schedule"] for one in (bad_zone, bad_cron)] == [None, None]
        assert cycle().executed == ()

    def test_both_in_one_preset_are_still_one_fallback(self):
        broken = make_preset(desired_instances=1, schedules=(("* 12 * * *", 5), ("* 13 * * *", 7)))
        good = make_preset()
        execute_sql(
            "UPDATE templates_app_preset SET scheduling_timezone = '' WHERE id = %s", broken.pk
        )
        execute_sql(
            "UPDATE templates_app_presetschedule SET cron_expression = 'nonsense'"
            " WHERE preset_id = %s AND desired_instances = 7",
            broken.pk,
        )

        assert cycle().failed == []

        assert pool_sizes() == {broken.pk: 1, good.pk: 3}
        assert ReconcileDecision.objects.get(preset=broken).state["schedule_problem"]
