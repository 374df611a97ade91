"""Whole cycles on committed rows: what they do, record and leave alone (semantics.md 3 to 13)."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from accounts.audit import THE_SYSTEM
from accounts.models import Group, GroupMembership, Membership
from accounts.system import PREBUILDS_USER_ID
from prebuilds import cycles, execution, locks, reconciler, services
from prebuilds.core.policy import Policy
from prebuilds.models import PrebuildsSettings, ReconcileDecision, ReconcileRun, Trigger
from templates_app import services as template_services
from templates_app.models import Preset, Template
from templates_app.parameters import ParameterDefinition
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON, hours
from workspaces.enums import Transition
from workspaces.models import ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.services import jobs

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def cycle(now=NOON, policy=None, **kwargs):
    return reconciler.run_cycle(
        trigger=Trigger.COMMAND, policy=policy or Policy(), clock=lambda: now, **kwargs
    )


def counts(done):
    return {
        name: done.total(name)
        for name in ("created", "deleted", "cancelled", "held")
        if done.total(name)
    }


def make_preset(**spec):
    spec = PresetSpec(**{"name": "Small", "desired_instances": 2, **spec})
    return factories.preset_of(factories.make_template(presets=(spec,)))


def build_all(now=NOON):
    """Do all work that is pending, and let the agents be ready."""
    factories.finish_all_jobs(now=now)
    for workspace in live():
        if workspace.latest_build.transition == "start":
            factories.make_agent_ready(workspace, now=now)


def live(preset=None):
    found = Workspace.objects.filter(owner_id=PREBUILDS_USER_ID, deleted_at__isnull=True)
    if preset is not None:
        found = found.filter(latest_build__preset=preset)
    return found.order_by("created_at", "pk")


def reasons(transition):
    rows = WorkspaceBuild.objects.filter(transition=transition).order_by("created_at")
    return [reason for reason in rows.values_list("action_reason", flat=True)]  # noqa: C416


def doomed():
    return {build.workspace_id for build in WorkspaceBuild.objects.filter(transition="delete")}


class TestFill:
    def test_one_cycle_fills_every_pool_and_the_next_has_nothing_to_do(self):
        small = make_preset(desired_instances=2)
        large = make_preset(desired_instances=1, schedules=(("* 9-17 * * 1-5", 3),))
        make_preset(desired_instances=0)
        make_preset(desired_instances=None)

        first = cycle()
        build_all()
        second = cycle(NOON + MINUTE)

        assert (first.lock_acquired, first.presets_total) == (True, 3)
        assert counts(first) == {"created": 5}
        assert (live(small).count(), live(large).count()) == (2, 3)
        assert counts(second) == {}
        assert second.executed == ()
        assert Workspace.objects.count() == 5

    def test_while_they_are_being_built_nothing_more_is_made(self):
        make_preset(desired_instances=2)

        cycle()
        again = [cycle(NOON + number * SECOND) for number in range(1, 4)]

        assert [counts(one) for one in again] == [{}, {}, {}]
        assert Workspace.objects.count() == 2

    def test_running_but_not_ready_ones_fill_their_place(self):
        make_preset(desired_instances=2)
        cycle()
        factories.finish_all_jobs(now=NOON)

        assert counts(cycle(NOON + MINUTE)) == {}

    def test_a_claim_is_made_up_for(self):
        preset = make_preset(desired_instances=2)
        cycle()
        build_all()
        factories.claim_prebuild(preset, now=NOON)

        assert counts(cycle(NOON + MINUTE)) == {"created": 1}
        assert live(preset).count() == 2

    def test_a_stopped_one_is_left_alone_and_made_up_for(self):
        preset = make_preset(desired_instances=1)
        (parked,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        factories.ask_for(parked, Transition.STOP, now=NOON)
        factories.finish_all_jobs(now=NOON)

        assert counts(cycle(NOON + MINUTE)) == {"created": 1}
        assert parked.pk not in doomed()

    def test_the_schedule_in_force_decides(self):
        preset = make_preset(desired_instances=1, schedules=(("* 12 * * *", 3),))

        assert counts(cycle(NOON - MINUTE)) == {"created": 1}
        assert counts(cycle(NOON)) == {"created": 2}
        build_all()
        assert counts(cycle(NOON + hours(1))) == {"deleted": 2}
        build_all()
        assert live(preset).count() == 1

    def test_only_selected_presets_are_touched(self):
        wanted, other = make_preset(), make_preset()

        cycle(selected=lambda preset: preset.id == wanted.pk)

        assert (live(wanted).count(), live(other).count()) == (2, 0)


class TestShrink:
    def test_the_oldest_extraneous_ones_go_even_when_they_are_the_ready_ones(self):
        preset = make_preset(desired_instances=3)
        for number in range(3):
            Preset.objects.update(desired_instances=number + 1)
            factories.make_ready_prebuilds(preset, 1, now=NOON + number * MINUTE)
        oldest, middle, _ = live(preset)
        Preset.objects.update(desired_instances=1)

        done = cycle(NOON + hours(1), Policy(ready_timeout=hours(9)))

        assert counts(done) == {"deleted": 2}
        assert doomed() == {oldest.pk, middle.pk}
        assert reasons("delete") == ["extraneous", "extraneous"]

    def test_pending_starts_are_cancelled_newest_first_before_anything_runs(self):
        preset = make_preset(desired_instances=3)
        for number in range(3):
            Preset.objects.update(desired_instances=number + 1)
            factories.make_pending_prebuilds(preset, 1, now=NOON + number * MINUTE)
        oldest, *_ = live(preset)
        Preset.objects.update(desired_instances=1)

        done = cycle(NOON + hours(1))

        assert counts(done) == {"cancelled": 2}
        assert list(live(preset)) == [oldest]
        assert counts(cycle(NOON + hours(1))) == {}

    def test_a_start_under_way_is_not_torn_down(self):
        preset = make_preset(desired_instances=1)
        factories.make_pending_prebuilds(preset, 1, now=NOON)
        factories.acquire(now=NOON)
        Preset.objects.update(desired_instances=0)

        assert counts(cycle()) == {}
        assert live(preset).count() == 1


class TestDrain:
    def test_a_promotion_drains_the_old_pool_and_fills_the_new_one_in_one_cycle(self):
        old = make_preset(desired_instances=2)
        cycle()
        build_all()
        Preset.objects.update(desired_instances=3)
        cycle(NOON + SECOND)
        template = factories.promote_new_version(
            old.version.template, presets=(PresetSpec(name="Small", desired_instances=2),)
        )
        new = factories.preset_of(template)

        done = cycle(NOON + MINUTE)
        build_all(NOON + MINUTE)

        assert counts(done) == {"created": 2, "deleted": 2, "cancelled": 1}
        assert (live(old).count(), live(new).count()) == (0, 2)
        assert set(reasons("delete")) == {"inactive_version"}
        assert counts(cycle(NOON + 2 * MINUTE)) == {}

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"deprecation_message": "use the other"}, "template_deprecated"),
            ({"deleted_at": NOON}, "template_deleted"),
        ],
    )
    def test_an_unusable_template_is_drained_of_expired_and_pending_ones_too(self, change, reason):
        preset = make_preset(desired_instances=3, ttl_seconds=3600)
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        factories.make_ready_prebuilds(preset, 1, now=NOON + hours(1))
        factories.make_pending_prebuilds(preset, 1, now=NOON + hours(1))
        Template.objects.update(**change)

        done = cycle(NOON + hours(1.5))
        build_all(NOON + hours(1.5))

        assert counts(done) == {"deleted": 2, "cancelled": 1}
        assert set(reasons("delete")) == {reason}
        assert not live().exists()
        assert counts(cycle(NOON + hours(2))) == {}

    def test_promoting_the_old_version_again_fills_its_pool_again(self):
        preset = make_preset()
        first = preset.version
        factories.promote_new_version(first.template, presets=())
        template_services.promote_version(
            template_id=first.template_id, version_id=first.pk, now=NOON
        )

        assert counts(cycle()) == {"created": 2}


class TestExpiry:
    def test_an_expired_prebuild_is_replaced_in_the_same_cycle(self):
        preset = make_preset(desired_instances=1, ttl_seconds=3600)
        (old,) = factories.make_ready_prebuilds(preset, 1, now=NOON)

        at_the_ttl = cycle(NOON + hours(1))
        after_it = cycle(NOON + hours(1) + SECOND)

        assert counts(at_the_ttl) == {}
        assert counts(after_it) == {"created": 1, "deleted": 1}
        assert doomed() == {old.pk}
        assert reasons("delete") == ["expired"]

    def test_an_invalidated_pool_is_replaced_and_what_is_starting_is_kept(self):
        preset = make_preset(desired_instances=2)
        (old,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        template_services.invalidate_presets(preset_ids=[preset.pk], now=NOON + MINUTE)

        assert counts(cycle(NOON + MINUTE)) == {"created": 2, "deleted": 1}
        assert doomed() == {old.pk}
        assert reasons("delete") == ["invalidated"]
        build_all(NOON + MINUTE)
        assert counts(cycle(NOON + 2 * MINUTE)) == {}

    def test_a_prebuild_that_never_became_ready_is_deleted_and_is_a_failed_attempt(self):
        preset = make_preset(desired_instances=1)
        cycle()
        factories.finish_all_jobs(now=NOON)

        patient = cycle(NOON + timedelta(minutes=30))
        done = cycle(NOON + timedelta(minutes=30, seconds=1))
        factories.finish_all_jobs(now=NOON + timedelta(minutes=30, seconds=1))
        after = cycle(NOON + timedelta(minutes=30, seconds=2))

        assert counts(patient) == {}
        assert counts(done)["deleted"] == 1
        assert reasons("delete") == ["never_ready"]
        assert counts(after) == {"held": 1}
        assert live(preset).count() == 0


class TestFailures:
    def test_backoff_then_one_probe_then_the_whole_pool(self):
        make_preset(desired_instances=3)
        policy = Policy(failure_hard_limit=0, failed_retention=hours(99))
        cycle(NOON, policy)
        factories.finish_all_jobs(now=NOON, fail="bad")

        held = cycle(NOON + SECOND, policy)
        still = cycle(NOON + 3 * MINUTE, policy)
        probe = cycle(NOON + 3 * MINUTE + SECOND, policy)
        waiting = cycle(NOON + 3 * MINUTE + 2 * SECOND, policy)
        build_pending(NOON + 4 * MINUTE)
        recovered = cycle(NOON + hours(2), policy)

        assert counts(held) == {"held": 3, "deleted": 2}
        assert held_for(held) == ["backing_off"]
        assert counts(still) == {"held": 3}
        assert counts(probe) == {"created": 1, "held": 2}
        assert counts(waiting) == {"held": 2}
        assert held_for(waiting) == ["probing"]
        assert counts(recovered)["created"] == 2

    def test_a_probe_that_fails_backs_off_again(self):
        make_preset(desired_instances=2)
        policy = Policy(failure_hard_limit=0)
        cycle(NOON, policy)
        factories.finish_all_jobs(now=NOON, fail="bad")
        cycle(NOON + 3 * MINUTE, policy)
        factories.finish_all_jobs(now=NOON + 3 * MINUTE, fail="bad")

        done = cycle(NOON + 3 * MINUTE + SECOND, policy)

        assert done.total("created") == 0
        assert held_for(done) == ["backing_off"]

    def test_deletes_and_cancels_go_on_during_backoff(self):
        preset = make_preset(desired_instances=2, ttl_seconds=3600)
        (old,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        factories.make_pending_prebuilds(preset, 1, now=NOON)
        factories.finish_all_jobs(now=NOON + hours(1), fail="bad")

        done = cycle(NOON + hours(1) + SECOND)

        assert old.pk in doomed()
        assert held_for(done) == ["backing_off"]

    def test_the_hard_limit_stops_creation_until_somebody_presses_retry(self):
        preset = make_preset(desired_instances=1)
        now = NOON
        for _ in range(3):
            assert cycle(now).total("created") == 1
            factories.finish_all_jobs(now=now, fail="bad")
            factories.finish_all_jobs(now=now)
            now += hours(2)

        limited = cycle(now)
        preset.refresh_from_db()
        assert held_for(limited) == ["hard_limited"]
        assert (preset.prebuild_status, preset.status_since) == ("hard_limited", now)
        assert preset.status_reason
        assert cycle(now + hours(99)).total("created") == 0

        template_services.retry_preset(preset_id=preset.pk, now=now + hours(100))
        retried = cycle(now + hours(100) + SECOND)
        preset.refresh_from_db()
        assert retried.total("created") == 1
        assert preset.prebuild_status == "healthy"

    def test_the_limit_ends_by_itself_once_an_attempt_succeeds(self):
        preset = make_preset(desired_instances=2)
        policy = Policy(failure_hard_limit=1)
        factories.make_pending_prebuilds(preset, 2, now=NOON)
        first, second = factories.acquire(now=NOON), factories.acquire(now=NOON)
        WorkspaceBuild.objects.filter(job_id=second.job_id).update(created_at=NOON + SECOND)
        jobs.fail_job(
            job_id=first.job_id, lease=first.lease, error="bad", code="script_failed", now=NOON
        )
        cycle(NOON + SECOND, policy)
        preset.refresh_from_db()
        limited = preset.prebuild_status
        jobs.complete_job(
            job_id=second.job_id,
            lease=second.lease,
            result=factories.result_for(second.workspace_id),
            now=NOON + MINUTE,
        )

        cycle(NOON + hours(3), policy)

        preset.refresh_from_db()
        assert (limited, preset.prebuild_status) == ("hard_limited", "healthy")
        assert preset.status_reason == ""

    def test_the_newest_failed_prebuild_is_kept_as_a_specimen_for_a_day(self):
        preset = make_preset(desired_instances=3)
        cycle()
        factories.finish_all_jobs(now=NOON, fail="bad")

        cycle(NOON + SECOND)
        factories.finish_all_jobs(now=NOON + SECOND)
        specimen = live(preset).count()
        cycle(NOON + hours(24) + SECOND)
        factories.finish_all_jobs(now=NOON + hours(24) + SECOND)

        assert specimen == 1
        assert not live(preset).filter(created_at=NOON).exists()

    def test_a_start_canceled_half_way_is_cleared_away(self):
        preset = make_preset(desired_instances=1)
        cycle()
        job = factories.acquire(now=NOON)
        jobs.cancel_job(job_id=job.job_id, now=NOON)
        jobs.finish_canceled_job(job_id=job.job_id, lease=job.lease, now=NOON)

        assert counts(cycle(NOON + SECOND)) == {"created": 1, "deleted": 1}
        assert reasons("delete") == ["canceled"]
        assert live(preset).count() == 2

    def test_a_failed_deletion_is_tried_again_later_and_later_and_then_left_to_people(self):
        preset = make_preset(desired_instances=1)
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        Preset.objects.update(desired_instances=0)
        assert counts(cycle()) == {"deleted": 1}
        factories.finish_all_jobs(now=NOON, fail="the disk is busy")

        assert counts(cycle(NOON + MINUTE - SECOND)) == {}
        assert counts(cycle(NOON + MINUTE)) == {"deleted": 1}
        factories.finish_all_jobs(now=NOON + MINUTE, fail="the disk is busy")
        assert counts(cycle(NOON + 3 * MINUTE - SECOND)) == {}
        assert counts(cycle(NOON + 3 * MINUTE)) == {"deleted": 1}
        factories.finish_all_jobs(now=NOON + 3 * MINUTE, fail="the disk is busy")
        assert counts(cycle(NOON + hours(99))) == {}

    def test_a_lost_provisioner_is_taken_from_there(self):
        preset = make_preset(desired_instances=1)
        cycle()
        factories.acquire(now=NOON)
        jobs.reap_lost_jobs(now=NOON + MINUTE)

        assert held_for(cycle(NOON + MINUTE)) == ["backing_off"]
        assert counts(cycle(NOON + 3 * MINUTE))["created"] == 1
        assert live(preset).count() == 2, "the failed one is the specimen"

    def test_a_preset_that_does_not_validate_is_marked_and_not_tried_again(self):
        required = ParameterDefinition(name="region", type="string", required=True)
        template = factories.make_template(
            presets=(PresetSpec(name="Small", desired_instances=2),),
            definitions=(required,),
            check_presets=False,
        )
        preset = factories.preset_of(template)

        first, second = cycle(), cycle(NOON + MINUTE)

        preset.refresh_from_db()
        assert (counts(first), counts(second)) == ({"held": 2}, {"held": 2})
        assert first.failed == []
        assert held_for(first) == held_for(second) == ["validation_failed"]
        assert (preset.prebuild_status, preset.status_since) == ("validation_failed", NOON)
        assert not Workspace.objects.exists()

    def test_deletes_go_on_though_a_preset_does_not_validate(self):
        preset = make_preset(desired_instances=1, ttl_seconds=3600)
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        Preset.objects.update(prebuild_status="validation_failed")

        assert counts(cycle(NOON + hours(2))) == {"deleted": 1, "held": 1}


def build_pending(now):
    before = set(Workspace.objects.filter(latest_build__job__status="pending"))
    factories.finish_all_jobs(now=now)
    for workspace in before:
        workspace.refresh_from_db()
        if workspace.latest_build.transition == "start":
            factories.make_agent_ready(workspace, now=now)


def held_for(done):
    return [
        entry["reason"]
        for one in done.executed
        for entry in one.outcome.entries
        if entry["action"] == "hold"
    ]


class TestAdmission:
    def test_no_more_than_max_in_flight_per_organization(self):
        first, second = make_preset(desired_instances=5), make_preset(desired_instances=5)
        elsewhere = factories.make_template(organization=factories.make_organization("elsewhere"))

        done = cycle(policy=Policy(max_in_flight=4))

        assert counts(done) == {"created": 6, "held": 6}
        assert (live(first).count(), live(second).count()) == (2, 2)
        assert live(factories.preset_of(elsewhere)).count() == 2
        assert set(held_for(done)) == {"held_in_flight"}

    def test_an_organization_with_nothing_in_flight_may_fill_its_last_place(self):
        preset = make_preset(desired_instances=1)

        assert counts(cycle(policy=Policy(max_in_flight=1))) == {"created": 1}
        assert live(preset).count() == 1

    def test_a_quota_that_is_used_up_holds_and_never_deletes(self):
        template = factories.make_template(daily_cost=10)
        cycle()
        Group.objects.update(quota_allowance=15)

        done = cycle(NOON + MINUTE)

        assert live(factories.preset_of(template)).count() == 1
        assert counts(done) == {"created": 1, "held": 1}
        assert held_for(done) == ["quota"]


class TestMembership:
    def test_the_system_user_joins_every_organization_with_a_pool(self):
        elsewhere, idle = factories.make_organization("elsewhere"), factories.make_organization()
        factories.make_template(organization=elsewhere)
        factories.make_template(organization=idle, presets=(PresetSpec(name="Small"),))

        cycle()
        cycle(NOON + MINUTE)

        membership = Membership.objects.get(organization=elsewhere, user_id=PREBUILDS_USER_ID)
        group = Group.objects.get(organization=elsewhere)
        assert membership.roles == []
        assert (group.name, group.display_name) == (
            "coderprebuiltworkspaces",
            "Prebuilt Workspaces",
        )
        assert group.quota_allowance == 0
        assert list(group.memberships.values_list("user_id", flat=True)) == [PREBUILDS_USER_ID]
        assert not Membership.objects.filter(organization=idle).exists()
        assert not Group.objects.filter(organization=idle).exists()

    def test_an_allowance_set_by_an_admin_is_not_touched_nor_anything_removed(self):
        make_preset()
        cycle()
        person = factories.make_user()
        group = Group.objects.get()
        GroupMembership.objects.create(group=group, user=person)
        Group.objects.update(quota_allowance=77, display_name="Pools")

        cycle(NOON + MINUTE)

        group.refresh_from_db()
        assert (group.quota_allowance, group.display_name) == (77, "Pools")
        assert group.memberships.count() == 2

    def test_a_missing_group_membership_is_mended_though_it_is_in_another_group(self):
        make_preset()
        cycle()
        group = Group.objects.get()
        group.memberships.all().delete()
        other = Group.objects.create(organization=group.organization, name="other")
        GroupMembership.objects.create(group=other, user_id=PREBUILDS_USER_ID)

        cycle(NOON + MINUTE)

        assert group.memberships.filter(user_id=PREBUILDS_USER_ID).exists()

    def test_an_error_in_one_organization_skips_that_organization_only(self, monkeypatch):
        from accounts.services import organizations

        good = make_preset()
        organization = factories.make_organization("bad")
        bad = factories.preset_of(factories.make_template(organization=organization))
        real = Membership.objects.get_or_create

        def get_or_create(*, organization, **fields):
            if organization.name == "bad":
                raise RuntimeError("poisoned")
            return real(organization=organization, **fields)

        monkeypatch.setattr(organizations.Membership.objects, "get_or_create", get_or_create)
        cycle()

        assert (live(good).count(), live(bad).count()) == (2, 0)
        assert "poisoned" in ReconcileRun.objects.get().error
        monkeypatch.undo()
        cycle(NOON + MINUTE)
        assert live(bad).count() == 2

    def test_a_group_whose_name_an_admin_wrote_in_capitals_does_not_stop_the_organization(self):
        preset = make_preset()
        Group.objects.create(
            organization=preset.version.template.organization, name="CoderPrebuiltWorkspaces"
        )

        cycle()

        assert live(preset).count() == 2


class TestLock:
    def test_a_lock_held_elsewhere_ends_the_cycle_at_once_and_is_said(self):
        make_preset()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.RECONCILE_LOCK_KEY])
            assert cursor.fetchone() == (True,)
            done = cycle()

        run = ReconcileRun.objects.get()
        assert (done.lock_acquired, done.executed) == (False, ())
        assert (run.lock_acquired, run.presets_total, run.created) == (False, 0, 0)
        assert not Workspace.objects.exists()

    def test_it_is_free_again_after_a_cycle_even_one_that_raised(self, monkeypatch):
        monkeypatch.setattr(reconciler, "decide", raise_poisoned)
        make_preset()
        with pytest.raises(RuntimeError):
            cycle()
        monkeypatch.undo()

        assert cycle().lock_acquired
        assert cycle().lock_acquired

    def test_it_is_held_while_presets_are_executed(self, monkeypatch):
        seen = []
        real = execution.execute_decision

        def execute(decision, **options):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [locks.RECONCILE_LOCK_KEY])
                seen.append(cursor.fetchone()[0])
            return real(decision, **options)

        monkeypatch.setattr(execution, "execute_decision", execute)
        make_preset()
        make_preset()
        cycle()

        assert seen == [False, False]


class TestPause:
    def test_while_paused_nothing_happens_to_the_pools(self):
        preset = make_preset(desired_instances=1)
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        Preset.objects.update(desired_instances=0)
        factories.pause(now=NOON)

        done = cycle(NOON + hours(99))

        run = ReconcileRun.objects.get()
        assert (done.lock_acquired, done.paused) == (True, True)
        assert (run.paused, run.lock_acquired, run.deleted) == (True, True, 0)
        assert doomed() == set()

    def test_a_pause_ends_by_itself_at_its_time(self):
        make_preset()
        until = NOON + hours(1)
        factories.pause(until=until, now=NOON)

        assert cycle(until - timedelta(microseconds=1)).paused
        assert counts(cycle(until)) == {"created": 2}

    def test_after_a_resume_the_next_cycle_works(self):
        make_preset()
        factories.pause(now=NOON)
        cycle()

        assert services.resume_reconciliation(actor=THE_SYSTEM, now=NOON)
        assert counts(cycle()) == {"created": 2}
        assert not services.resume_reconciliation(actor=THE_SYSTEM, now=NOON)
        row = PrebuildsSettings.objects.get()
        assert (row.pause_reason, row.paused_at, row.paused_until) == ("", None, None)


class TestIsolation:
    @pytest.mark.parametrize("pools", [2, 8])
    def test_one_poisoned_preset_does_not_stop_the_others(self, monkeypatch, pools):
        poisoned, *others = (make_preset() for _ in range(pools))
        poison(monkeypatch, poisoned)

        done = cycle()

        (failed,) = done.failed
        assert failed.decision.preset.id == poisoned.pk
        assert live(poisoned).count() == 0
        assert all(live(one).count() == 2 for one in others)

    def test_its_error_is_recorded_and_the_next_cycle_makes_up_for_it(self, monkeypatch):
        preset = make_preset()
        poison(monkeypatch, preset)
        cycle()
        monkeypatch.undo()

        run, decision = ReconcileRun.objects.get(), ReconcileDecision.objects.get()
        assert (run.presets_total, run.presets_failed, run.presets_reconciled) == (1, 1, 0)
        assert (decision.preset, decision.error) == (preset, "RuntimeError: poisoned")
        assert counts(cycle(NOON + MINUTE)) == {"created": 2}

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE templates_app_preset SET scheduling_timezone = 'Mars/Olympus' WHERE id = %s",
            "UPDATE templates_app_preset SET scheduling_timezone = '' WHERE id = %s",
            "UPDATE templates_app_preset SET scheduling_timezone = '../etc/passwd' WHERE id = %s",
            "UPDATE templates_app_presetschedule SET cron_expression = 'x' WHERE preset_id = %s",
        ],
    )
    def test_a_schedule_broken_by_sql_falls_back_to_the_base_number(self, sql):
        broken = make_preset(desired_instances=1, schedules=(("* 12 * * *", 5),))
        good = make_preset()
        with connection.cursor() as cursor:
            cursor.execute(sql, [broken.pk])

        done = cycle()

        assert done.failed == []
        assert (live(broken).count(), live(good).count()) == (1, 2)

    def test_a_preset_deleted_while_the_cycle_runs_costs_neither_the_run_nor_the_others(
        self, monkeypatch
    ):
        doomed_preset, good = make_preset(), make_preset()
        real = execution.execute_decision

        def execute(decision, **options):
            if decision.preset.id == doomed_preset.pk:
                Preset.objects.filter(pk=doomed_preset.pk).delete()
            return real(decision, **options)

        monkeypatch.setattr(execution, "execute_decision", execute)
        cycle()

        assert live(good).count() == 2
        assert ReconcileRun.objects.get().created == 2


def raise_poisoned(*args, **kwargs):
    raise RuntimeError("poisoned")


def poison(monkeypatch, preset):
    real = execution.execute_decision

    def execute(decision, **options):
        if decision.preset.id == preset.pk:
            raise RuntimeError("poisoned")
        return real(decision, **options)

    monkeypatch.setattr(execution, "execute_decision", execute)


class TestChangesInBetween:
    """The snapshot is a hint: what happens after it, and before execution, decides."""

    @pytest.fixture
    def preset(self):
        return make_preset()

    @pytest.mark.parametrize(
        "change",
        [
            lambda preset: factories.promote_new_version(preset.version.template, presets=()),
            lambda preset: Template.objects.update(deleted_at=NOON),
            lambda preset: Template.objects.update(deprecation_message="old"),
            lambda preset: Preset.objects.update(desired_instances=0),
            lambda preset: factories.make_pending_prebuilds(preset, 2, now=NOON),
        ],
        ids=["promoted", "deleted", "deprecated", "edited", "filled by another"],
    )
    def test_nothing_is_created_that_is_no_longer_missing(self, preset, monkeypatch, change):
        real = execution.execute_decision
        before = []

        def execute(decision, **options):
            change(preset)
            before.append(Workspace.objects.count())
            return real(decision, **options)

        monkeypatch.setattr(execution, "execute_decision", execute)
        done = cycle()

        assert counts(done) == {}
        assert before == [Workspace.objects.count()]

    def test_a_claim_wins_over_the_deletion(self, preset, monkeypatch):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        Preset.objects.update(desired_instances=0)
        real = execution.execute_decision

        def execute(decision, **options):
            factories.claim_prebuild(preset, now=NOON)
            return real(decision, **options)

        monkeypatch.setattr(execution, "execute_decision", execute)
        done = cycle()

        (entry,) = done.executed[0].outcome.entries
        assert (entry["action"], entry["result"]) == ("delete", "already_claimed")
        assert counts(done) == {}
        assert done.failed == []


class TestRecord:
    def test_a_run_keeps_what_it_did(self):
        preset = make_preset(desired_instances=2)
        instants = iter([NOON, NOON + SECOND])

        reconciler.run_cycle(
            trigger=Trigger.SCHEDULE, policy=Policy(), clock=lambda: next(instants)
        )

        run = ReconcileRun.objects.get()
        assert (run.trigger, run.started_at, run.completed_at) == (
            "schedule",
            NOON,
            NOON + SECOND,
        )
        assert (run.lock_acquired, run.paused, run.error) == (True, False, "")
        assert (run.presets_total, run.presets_reconciled, run.presets_failed) == (1, 1, 0)
        assert (run.created, run.deleted, run.cancelled, run.held) == (2, 0, 0, 0)
        decision = run.decisions.get()
        assert decision.preset == preset
        assert decision.actions == [
            {"action": "create", "reason": "missing", "count": 2, "wanted": 2}
        ]
        assert decision.state["desired"] == 2
        assert decision.state["actual"] == 0
        assert decision.state["schedule"] is None

    def test_the_schedule_that_gave_the_number_is_kept(self):
        make_preset(schedules=(("* 12 * * *", 3),))

        cycle()

        assert ReconcileDecision.objects.get().state["schedule"] == "* 12 * * *"

    def test_a_run_that_did_nothing_keeps_no_decisions(self):
        make_preset(desired_instances=1)
        cycle()
        build_all()

        cycle(NOON + MINUTE)

        run = ReconcileRun.objects.get(started_at=NOON + MINUTE)
        assert (run.presets_total, run.presets_reconciled) == (1, 0)
        assert not run.decisions.exists()

    def test_what_was_only_withheld_is_kept_too(self):
        make_preset(desired_instances=1)

        Preset.objects.update(prebuild_status="validation_failed")

        cycle()

        decision = ReconcileDecision.objects.get()
        assert [entry["reason"] for entry in decision.actions] == ["validation_failed"]
        assert (decision.run.held, decision.run.created) == (1, 0)

    def test_without_any_pool_a_cycle_still_leaves_its_heartbeat(self):
        assert cycle().presets_total == 0
        assert ReconcileRun.objects.get().completed_at == NOON

    def test_old_runs_are_pruned_with_their_decisions(self):
        make_preset(desired_instances=1)
        cycle(NOON)
        cycle(NOON + timedelta(days=7))

        assert cycles.prune_runs(now=NOON + timedelta(days=7)) == 0
        assert cycles.prune_runs(now=NOON + timedelta(days=7, seconds=1)) == 2
        assert [run.started_at for run in ReconcileRun.objects.all()] == [NOON + timedelta(days=7)]
        assert not ReconcileDecision.objects.filter(run__started_at=NOON).exists()


class TestPlan:
    def test_a_plan_says_what_a_cycle_would_do_and_changes_nothing(self):
        preset = make_preset()
        tables = table_sizes()

        (planned,) = reconciler.plan_cycle(policy=Policy(), now=NOON)
        again = reconciler.plan_cycle(policy=Policy(), now=NOON)

        assert again == (planned,)
        assert planned.preset.id == preset.pk
        assert table_sizes() == tables
        assert tuple(one.decision for one in cycle().executed) == (planned,)

    def test_it_can_be_narrowed(self):
        wanted, _ = make_preset(), make_preset()

        planned = reconciler.plan_cycle(
            policy=Policy(), now=NOON, selected=lambda one: one.id == wanted.pk
        )

        assert [one.preset.id for one in planned] == [wanted.pk]


def table_sizes():
    models = (
        *(Workspace, WorkspaceBuild, ProvisionerJob, ReconcileRun, ReconcileDecision),
        *(Membership, Group, GroupMembership, Preset),
    )
    return {model.__name__: model.objects.count() for model in models}


def test_a_cycle_reads_as_much_for_thirty_pools_as_for_one(django_assert_num_queries):
    make_preset(desired_instances=1)
    cycle()
    build_all()
    with (
        CaptureQueriesContext(connections["default"]) as writes,
        CaptureQueriesContext(connections["snapshot"]) as reads,
    ):
        cycle(NOON + SECOND)
    for _ in range(29):
        make_preset(desired_instances=1)
    cycle(NOON + 2 * SECOND)
    build_all(NOON + 2 * SECOND)

    with (
        django_assert_num_queries(len(reads.captured_queries), connection=connections["snapshot"]),
        django_assert_num_queries(len(writes.captured_queries)),
    ):
        assert cycle(NOON + MINUTE).executed == ()
    assert len(reads.captured_queries) + len(writes.captured_queries) <= 16


def test_the_demos_pools_come_to_rest():
    call_command("demo", stdout=StringIO())
    now, resting = NOON, False
    for _ in range(12):
        done = cycle(now)
        resting = not any(done.total(name) for name in ("created", "deleted", "cancelled"))
        if resting:
            break
        nightly = Preset.objects.get(name="Nightly")
        for job in pending_jobs(nightly):
            fail(job, now)
        build_pending(now)
        now += 5 * MINUTE

    assert resting
    statuses = dict(Preset.objects.values_list("name", "prebuild_status"))
    assert statuses == {
        "Small": "healthy",
        "One hour": "healthy",
        "Silent": "healthy",
        "Large": "healthy",
        "Nightly": "hard_limited",
        "Europe": "validation_failed",
        "America": "healthy",
        "Standard": "healthy",
        "GPU": "healthy",
    }


def pending_jobs(preset):
    return ProvisionerJob.objects.filter(
        build__preset=preset, build__transition="start", status="pending"
    )


def fail(job, now):
    ProvisionerJob.objects.filter(pk=job.pk).update(
        started_at=now,
        heartbeat_at=now,
        lease=job.pk,
        completed_at=now,
        error="no such image",
        error_code="script_failed",
    )
