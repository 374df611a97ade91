"""What one decision does to the rows, and what it leaves alone (semantics.md 12)."""

import re
from collections import Counter
from datetime import timedelta

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.system import PREBUILDS_USER_ID
from prebuilds import claims, execution
from prebuilds.core.actions import (
    CancelPending,
    CreatePrebuilds,
    Decision,
    DeletePrebuild,
    HoldCreation,
    Reason,
    SetStatus,
)
from prebuilds.core.snapshot import Status
from prebuilds.core.state import calculate_state
from prebuilds.execution import creation, deletion
from templates_app import services as template_services
from templates_app.models import Preset, PresetParameter, Template
from templates_app.parameters import InvalidParameters, ParameterDefinition
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON, hours, observe
from workspaces.enums import JobStatus, Transition
from workspaces.models import BuildParameter, ProvisionerJob, Workspace, WorkspaceBuild
from workspaces.models.job import JobPriority
from workspaces.services import jobs

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(minutes=1)
REGION = ParameterDefinition(name="region", type="string", default="eu", options=("eu", "us"))
CPUS = ParameterDefinition(name="cpus", type="number", default="2")


@pytest.fixture
def preset():
    return make_preset(desired_instances=3)


def make_preset(*, definitions=(), check=True, **spec):
    spec = PresetSpec(**{"name": "Small", "desired_instances": 3, **spec})
    template = factories.make_template(
        presets=(spec,), definitions=definitions, check_presets=check
    )
    return factories.preset_of(template)


def execute(preset, *actions, now=NOON):
    seen = observe(preset)
    decision = Decision(preset=seen, state=calculate_state(seen, now), actions=actions)
    return execution.execute_decision(decision, now=now)


def live():
    return Workspace.objects.filter(deleted_at__isnull=True)


class TestCreate:
    def test_a_new_prebuild_is_an_unclaimed_workspace_without_any_lifecycle(self, preset):
        Template.objects.update(
            default_ttl_seconds=3600,
            time_til_dormant_seconds=3600,
            time_til_dormant_autodelete_seconds=3600,
        )

        outcome = execute(preset, CreatePrebuilds(count=1))

        workspace = Workspace.objects.get()
        assert outcome.created == 1
        assert re.fullmatch(r"prebuild-[a-z2-7]{15}", workspace.name)
        assert workspace.owner_id == PREBUILDS_USER_ID
        assert workspace.template == preset.version.template
        assert workspace.organization == preset.version.template.organization
        assert (workspace.created_at, workspace.updated_at) == (NOON, NOON)
        assert (workspace.automatic_updates, workspace.autostart_schedule) == ("never", "")
        assert workspace.ttl_seconds is workspace.next_start_at is workspace.last_used_at is None
        assert workspace.dormant_at is workspace.deleting_at is workspace.deleted_at is None

    def test_its_build_is_a_first_start_of_the_active_version_by_the_system_user(self, preset):
        execute(preset, CreatePrebuilds(count=1))

        build = WorkspaceBuild.objects.get()
        assert Workspace.objects.get().latest_build == build
        assert (build.build_number, build.transition) == (1, "start")
        assert (build.stage, build.reason) == ("prebuild_create", "reconcile")
        assert (build.template_version, build.preset) == (preset.version, preset)
        assert build.initiator_id == PREBUILDS_USER_ID
        assert build.deadline is build.max_deadline is None
        assert build.job.status == JobStatus.PENDING
        assert build.job.priority == JobPriority.PREBUILD_CREATE
        assert build.job.created_at == NOON

    def test_the_presets_values_win_over_the_defaults(self):
        preset = make_preset(definitions=(REGION, CPUS), parameters={"region": "us"})

        execute(preset, CreatePrebuilds(count=1))

        values = dict(BuildParameter.objects.values_list("name", "value"))
        assert values == {"region": "us", "cpus": "2"}

    def test_a_job_carries_the_tags_its_version_asks_for(self):
        template = factories.make_template(tags={"gpu": "yes"}, daily_cost=4)

        execute(factories.preset_of(template), CreatePrebuilds(count=1))

        assert ProvisionerJob.objects.get().tags == {"gpu": "yes"}
        assert WorkspaceBuild.objects.get().daily_cost == 4

    def test_exactly_what_was_decided_is_made_under_different_names(self, preset):
        outcome = execute(preset, CreatePrebuilds(count=2))

        assert outcome.created == 2
        assert Workspace.objects.values("name").distinct().count() == 2
        assert outcome.entries == [
            {"action": "create", "reason": "missing", "count": 2, "wanted": 2}
        ]

    def test_what_another_has_created_in_between_is_not_created_again(self, preset):
        seen = observe(preset)
        factories.make_pending_prebuilds(preset, 1, now=NOON)
        factories.make_ready_prebuilds(preset, 1, now=NOON)

        assert creation.create_prebuilds(seen, count=3, now=NOON) == 1
        assert creation.create_prebuilds(seen, count=3, now=NOON) == 0
        assert live().count() == 3

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            pytest.param({"desired_instances": 1}, 1, id="lowered"),
            pytest.param({"desired_instances": 0}, 0, id="to none"),
            pytest.param({"desired_instances": None}, 0, id="pool removed"),
            pytest.param({"desired_instances": 9}, 3, id="raised: the decision is the limit"),
            pytest.param({"prebuild_status": "validation_failed"}, 0, id="does not validate"),
        ],
    )
    def test_an_edit_between_decision_and_execution_decides(self, preset, change, expected):
        seen = observe(preset)
        Preset.objects.filter(pk=preset.pk).update(**change)

        assert creation.create_prebuilds(seen, count=3, now=NOON) == expected
        assert live().count() == expected

    def test_a_schedule_added_in_between_decides(self, preset):
        seen = observe(preset)
        preset.schedules.create(cron_expression="* 12 * * *", desired_instances=1)

        assert creation.create_prebuilds(seen, count=3, now=NOON) == 1

    @pytest.mark.parametrize("change", [{"deprecation_message": "old"}, {"deleted_at": NOON}])
    def test_a_template_no_longer_usable_gets_nothing(self, preset, change):
        seen = observe(preset)
        Template.objects.update(**change)

        assert creation.create_prebuilds(seen, count=3, now=NOON) == 0
        assert not Workspace.objects.exists()

    def test_after_a_promotion_the_old_version_gets_nothing(self, preset):
        seen = observe(preset)
        factories.promote_new_version(preset.version.template)

        assert creation.create_prebuilds(seen, count=3, now=NOON) == 0
        assert not Workspace.objects.exists()

    def test_a_value_edited_in_between_is_the_one_that_is_built(self):
        preset = make_preset(definitions=(REGION,), parameters={"region": "eu"})
        seen = observe(preset)
        PresetParameter.objects.update(value="us")

        creation.create_prebuilds(seen, count=1, now=NOON)

        assert BuildParameter.objects.get().value == "us"

    @pytest.mark.parametrize(
        ("age", "created"), [(hours(1), 2), (hours(1) + timedelta(microseconds=1), 3)]
    )
    def test_an_expired_prebuild_counts_as_missing_from_just_after_its_ttl(self, age, created):
        preset = make_preset(ttl_seconds=3600)
        factories.make_ready_prebuilds(preset, 1, now=NOON)

        assert creation.create_prebuilds(observe(preset), count=3, now=NOON + age) == created

    @pytest.mark.parametrize(("mark", "created"), [(NOON, 2), (LATER, 3)])
    def test_only_what_was_made_strictly_before_an_invalidation_counts_as_missing(
        self, preset, mark, created
    ):
        factories.make_ready_prebuilds(preset, 1, now=NOON)
        template_services.invalidate_presets(preset_ids=[preset.pk], now=mark)

        assert creation.create_prebuilds(observe(preset), count=3, now=LATER) == created

    def test_stopped_failed_and_deleting_prebuilds_do_not_fill_a_pool(self, preset):
        stopped, deleting = factories.make_ready_prebuilds(preset, 2, now=NOON)
        factories.make_pending_prebuilds(preset, 1, now=NOON)
        factories.finish_all_jobs(now=NOON, fail="bad")
        factories.ask_for(stopped, Transition.STOP, now=NOON)
        factories.finish_all_jobs(now=NOON)
        deletion.delete_prebuilds({deleting.pk: Reason.EXTRANEOUS}, now=NOON)

        assert creation.create_prebuilds(observe(preset), count=3, now=NOON) == 3

    def test_a_claimed_prebuild_leaves_a_gap(self, preset):
        factories.make_ready_prebuilds(preset, 3, now=NOON)
        factories.claim_prebuild(preset, now=NOON)

        assert creation.create_prebuilds(observe(preset), count=3, now=NOON) == 1

    def test_values_that_do_not_validate_leave_nothing_behind_and_mark_the_preset(self):
        required = ParameterDefinition(name="region", type="string", required=True)
        preset = make_preset(definitions=(required,), check=False)

        outcome = execute(preset, CreatePrebuilds(count=3))

        preset.refresh_from_db()
        assert not Workspace.objects.exists()
        assert not WorkspaceBuild.objects.exists()
        assert not ProvisionerJob.objects.exists()
        assert (outcome.created, outcome.held, outcome.error) == (0, 3, "")
        (entry,) = outcome.entries
        assert (entry["action"], entry["reason"]) == ("hold", "validation_failed")
        assert preset.prebuild_status == "validation_failed"
        assert "region" in preset.status_reason
        assert preset.status_since == NOON

    @pytest.mark.parametrize(
        ("definition", "values"),
        [
            pytest.param(REGION, {"region": "mars"}, id="not among the options"),
            pytest.param(CPUS, {"cpus": "many"}, id="wrong type"),
            pytest.param(REGION, {"colour": "red"}, id="unknown parameter"),
            pytest.param(
                ParameterDefinition(name="cpus", type="number", default="1", validation_max=4),
                {"cpus": "5"},
                id="out of range",
            ),
        ],
    )
    def test_each_deterministic_error_raises_before_anything_is_inserted(self, definition, values):
        preset = make_preset(definitions=(definition,), parameters=values, check=False)

        with pytest.raises(InvalidParameters):
            creation.create_prebuilds(observe(preset), count=1, now=NOON)

        assert not Workspace.objects.exists()

    def test_a_known_failure_keeps_the_time_it_was_first_noted(self):
        required = ParameterDefinition(name="region", type="string", required=True)
        preset = make_preset(definitions=(required,), check=False)
        execute(preset, CreatePrebuilds(count=1))
        preset.refresh_from_db()

        template_services.mark_validation_failed(
            preset_id=preset.pk, reason=preset.status_reason, now=LATER
        )

        preset.refresh_from_db()
        assert preset.status_since == NOON

    def test_forty_cost_as_many_statements_as_one(self, django_assert_num_queries):
        preset = make_preset(desired_instances=41, definitions=(REGION, CPUS))
        seen = observe(preset)
        with CaptureQueriesContext(connection) as one:
            creation.create_prebuilds(seen, count=1, now=NOON)

        with django_assert_num_queries(len(one.captured_queries)):
            assert creation.create_prebuilds(seen, count=40, now=NOON) == 40


class TestDelete:
    def test_a_deletion_is_the_next_build_with_its_reason(self, preset):
        (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)

        outcome = execute(
            preset, DeletePrebuild(workspace_id=workspace.pk, reason=Reason.EXPIRED), now=LATER
        )

        workspace.refresh_from_db()
        build = workspace.latest_build
        assert outcome.deleted == 1
        assert (build.build_number, build.transition, build.stage) == (2, "delete", "none")
        assert (build.action_reason, build.reason) == ("expired", "reconcile")
        assert (build.initiator_id, build.preset_id) == (PREBUILDS_USER_ID, preset.pk)
        assert build.job.priority == JobPriority.PREBUILD_DELETE
        assert (build.daily_cost, build.created_at) == (0, LATER)
        assert workspace.deleted_at is None, "not before a daemon has done it"

    def test_it_uses_its_own_version_and_values_though_a_new_version_requires_more(self):
        preset = make_preset(definitions=(REGION,), parameters={"region": "us"})
        (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        required = ParameterDefinition(name="project", type="string", required=True)
        factories.promote_new_version(workspace.template, definitions=(required,))
        PresetParameter.objects.filter(preset=preset).update(value="mars")

        deletion.delete_prebuilds({workspace.pk: Reason.INACTIVE_VERSION}, now=NOON)

        workspace.refresh_from_db()
        build = workspace.latest_build
        assert build.template_version == preset.version
        assert dict(build.parameters.values_list("name", "value")) == {"region": "us"}

    def test_a_claimed_one_is_left_alone(self, preset):
        (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        claimed = factories.claim_prebuild(preset, now=NOON)

        outcome = execute(
            preset, DeletePrebuild(workspace_id=workspace.pk, reason=Reason.EXTRANEOUS)
        )

        assert claimed.pk == workspace.pk
        assert outcome.deleted == 0
        assert [entry["result"] for entry in outcome.entries] == ["already_claimed"]
        assert not WorkspaceBuild.objects.filter(transition="delete").exists()

    def test_one_whose_claim_build_has_finished_is_left_alone_too(self, preset):
        (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        factories.claim_prebuild(preset, now=NOON)
        factories.finish_all_jobs(now=NOON)

        results = deletion.delete_prebuilds({workspace.pk: Reason.EXTRANEOUS}, now=NOON)

        assert results == {workspace.pk: "already_claimed"}

    def test_one_with_an_unfinished_build_is_busy(self, preset):
        (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        factories.ask_for(workspace, Transition.STOP, now=NOON)

        outcome = execute(
            preset, DeletePrebuild(workspace_id=workspace.pk, reason=Reason.EXTRANEOUS)
        )

        assert outcome.deleted == 0
        assert [entry["result"] for entry in outcome.entries] == ["busy"]

    def test_one_that_is_gone_is_no_longer_deleted(self, preset):
        (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        Workspace.objects.update(deleted_at=NOON)

        assert deletion.delete_prebuilds({workspace.pk: Reason.EXTRANEOUS}, now=NOON) == {}
        assert WorkspaceBuild.objects.count() == 1

    def test_each_of_many_gets_its_own_reason_and_result(self, preset):
        expired, extraneous, claimed = factories.make_ready_prebuilds(preset, 3, now=NOON)
        Workspace.objects.filter(pk=claimed.pk).update(created_at=NOON - hours(1))
        factories.claim_prebuild(preset, now=NOON)

        results = deletion.delete_prebuilds(
            {
                expired.pk: Reason.EXPIRED,
                extraneous.pk: Reason.EXTRANEOUS,
                claimed.pk: Reason.EXTRANEOUS,
            },
            now=NOON,
        )

        reasons = dict(
            WorkspaceBuild.objects.filter(transition="delete").values_list(
                "workspace_id", "action_reason"
            )
        )
        assert results == {
            expired.pk: "deleting",
            extraneous.pk: "deleting",
            claimed.pk: "already_claimed",
        }
        assert reasons == {expired.pk: "expired", extraneous.pk: "extraneous"}

    def test_a_failed_deletion_can_be_asked_for_again(self, preset):
        (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
        deletion.delete_prebuilds({workspace.pk: Reason.EXPIRED}, now=NOON)
        factories.finish_all_jobs(now=NOON, fail="the disk is busy")

        results = deletion.delete_prebuilds({workspace.pk: Reason.DELETION_FAILED}, now=LATER)
        factories.finish_all_jobs(now=LATER)

        workspace.refresh_from_db()
        assert results == {workspace.pk: "deleting"}
        assert workspace.latest_build.build_number == 3
        assert workspace.deleted_at == LATER

    def test_forty_cost_as_many_statements_as_one(self, django_assert_num_queries):
        preset = make_preset(desired_instances=41, definitions=(REGION,))
        first, *others = factories.make_ready_prebuilds(preset, 41, now=NOON)
        with CaptureQueriesContext(connection) as one:
            deletion.delete_prebuilds({first.pk: Reason.EXPIRED}, now=NOON)

        with django_assert_num_queries(len(one.captured_queries)):
            results = deletion.delete_prebuilds(
                dict.fromkeys((each.pk for each in others), Reason.EXPIRED), now=NOON
            )
        assert Counter(results.values()) == {"deleting": 40}


class TestCancel:
    def cancel(self, preset, **kwargs):
        return execute(
            preset, CancelPending(builds=observe(preset).pending, reason=Reason.SURPLUS), **kwargs
        )

    def test_a_pending_start_is_canceled_and_its_workspace_removed_without_a_daemon(self, preset):
        (workspace,) = factories.make_pending_prebuilds(preset, 1, now=NOON)

        outcome = self.cancel(preset, now=LATER)

        workspace.refresh_from_db()
        start, delete = workspace.builds.order_by("build_number")
        assert outcome.cancelled == 1
        assert start.job.status == JobStatus.CANCELED
        assert (start.job.canceled_at, start.job.completed_at) == (LATER, LATER)
        assert (delete.transition, delete.job.status) == ("delete", "succeeded")
        assert delete.action_reason == "surplus"
        assert workspace.latest_build == delete
        assert workspace.deleted_at == LATER
        assert factories.finish_all_jobs(now=LATER) == [], "nothing is left for a daemon"

    def test_a_start_that_a_daemon_took_first_goes_on(self, preset):
        (workspace,) = factories.make_pending_prebuilds(preset, 1, now=NOON)
        action = CancelPending(builds=observe(preset).pending, reason=Reason.SURPLUS)
        factories.acquire(now=NOON)

        outcome = execute(preset, action)

        workspace.refresh_from_db()
        assert outcome.cancelled == 0
        assert [entry["result"] for entry in outcome.entries] == ["busy"]
        assert workspace.deleted_at is None
        assert workspace.latest_build.job.status == JobStatus.RUNNING

    def test_one_that_was_built_and_claimed_meanwhile_is_left_alone(self, preset):
        factories.make_pending_prebuilds(preset, 1, now=NOON)
        action = CancelPending(builds=observe(preset).pending, reason=Reason.SURPLUS)
        factories.finish_all_jobs(now=NOON)
        factories.make_agent_ready(Workspace.objects.get(), now=NOON)
        workspace = factories.claim_prebuild(preset, now=NOON)

        outcome = execute(preset, action)

        workspace.refresh_from_db()
        assert outcome.cancelled == 0
        assert workspace.latest_build.job.status == JobStatus.PENDING
        assert workspace.deleted_at is None

    def test_twice_is_as_good_as_once(self, preset):
        factories.make_pending_prebuilds(preset, 1, now=NOON)
        action = CancelPending(builds=observe(preset).pending, reason=Reason.SURPLUS)

        first, second = execute(preset, action), execute(preset, action)

        assert (first.cancelled, second.cancelled) == (1, 0)
        assert WorkspaceBuild.objects.count() == 2

    def test_one_that_fails_does_not_undo_the_others(self, preset, monkeypatch):
        doomed, *_ = factories.make_pending_prebuilds(preset, 3, now=NOON)
        real = deletion.cancel_pending

        def cancel_pending(*, workspace_id, **kwargs):
            if workspace_id == doomed.pk:
                raise OperationalError("poisoned")
            return real(workspace_id=workspace_id, **kwargs)

        monkeypatch.setattr(deletion, "cancel_pending", cancel_pending)
        outcome = self.cancel(preset)

        assert outcome.cancelled == 2
        assert "poisoned" in outcome.error
        assert list(live()) == [doomed]

    def test_the_name_of_a_canceled_attempt_does_not_count_as_one(self, preset):
        factories.make_pending_prebuilds(preset, 2, now=NOON)

        self.cancel(preset)

        seen = observe(preset)
        assert (seen.attempts, seen.failed, seen.starting, seen.deleting) == ((), (), 0, 0)


class TestStatus:
    def test_the_status_follows_the_decision_with_reason_and_time(self, preset):
        limited = SetStatus(status=Status.HARD_LIMITED, reason=Reason.TOO_MANY_FAILURES)

        outcome = execute(preset, limited)

        preset.refresh_from_db()
        assert (preset.prebuild_status, preset.status_since) == ("hard_limited", NOON)
        assert "Retry" in preset.status_reason
        assert [entry["changed"] for entry in outcome.entries] == [True]

    def test_a_recovery_clears_the_reason(self, preset):
        execute(preset, SetStatus(status=Status.HARD_LIMITED, reason=Reason.TOO_MANY_FAILURES))

        execute(preset, SetStatus(status=Status.HEALTHY, reason=Reason.RECOVERED), now=LATER)

        preset.refresh_from_db()
        assert (preset.prebuild_status, preset.status_reason) == ("healthy", "")
        assert preset.status_since == LATER

    def test_a_status_changed_in_between_is_not_overwritten(self, preset):
        seen = observe(preset)
        template_services.mark_validation_failed(preset_id=preset.pk, reason="no", now=NOON)
        action = SetStatus(status=Status.HARD_LIMITED, reason=Reason.TOO_MANY_FAILURES)

        decision = Decision(preset=seen, state=calculate_state(seen, NOON), actions=(action,))
        outcome = execution.execute_decision(decision, now=NOON)

        preset.refresh_from_db()
        assert preset.prebuild_status == "validation_failed"
        assert [entry["changed"] for entry in outcome.entries] == [False]


def test_what_is_held_is_counted_and_changes_nothing(preset):
    outcome = execute(
        preset,
        HoldCreation(count=3, reason=Reason.BACKING_OFF, until=LATER),
        CreatePrebuilds(count=0),
    )

    assert outcome.held == 3
    assert outcome.entries[0] == {
        "action": "hold",
        "reason": "backing_off",
        "count": 3,
        "until": LATER.isoformat(),
    }
    assert not Workspace.objects.exists()


def test_what_was_done_before_an_error_is_still_counted(preset, monkeypatch):
    from prebuilds import reconciler

    (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
    monkeypatch.setattr(creation, "create_prebuilds", raise_poisoned)
    seen = observe(preset)
    decision = Decision(
        preset=seen,
        state=calculate_state(seen, NOON),
        actions=(
            DeletePrebuild(workspace_id=workspace.pk, reason=Reason.EXPIRED),
            CreatePrebuilds(count=1),
        ),
    )

    executed = reconciler._execute_one(decision, NOON)

    assert "poisoned" in executed.outcome.error
    assert executed.outcome.deleted == 1
    assert [entry["action"] for entry in executed.outcome.entries] == ["delete"]


def raise_poisoned(*args, **kwargs):
    raise RuntimeError("poisoned")


class TestRetry:
    @staticmethod
    def fail_first(times, cause):
        calls = []

        def effect():
            calls.append(1)
            if len(calls) <= times:
                raise OperationalError("once more") from cause
            return "done"

        return effect, calls

    @pytest.mark.parametrize(
        "cause", [psycopg.errors.DeadlockDetected(), psycopg.errors.SerializationFailure()]
    )
    def test_a_deadlock_is_tried_again(self, cause):
        effect, calls = self.fail_first(2, cause)

        assert execution._retried(effect) == "done"
        assert len(calls) == 3

    def test_but_not_for_ever(self):
        effect, calls = self.fail_first(9, psycopg.errors.DeadlockDetected())

        with pytest.raises(OperationalError):
            execution._retried(effect)
        assert len(calls) == execution.TRIES

    def test_any_other_error_is_reported_at_once(self):
        effect, calls = self.fail_first(9, psycopg.errors.AdminShutdown())

        with pytest.raises(OperationalError):
            execution._retried(effect)
        assert len(calls) == 1


def test_names_are_the_base32_of_nine_random_bytes():
    names = {creation.new_prebuild_name() for _ in range(200)}

    assert len(names) == 200
    assert all(re.fullmatch(r"prebuild-[a-z2-7]{15}", name) for name in names)


def test_a_lost_job_frees_its_place_in_the_pool(preset):
    factories.make_pending_prebuilds(preset, 3, now=NOON)
    factories.acquire(now=NOON)
    jobs.reap_lost_jobs(now=NOON + timedelta(seconds=31))

    assert creation.create_prebuilds(observe(preset), count=3, now=NOON) == 1


def test_a_cold_workspace_of_the_preset_takes_no_place_in_the_pool(preset):
    claims.claim_or_create_workspace(
        owner=factories.make_user(),
        template=preset.version.template,
        preset_id=preset.pk,
        name="mine",
        parameters={},
        now=NOON,
    )

    assert creation.create_prebuilds(observe(preset), count=3, now=NOON) == 3
