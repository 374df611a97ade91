"""What time does to people's workspaces, rule by rule; never to a prebuild (semantics.md 16)."""

import logging
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from templates_app.models import Template
from templates_app.services import PresetSpec
from tests.factories import (
    NOON,
    ask_for,
    claim_prebuild,
    finish_all_jobs,
    hours,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
    promote_new_version,
)
from workspaces.models import ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.services import lifecycle, lifecycle_executor
from workspaces.services.lifecycle_executor import LifecycleRun

pytestmark = pytest.mark.django_db

HOUR, DAY = 3_600, 86_400
SCHEDULE = "CRON_TZ=Europe/Berlin 0 14 * * *"
"""One in the afternoon, UTC, in winter."""
MINUTE = timedelta(minutes=1)
NOTHING = LifecycleRun()


def running(*, template=None, **policy):
    workspace = make_workspace(template=template or make_template(fields=policy), now=NOON)
    finish_all_jobs(now=NOON)
    return fresh(workspace)


def stopped(schedule=SCHEDULE, **policy):
    workspace = running(**policy)
    if schedule:
        lifecycle.set_autostart(workspace_id=workspace.pk, schedule=schedule, now=NOON)
    return stop(workspace)


def stop(workspace):
    ask_for(workspace, "stop", by=workspace.owner, now=NOON)
    finish_all_jobs(now=NOON)
    return fresh(workspace)


def dormant(**policy):
    workspace = running(**policy)
    lifecycle.set_dormancy(workspace_id=workspace.pk, dormant=True, now=NOON)
    finish_all_jobs(now=NOON)
    return fresh(workspace)


def fresh(workspace):
    return Workspace.objects.select_related("latest_build__job", "owner").get(pk=workspace.pk)


def a_prebuild(**policy):
    spec = PresetSpec(name="Small", desired_instances=1)
    template = make_template(presets=[spec], fields=policy)
    (prebuild,) = make_ready_prebuilds(preset_of(template), 1, now=NOON)
    return prebuild


def apply(span):
    return lifecycle_executor.apply_lifecycle(now=NOON + span)


def assert_asked_for(workspace, transition, reason):
    """The latest build is this one, in the owner's name, and served like a person's."""
    build = fresh(workspace).latest_build
    assert (build.transition, build.reason) == (transition, reason)
    assert build.initiator == build.job.initiator == fresh(workspace).owner
    assert (build.job.status, build.job.priority) == ("pending", 0)


def assert_untouched(workspace, builds=1):
    before = Workspace.objects.filter(pk=workspace.pk).values().get()
    assert {name: getattr(workspace, name) for name in before} == before
    assert workspace.builds.count() == builds


class TestAutostop:
    def test_a_workspace_is_stopped_at_its_deadline_and_not_before(self):
        workspace = running(default_ttl_seconds=HOUR)

        assert apply(hours(1) - timedelta(seconds=1)) == NOTHING
        assert_untouched(workspace)

        assert apply(hours(1)) == LifecycleRun(stopping=1)
        assert_asked_for(workspace, "stop", "autostop")
        assert fresh(workspace).last_used_at == NOON

    def test_a_second_run_does_nothing_whether_or_not_the_build_has_ended(self):
        workspace = running(default_ttl_seconds=HOUR)
        apply(hours(1))

        assert apply(hours(1)) == NOTHING
        finish_all_jobs(now=NOON + hours(1))
        assert apply(hours(2)) == NOTHING

        assert workspace.builds.count() == 2

    def test_without_a_deadline_it_runs_for_ever(self):
        running()

        assert apply(hours(10_000)) == NOTHING

    def test_an_extended_deadline_counts(self):
        workspace = running(default_ttl_seconds=HOUR)
        lifecycle.extend_deadline(workspace_id=workspace.pk, deadline=NOON + hours(2), now=NOON)

        assert apply(hours(1.5)) == NOTHING
        assert apply(hours(2)) == LifecycleRun(stopping=1)

    def test_a_workspace_stopped_or_deleted_by_hand_is_left_alone(self):
        stop(running(default_ttl_seconds=HOUR))
        gone = running(default_ttl_seconds=HOUR)
        Workspace.objects.filter(pk=gone.pk).update(deleted_at=NOON)

        assert apply(hours(2)) == NOTHING

    def test_a_prebuild_is_never_stopped_even_with_a_deadline(self):
        prebuild = a_prebuild(default_ttl_seconds=HOUR)
        WorkspaceBuild.objects.update(deadline=NOON)

        assert apply(hours(2)) == NOTHING
        assert_untouched(prebuild)


class TestAutostart:
    def test_a_stopped_workspace_starts_by_its_schedule_and_the_next_start_moves_on(self):
        workspace = stopped()

        assert apply(hours(1) - MINUTE) == NOTHING
        assert apply(hours(1)) == LifecycleRun(starting=1)

        assert_asked_for(workspace, "start", "autostart")
        assert fresh(workspace).next_start_at == NOON + hours(25)
        assert fresh(workspace).last_used_at == NOON

    def test_an_hour_late_starts_once_and_the_next_start_is_tomorrow(self):
        workspace = stopped("CRON_TZ=UTC */5 * * * *")

        assert apply(hours(2)) == LifecycleRun(starting=1)

        assert fresh(workspace).next_start_at == NOON + hours(2) + timedelta(minutes=5)
        assert apply(hours(2)) == NOTHING

    def test_a_started_workspace_has_its_deadline(self):
        workspace = stopped(default_ttl_seconds=HOUR)
        apply(hours(1))

        finish_all_jobs(now=NOON + hours(1))

        assert fresh(workspace).latest_build.deadline == NOON + hours(2)

    def test_a_workspace_that_runs_is_left_running(self):
        workspace = running()
        lifecycle.set_autostart(workspace_id=workspace.pk, schedule=SCHEDULE, now=NOON)

        assert apply(hours(1)) == NOTHING

        assert workspace.builds.count() == 1
        assert fresh(workspace).next_start_at == NOON + hours(25)

    @pytest.mark.parametrize("transition", ["start", "stop"])
    def test_a_workspace_whose_last_build_failed_is_left_to_its_owner(self, transition):
        workspace = stopped()
        ask_for(workspace, transition, now=NOON)
        finish_all_jobs(now=NOON, fail="boom")

        assert apply(hours(1)) == NOTHING
        assert fresh(workspace).next_start_at == NOON + hours(25)

    def test_a_workspace_that_is_just_being_stopped_starts_afterwards(self):
        workspace = running()
        lifecycle.set_autostart(workspace_id=workspace.pk, schedule=SCHEDULE, now=NOON)
        ask_for(workspace, "stop", now=NOON)

        assert apply(hours(1)) == NOTHING
        assert fresh(workspace).next_start_at == NOON + hours(1)
        finish_all_jobs(now=NOON + hours(1))

        assert apply(hours(1) + MINUTE) == LifecycleRun(starting=1)

    def owner_is_locked_out(self, workspace):
        workspace.owner.is_active = False
        workspace.owner.save()

    def template_forbids(self, workspace):
        Template.objects.update(allow_user_autostart=False)

    def sleeps(self, workspace):
        lifecycle.set_dormancy(workspace_id=workspace.pk, dormant=True, now=NOON)

    @pytest.mark.parametrize("hindrance", [owner_is_locked_out, template_forbids, sleeps])
    def test_what_stands_in_the_way_costs_this_turn_and_not_the_schedule(self, hindrance):
        workspace = stopped()
        hindrance(self, workspace)

        assert apply(hours(1)) == NOTHING

        assert workspace.builds.count() == 2
        assert fresh(workspace).next_start_at == NOON + hours(25)

    def test_a_template_that_allows_it_again_needs_no_row_rewritten(self):
        stopped()
        Template.objects.update(allow_user_autostart=False)
        apply(hours(1))
        Template.objects.update(allow_user_autostart=True)

        assert apply(hours(25)) == LifecycleRun(starting=1)

    @pytest.mark.parametrize(("updates", "version"), [("always", "2.0.0"), ("never", "1.0.0")])
    def test_automatic_updates_decide_about_the_version(self, updates, version):
        workspace = stopped()
        lifecycle.set_automatic_updates(
            workspace_id=workspace.pk, automatic_updates=updates, now=NOON
        )
        promote_new_version(workspace.template)

        apply(hours(1))

        assert fresh(workspace).latest_build.template_version.name == version

    def test_a_start_beyond_the_quota_is_refused_and_not_tried_again_until_its_next_time(
        self, caplog
    ):
        workspace = stopped()
        lifecycle.set_automatic_updates(
            workspace_id=workspace.pk, automatic_updates="always", now=NOON
        )
        promote_new_version(workspace.template, daily_cost=5)

        with caplog.at_level(logging.WARNING):
            assert apply(hours(1)) == LifecycleRun(refused=1)

        (record,) = caplog.records
        assert (record.message, record.reason) == ("autostart refused", "QuotaExceeded")
        assert record.workspace == str(workspace.pk)
        assert apply(hours(1) + MINUTE) == NOTHING
        assert workspace.builds.count() == 2
        assert fresh(workspace).next_start_at == NOON + hours(25)

    def test_a_schedule_nobody_can_read_is_logged_once_and_starts_nothing_more(self, caplog):
        workspace = stopped()
        Workspace.objects.update(autostart_schedule="CRON_TZ=Mars/Base 0 9 * * *")

        with caplog.at_level(logging.WARNING):
            apply(hours(1))
            apply(hours(2))

        assert [record.message for record in caplog.records] == ["autostart schedule unreadable"]
        assert fresh(workspace).next_start_at is None


class TestDormancy:
    def test_a_workspace_nobody_used_for_long_is_stopped_and_sleeps(self):
        workspace = running(time_til_dormant_seconds=DAY, time_til_dormant_autodelete_seconds=DAY)

        assert apply(hours(24)) == NOTHING
        assert_untouched(workspace)
        assert apply(hours(24) + MINUTE) == LifecycleRun(dormant=1)

        assert_asked_for(workspace, "stop", "dormancy")
        stored = fresh(workspace)
        assert stored.dormant_at == NOON + hours(24) + MINUTE
        assert stored.deleting_at == NOON + hours(48) + MINUTE

    def test_a_stopped_one_sleeps_without_a_build(self):
        workspace = stopped("", time_til_dormant_seconds=DAY)

        assert apply(hours(25)) == LifecycleRun(dormant=1)

        assert workspace.builds.count() == 2
        assert fresh(workspace).deleting_at is None
        assert apply(hours(50)) == NOTHING

    def test_a_use_puts_it_off(self):
        workspace = running(time_til_dormant_seconds=DAY)
        lifecycle.record_use(workspace_id=workspace.pk, now=NOON + hours(23))

        assert apply(hours(25)) == NOTHING
        assert apply(hours(48)) == LifecycleRun(dormant=1)

    def test_the_policy_counts_as_it_is_now_and_each_templates_its_own(self):
        short, never = running(time_til_dormant_seconds=30 * DAY), running()
        medium, long = running(), running(time_til_dormant_seconds=30 * DAY)
        for workspace, days in ((short, 1), (medium, 2)):
            Template.objects.filter(pk=workspace.template_id).update(
                time_til_dormant_seconds=days * DAY
            )

        assert apply(hours(30)) == LifecycleRun(dormant=1)
        assert fresh(short).dormant_at
        assert apply(hours(49)) == LifecycleRun(dormant=1)
        assert fresh(medium).dormant_at
        assert not fresh(long).dormant_at
        assert not fresh(never).dormant_at

    def test_one_that_is_being_built_waits_for_the_next_run(self):
        workspace = running(time_til_dormant_seconds=DAY)
        ask_for(workspace, "start", now=NOON)

        assert apply(hours(25)) == NOTHING
        finish_all_jobs(now=NOON + hours(25))

        assert apply(hours(25) + MINUTE) == LifecycleRun(dormant=1)

    def test_a_workspace_due_for_everything_sleeps_and_is_built_once(self):
        workspace = running(default_ttl_seconds=HOUR, time_til_dormant_seconds=DAY)
        lifecycle.set_autostart(workspace_id=workspace.pk, schedule=SCHEDULE, now=NOON)

        assert apply(hours(25)) == LifecycleRun(dormant=1)

        assert_asked_for(workspace, "stop", "dormancy")

    def test_a_prebuild_never_sleeps_however_old(self):
        prebuild = a_prebuild(time_til_dormant_seconds=DAY)
        Workspace.objects.update(last_used_at=NOON)
        prebuild.refresh_from_db()

        assert apply(hours(1000)) == NOTHING
        assert_untouched(prebuild)


class TestDeletion:
    POLICY = {"time_til_dormant_autodelete_seconds": DAY}

    def test_a_dormant_workspace_is_deleted_when_its_date_has_come(self):
        workspace = dormant(**self.POLICY)

        assert apply(hours(24) - MINUTE) == NOTHING
        assert apply(hours(24)) == LifecycleRun(deleting=1)

        assert_asked_for(workspace, "delete", "autodelete")
        assert apply(hours(24)) == NOTHING
        finish_all_jobs(now=NOON + hours(24))
        assert fresh(workspace).deleted_at == NOON + hours(24)
        assert apply(hours(1000)) == NOTHING

    def test_a_deletion_that_failed_is_tried_again_a_day_later(self):
        workspace = dormant(**self.POLICY)
        apply(hours(24))
        finish_all_jobs(now=NOON + hours(24), fail="stuck")

        assert apply(hours(47)) == NOTHING
        assert apply(hours(48)) == LifecycleRun(deleting=1)
        assert workspace.builds.count() == 4

    def test_a_woken_workspace_is_kept(self):
        workspace = dormant(**self.POLICY)
        lifecycle.set_dormancy(workspace_id=workspace.pk, dormant=False, now=NOON)

        assert apply(hours(1000)) == NOTHING

    def test_a_longer_policy_moves_the_date_and_a_shorter_one_does_not(self):
        longer, shorter = dormant(**self.POLICY), dormant(**self.POLICY)
        for workspace, days in ((longer, 3), (shorter, 0.5)):
            Template.objects.filter(pk=workspace.template_id).update(
                time_til_dormant_autodelete_seconds=days * DAY
            )

        assert apply(hours(23)) == NOTHING
        assert apply(hours(24)) == LifecycleRun(deleting=1)

        assert fresh(longer).deleting_at == NOON + hours(72)
        assert fresh(shorter).latest_build.transition == "delete"

    def test_a_policy_switched_off_takes_the_date_and_on_again_gives_the_whole_span(self):
        workspace = dormant(**self.POLICY)
        Template.objects.update(time_til_dormant_autodelete_seconds=0)

        assert apply(hours(24)) == NOTHING
        assert fresh(workspace).deleting_at is None

        Template.objects.update(time_til_dormant_autodelete_seconds=2 * DAY)
        assert apply(hours(100)) == NOTHING
        assert fresh(workspace).deleting_at == NOON + hours(148)
        assert apply(hours(148)) == LifecycleRun(deleting=1)

    def test_no_prebuild_is_dated_or_deleted(self):
        prebuild = a_prebuild(**self.POLICY)

        assert apply(hours(1000)) == NOTHING
        assert_untouched(prebuild)


def test_a_claimed_prebuild_takes_part_from_then_on():
    prebuild = a_prebuild(default_ttl_seconds=HOUR)
    workspace = claim_prebuild(preset_of(prebuild.template), now=NOON)
    finish_all_jobs(now=NOON)

    assert apply(hours(1)) == LifecycleRun(stopping=1)
    assert_asked_for(workspace, "stop", "autostop")


def test_one_in_trouble_is_logged_and_stops_none_of_the_others(monkeypatch, caplog):
    workspaces = [running(default_ttl_seconds=HOUR) for _ in range(3)]
    bad = workspaces[1]
    create_build = lifecycle_executor.builds.create_build

    def break_down(*, workspace_id, **rest):
        create_build(workspace_id=workspace_id, **rest)
        if workspace_id == bad.pk:
            raise RuntimeError("out of luck")

    monkeypatch.setattr(lifecycle_executor.builds, "create_build", break_down)

    assert apply(hours(1)) == LifecycleRun(stopping=2, failed=1)

    (record,) = caplog.records
    assert record.message == "lifecycle of a workspace failed"
    assert record.workspace == str(bad.pk)
    assert_untouched(bad)
    monkeypatch.undo()
    assert apply(hours(1)) == LifecycleRun(stopping=1)


def test_each_rule_looks_again_under_the_lock_at_what_was_due_a_moment_ago():
    workspace = stopped(
        default_ttl_seconds=HOUR,
        time_til_dormant_seconds=DAY,
        time_til_dormant_autodelete_seconds=DAY,
    )
    asleep = dormant(time_til_dormant_seconds=DAY, time_til_dormant_autodelete_seconds=DAY)

    for _, act in lifecycle_executor.RULES:
        for one in (workspace, asleep):
            assert lifecycle_executor._apply(act, one.pk, NOON + MINUTE) == ""

    assert_untouched(workspace, builds=2)
    assert_untouched(asleep, builds=2)


@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_a_deadline_of_a_start_that_did_not_succeed_stops_nothing(end):
    workspace = running(default_ttl_seconds=HOUR)
    ask_for(workspace, "start", now=NOON)
    finish_all_jobs(now=NOON, fail="boom")
    if end == "canceled":
        ProvisionerJob.objects.filter(status="failed").update(
            error="", error_code="", canceled_at=NOON
        )
    WorkspaceBuild.objects.filter(build_number=2).update(deadline=NOON)

    assert apply(hours(1)) == NOTHING


def test_a_run_out_of_time_leaves_the_rest_to_the_next():
    running(default_ttl_seconds=HOUR)

    run = lifecycle_executor.apply_lifecycle(now=NOON + hours(1), patience_seconds=-1)

    assert run == NOTHING
    assert apply(hours(1)) == LifecycleRun(stopping=1)


def test_finding_costs_the_same_however_many_workspaces_and_templates_there_are():
    def statements():
        with CaptureQueriesContext(connection) as queries:
            assert apply(MINUTE) == NOTHING
        return len(queries)

    running(time_til_dormant_seconds=DAY, default_ttl_seconds=HOUR)
    few = statements()
    owner = make_user()
    for number in range(1, 6):
        template = make_template(fields={"time_til_dormant_seconds": number * DAY})
        make_workspace(owner, template=template, now=NOON)
    finish_all_jobs(now=NOON)

    assert statements() == few == 6


def test_jobs_are_only_made_for_what_is_due():
    running(default_ttl_seconds=HOUR)
    running(default_ttl_seconds=2 * HOUR)

    apply(hours(1))

    assert ProvisionerJob.objects.filter(completed_at=None).count() == 1
