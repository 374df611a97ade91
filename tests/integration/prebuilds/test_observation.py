"""Which row of the database lands where in the snapshot (semantics.md 2 and 3)."""

from datetime import timedelta

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from accounts import services as account_services
from accounts.models import Group
from prebuilds import claims, observation
from prebuilds.core.actions import Reason
from prebuilds.core.policy import Policy
from prebuilds.core.snapshot import OrganizationSnapshot, Snapshot, Status
from prebuilds.execution import deletion
from templates_app import services as template_services
from templates_app.models import Preset, Template
from templates_app.schedules import Schedule
from templates_app.services import PresetSpec
from tests import factories
from tests.factories import NOON, hours, observe
from workspaces.enums import LifecycleState, Transition
from workspaces.models import Agent, WorkspaceResource
from workspaces.services import agents, daemons, jobs

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


@pytest.fixture
def preset():
    return make_preset(desired_instances=2)


def make_preset(**spec):
    spec = PresetSpec(**{"name": "Small", **spec})
    return factories.preset_of(factories.make_template(presets=(spec,)))


def see_all():
    return observation.take_snapshot(Policy(), now=factories.NOON, using="default")


def test_a_pool_without_prebuilds_is_seen_with_its_settings():
    preset = make_preset(
        desired_instances=3,
        ttl_seconds=7200,
        scheduling_timezone="Europe/Berlin",
        schedules=(("* 9-17 * * 1-5", 5), ("* 18 * * 1-5", 1)),
    )
    Preset.objects.filter(pk=preset.pk).update(
        last_invalidated_at=NOON, prebuild_status="hard_limited", status_reason="three failures"
    )

    seen = observe(preset)

    assert (seen.name, seen.desired_instances, seen.ttl) == ("Small", 3, hours(2))
    assert seen.scheduling_timezone == "Europe/Berlin"
    assert seen.schedules == (
        Schedule(expression="* 9-17 * * 1-5", desired_instances=5),
        Schedule(expression="* 18 * * 1-5", desired_instances=1),
    )
    assert (seen.last_invalidated_at, seen.status) == (NOON, Status.HARD_LIMITED)
    assert seen.status_reason == "three failures"
    assert seen.is_active
    assert (seen.running, seen.starting, seen.failed, seen.attempts) == ((), 0, (), ())


def test_the_names_above_a_preset_are_its_own():
    organization = factories.make_organization("elsewhere")
    template = factories.make_template("tool", organization=organization)
    preset = factories.preset_of(template)

    seen = observe(preset)

    assert (seen.template_id, seen.template_name) == (template.pk, "tool")
    assert (seen.version_id, seen.version_name) == (template.active_version_id, "1.0.0")
    assert (seen.organization_id, seen.organization_name) == (organization.pk, "elsewhere")


@pytest.mark.parametrize("ttl_seconds", [None, 0])
def test_no_ttl_and_a_ttl_of_zero_are_both_off(ttl_seconds):
    preset = make_preset(desired_instances=1, ttl_seconds=ttl_seconds)

    assert observe(preset).ttl is None


def test_a_preset_without_a_pool_is_not_seen():
    factories.make_template(presets=(PresetSpec(name="Small"),))

    assert see_all() == Snapshot()


def test_a_pool_that_wants_none_is_seen():
    preset = make_preset(desired_instances=0)

    assert observe(preset).desired_instances == 0


def make_inactive(preset, how):
    template = Template.objects.filter(pk=preset.version.template_id)
    match how:
        case "using_active_version":
            factories.promote_new_version(template.get())
        case "deprecated":
            template.update(deprecation_message="old")
        case "deleted":
            template.update(deleted_at=NOON)


WAYS = {"using_active_version": False, "deprecated": True, "deleted": True}


@pytest.mark.parametrize("how", WAYS)
def test_an_inactive_preset_with_something_left_is_seen_as_inactive(preset, how):
    (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
    make_inactive(preset, how)

    seen = observe(preset)

    assert not seen.is_active
    assert getattr(seen, how) is WAYS[how]
    assert [one.id for one in seen.running] == [workspace.pk]


@pytest.mark.parametrize("how", WAYS)
def test_a_pending_start_of_an_inactive_preset_is_seen(preset, how):
    factories.make_pending_prebuilds(preset, 1, now=NOON)
    make_inactive(preset, how)

    assert len(observe(preset).pending) == 1


@pytest.mark.parametrize("how", WAYS)
def test_an_inactive_preset_with_nothing_left_is_not_read_or_has_nothing(preset, how):
    make_inactive(preset, how)

    seen = [one for one in see_all().presets if one.id == preset.pk]

    assert not any(one.running or one.pending or one.failed or one.is_active for one in seen)


def test_schedules_of_an_inactive_version_are_not_read():
    preset = make_preset(desired_instances=1, schedules=(("* 9 * * *", 5),))
    factories.make_pending_prebuilds(preset, 1, now=NOON)
    factories.promote_new_version(preset.version.template)

    assert observe(preset).schedules == ()


def test_a_pending_unassigned_start_is_starting_and_can_be_cancelled(preset):
    workspace, _ = factories.make_pending_prebuilds(preset, 2, now=NOON)

    seen = observe(preset)

    assert seen.starting == len(seen.pending) == 2
    (pending,) = [one for one in seen.pending if one.workspace_id == workspace.pk]
    assert pending.job_id == workspace.latest_build.job_id
    assert pending.created_at == NOON


def test_a_start_a_daemon_has_taken_is_starting_and_no_longer_pending(preset):
    factories.make_pending_prebuilds(preset, now=NOON)
    factories.acquire(now=NOON)

    seen = observe(preset)

    assert (seen.starting, seen.pending) == (1, ())
    factories.finish_all_jobs(now=NOON, fail="bad")
    assert observe(preset).attempts == (), "a failed restart is not a failed attempt"


def test_a_start_given_back_by_its_daemon_is_pending_again(preset):
    factories.make_pending_prebuilds(preset, now=NOON)
    job = factories.acquire(now=NOON)
    jobs.release_job(job_id=job.job_id, lease=job.lease, now=NOON)

    assert len(observe(preset).pending) == 1


def test_a_start_that_is_canceling_counts_nowhere(preset):
    factories.make_pending_prebuilds(preset, now=NOON)
    job = factories.acquire(now=NOON)
    jobs.cancel_job(job_id=job.job_id, now=NOON)

    seen = observe(preset)

    assert (seen.starting, seen.pending, seen.running, seen.failed) == (0, (), (), ())


def test_a_started_prebuild_runs_and_is_ready_once_its_agent_is(preset):
    (workspace,) = factories.make_pending_prebuilds(preset, now=NOON)
    factories.finish_all_jobs(now=NOON + SECOND)

    (before,) = observe(preset).running
    factories.make_agent_ready(workspace, now=NOON + 2 * SECOND)
    (after,) = observe(preset).running

    assert (before.id, before.created_at) == (workspace.pk, NOON)
    assert before.started_at == NOON + SECOND
    assert (before.ready, after.ready) == (False, True)
    assert observe(preset).starting == 0


@pytest.mark.parametrize(
    "state", [state for state in LifecycleState if state != LifecycleState.READY]
)
def test_no_other_lifecycle_state_is_ready(preset, state):
    (workspace,) = factories.make_ready_prebuilds(preset, now=NOON)
    agent = Agent.objects.get(resource__build=workspace.latest_build)
    agents.report_lifecycle(agent_id=agent.pk, state=state, now=NOON)

    (running,) = observe(preset).running
    assert not running.ready


def test_a_prebuild_without_agents_is_never_ready(preset):
    (workspace,) = factories.make_ready_prebuilds(preset, now=NOON)
    Agent.objects.all().delete()

    (running,) = observe(preset).running
    assert (running.id, running.ready) == (workspace.pk, False)


def test_one_agent_that_is_not_ready_is_enough_to_be_not_ready(preset):
    (workspace,) = factories.make_ready_prebuilds(preset, now=NOON)
    second = WorkspaceResource.objects.create(build=workspace.latest_build, name="b", type="t")
    Agent.objects.create(resource=second, name="late", token_digest=b"x" * 32)

    (running,) = observe(preset).running
    assert not running.ready


def test_a_stop_by_an_admin_is_stopping_and_the_stopped_prebuild_counts_nowhere(preset):
    (workspace,) = factories.make_ready_prebuilds(preset, now=NOON)
    factories.ask_for(workspace, Transition.STOP, now=NOON)

    stopping = observe(preset)
    factories.finish_all_jobs(now=NOON)
    stopped = observe(preset)

    assert (stopping.stopping, stopping.running) == (1, ())
    assert (stopped.stopping, stopped.running, stopped.starting, stopped.failed) == (0, (), 0, ())


def test_a_restart_by_an_admin_is_starting_and_not_for_the_reconciler_to_cancel(preset):
    (workspace,) = factories.make_ready_prebuilds(preset, now=NOON)
    factories.ask_for(workspace, Transition.STOP, now=NOON)
    factories.finish_all_jobs(now=NOON)
    factories.ask_for(workspace, Transition.START, now=NOON)

    seen = observe(preset)

    assert (seen.starting, seen.pending) == (1, ())
    factories.finish_all_jobs(now=NOON, fail="bad")
    assert observe(preset).attempts == (), "a failed restart is not a failed attempt"


def test_a_deletion_is_deleting_then_gone(preset):
    (workspace,) = factories.make_ready_prebuilds(preset, now=NOON)
    deletion.delete_prebuilds({workspace.pk: Reason.EXTRANEOUS}, now=NOON)

    deleting = observe(preset)
    factories.finish_all_jobs(now=NOON)
    gone = observe(preset)

    assert (deleting.deleting, deleting.running) == (1, ())
    assert (gone.deleting, gone.running, gone.failed_deletions) == (0, (), ())


def test_a_failed_start_is_failed_and_a_canceled_one_says_so(preset):
    factories.make_pending_prebuilds(preset, 2, now=NOON)
    failing, canceled = factories.acquire(now=NOON), factories.acquire(now=NOON)
    jobs.fail_job(
        job_id=failing.job_id, lease=failing.lease, error="no", code="script_failed", now=NOON
    )
    jobs.cancel_job(job_id=canceled.job_id, now=NOON)
    jobs.finish_canceled_job(job_id=canceled.job_id, lease=canceled.lease, now=NOON + SECOND)

    found = {one.id: (one.ended_at, one.canceled) for one in observe(preset).failed}

    assert found == {
        failing.workspace_id: (NOON, False),
        canceled.workspace_id: (NOON + SECOND, True),
    }


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_a_failed_deletion_is_seen_with_its_tries(preset, tries):
    (workspace,) = factories.make_ready_prebuilds(preset, now=NOON)
    for number in range(tries):
        deletion.delete_prebuilds({workspace.pk: Reason.EXTRANEOUS}, now=NOON)
        factories.finish_all_jobs(now=NOON + number * SECOND, fail="the disk is busy")

    (failed,) = observe(preset).failed_deletions

    assert (failed.id, failed.tries) == (workspace.pk, tries)
    assert failed.ended_at == NOON + (tries - 1) * SECOND


def test_tries_of_a_deletion_before_a_restart_do_not_count(preset):
    (workspace,) = factories.make_ready_prebuilds(preset, now=NOON)
    deletion.delete_prebuilds({workspace.pk: Reason.EXTRANEOUS}, now=NOON)
    factories.finish_all_jobs(now=NOON, fail="the disk is busy")
    factories.ask_for(workspace, Transition.START, now=NOON)
    factories.finish_all_jobs(now=NOON)
    deletion.delete_prebuilds({workspace.pk: Reason.EXTRANEOUS}, now=NOON)
    factories.finish_all_jobs(now=NOON, fail="the disk is busy")

    (failed,) = observe(preset).failed_deletions

    assert failed.tries == 1, "tries in a row"


def test_attempts_are_the_finished_first_starts(preset):
    for number, fail in enumerate(["", "bad"]):
        Preset.objects.filter(pk=preset.pk).update(desired_instances=number + 1)
        factories.make_pending_prebuilds(preset, 1, now=NOON + number * SECOND)
        factories.finish_all_jobs(now=NOON + hours(1) + number * SECOND, fail=fail)

    found = {(one.created_at, one.finished_at, one.failed) for one in observe(preset).attempts}

    assert found == {
        (NOON, NOON + hours(1), False),
        (NOON + SECOND, NOON + hours(1) + SECOND, True),
    }


def test_unfinished_and_canceled_starts_are_no_attempts(preset):
    factories.make_pending_prebuilds(preset, 2, now=NOON)
    job = factories.acquire(now=NOON)
    jobs.cancel_job(job_id=job.job_id, now=NOON)
    jobs.finish_canceled_job(job_id=job.job_id, lease=job.lease, now=NOON)

    assert observe(preset).attempts == ()


def test_a_lost_provisioner_is_a_failed_attempt(preset):
    factories.make_pending_prebuilds(preset, now=NOON)
    factories.acquire(now=NOON)
    jobs.reap_lost_jobs(now=NOON + timedelta(seconds=31))

    (attempt,) = observe(preset).attempts
    assert (attempt.failed, attempt.finished_at) == (True, NOON + timedelta(seconds=31))


def test_a_prebuild_that_never_became_ready_is_a_failed_attempt_from_when_that_was_found(preset):
    (workspace,) = factories.make_pending_prebuilds(preset, now=NOON)
    factories.finish_all_jobs(now=NOON)
    deletion.delete_prebuilds({workspace.pk: Reason.NEVER_READY}, now=NOON + hours(1))

    (attempt,) = observe(preset).attempts

    assert (attempt.created_at, attempt.finished_at) == (NOON, NOON + hours(1))
    assert attempt.failed


def test_attempts_of_workspaces_since_claimed_or_deleted_count(preset):
    claimed, deleted = factories.make_ready_prebuilds(preset, 2, now=NOON)
    claims.claim_or_create_workspace(
        owner=factories.make_user(),
        template=claimed.template,
        preset_id=preset.pk,
        name="mine",
        parameters={},
        now=NOON,
    )
    left = {claimed.pk, deleted.pk} - {observe_claimed()}
    deletion.delete_prebuilds(dict.fromkeys(left, Reason.EXTRANEOUS), now=NOON)
    factories.finish_all_jobs(now=NOON)
    factories.make_pending_prebuilds(preset, 1, now=NOON + hours(1))
    factories.finish_all_jobs(now=NOON + hours(1), fail="bad")

    seen = observe(preset)

    assert (seen.running, seen.deleting) == ((), 0)
    assert sorted(one.failed for one in seen.attempts) == [False, False, True]


def observe_claimed():
    from prebuilds.models import Claim

    return Claim.objects.get().workspace_id


def test_an_ordinary_workspace_of_the_preset_is_no_attempt_and_no_prebuild(preset):
    claims.claim_or_create_workspace(
        owner=factories.make_user(),
        template=preset.version.template,
        preset_id=preset.pk,
        name="mine",
        parameters={},
        now=NOON,
    )
    factories.finish_all_jobs(now=NOON, fail="bad luck")

    seen = observe(preset)

    assert (seen.starting, seen.running, seen.failed, seen.attempts) == (0, (), (), ())


def test_attempts_up_to_the_reset_are_forgotten(preset):
    factories.make_pending_prebuilds(preset, 1, now=NOON)
    factories.finish_all_jobs(now=NOON, fail="bad")
    template_services.retry_preset(preset_id=preset.pk, now=NOON)
    forgotten = observe(preset).attempts

    factories.make_pending_prebuilds(preset, 1, now=NOON)
    factories.finish_all_jobs(now=NOON + SECOND, fail="bad")

    assert forgotten == ()
    assert [one.finished_at for one in observe(preset).attempts] == [NOON + SECOND]


@pytest.mark.parametrize(
    ("desired", "schedules", "hard_limit", "expected"),
    [
        pytest.param(1, (), 0, 1, id="at least one"),
        pytest.param(1, (), 3, 3, id="as many as the hard limit looks at"),
        pytest.param(5, (), 3, 5, id="as many as the pool wants"),
        pytest.param(1, (("* 9 * * *", 4), ("* 10 * * *", 6)), 3, 6, id="or any schedule wants"),
    ],
)
def test_only_as_many_attempts_as_count_are_read(desired, schedules, hard_limit, expected):
    preset = make_preset(desired_instances=8)
    for number in range(8):
        factories.make_pending_prebuilds(preset, 1, now=NOON + number * SECOND)
        factories.finish_all_jobs(now=NOON + number * SECOND, fail="bad")
    preset.schedules.all().delete()
    Preset.objects.filter(pk=preset.pk).update(desired_instances=desired)
    for position, (expression, number) in enumerate(schedules):
        preset.schedules.create(
            position=position, cron_expression=expression, desired_instances=number
        )

    much_later = NOON + hours(9)
    found = observe(preset, Policy(failure_hard_limit=hard_limit), now=much_later).attempts

    assert sorted(one.created_at for one in found) == [
        NOON + number * SECOND for number in range(8 - expected, 8)
    ]


def test_failures_within_the_lookback_are_read_beyond_the_window_too(preset):
    Preset.objects.filter(pk=preset.pk).update(desired_instances=1)
    for number in range(5):
        factories.make_pending_prebuilds(preset, 1, now=NOON + hours(number / 4))
        factories.finish_all_jobs(now=NOON + hours(number / 4), fail="bad" if number < 4 else "")

    found = observe(
        preset,
        Policy(failure_hard_limit=0, backoff_lookback=hours(1)),
        now=NOON + hours(1.25),
    ).attempts

    assert sorted((one.created_at, one.failed) for one in found) == [
        (NOON + hours(0.25), True),
        (NOON + hours(0.5), True),
        (NOON + hours(0.75), True),
        (NOON + hours(1), False),
    ]


def test_a_claimed_workspace_is_no_longer_seen(preset):
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    claims.claim_or_create_workspace(
        owner=factories.make_user(),
        template=preset.version.template,
        preset_id=preset.pk,
        name="mine",
        parameters={},
        now=NOON,
    )

    seen = observe(preset)

    assert (seen.running, seen.starting) == ((), 0)


def test_prebuilds_of_one_preset_are_not_seen_at_another():
    template = factories.make_template(
        presets=(
            PresetSpec(name="Small", desired_instances=1),
            PresetSpec(name="Large", desired_instances=1),
        )
    )
    factories.make_ready_prebuilds(factories.preset_of(template), now=NOON)

    assert observe(factories.preset_of(template, "Large")).running == ()


def test_an_organizations_numbers_are_its_own():
    rich, poor = factories.make_organization("rich"), factories.make_organization("poor")
    account_services.ensure_prebuilds_membership([rich.pk, poor.pk])
    Group.objects.filter(organization=rich).update(quota_allowance=50)
    template = factories.make_template(
        organization=rich,
        daily_cost=7,
        presets=(PresetSpec(name="Small", desired_instances=4),),
    )
    preset = factories.preset_of(template)
    factories.make_ready_prebuilds(preset, 1, now=NOON)
    factories.make_pending_prebuilds(preset, 2, now=NOON)
    jobs.cancel_job(job_id=factories.acquire(now=NOON).job_id, now=NOON)

    organizations = see_all().organizations

    assert organizations[rich.pk] == OrganizationSnapshot(
        in_flight=1, quota_allowance=50, quota_used=21
    )
    assert organizations[poor.pk] == OrganizationSnapshot()


def test_what_waits_for_a_machine_that_is_away_is_not_in_flight(preset):
    """Nobody is busy with it, and it may wait for ever: pools must not wait with it."""
    there = factories.make_daemon(machine="there", now=NOON)
    (prebuild, _) = factories.make_pending_prebuilds(preset, 2, now=NOON)
    for _ in range(2):
        job = factories.acquire(daemon=there, now=NOON)
        result = factories.result_for(job.workspace_id)
        jobs.complete_job(job_id=job.job_id, lease=job.lease, result=result, now=NOON)
    deletion.delete_prebuilds({prebuild.pk: Reason.EXTRANEOUS}, now=NOON)
    home = preset.version.template.organization_id

    assert see_all().organizations[home].in_flight == 1

    daemons.retire_daemon(daemon_id=there.pk, now=NOON)
    stranger, _ = factories.make_key(organization=factories.make_organization())
    factories.make_daemon(machine="there", key=stranger, now=NOON)
    factories.make_daemon(machine="elsewhere", now=NOON)
    factories.make_pending_prebuilds(preset, 1, now=NOON)
    assert see_all().organizations[home].in_flight == 1  # the start that any may do

    factories.make_daemon(machine="there", now=NOON)
    assert see_all().organizations[home].in_flight == 2


def test_a_deleted_prebuild_costs_nothing_any_more():
    template = factories.make_template(daily_cost=7)
    preset = factories.preset_of(template)
    (workspace,) = factories.make_ready_prebuilds(preset, 1, now=NOON)
    deletion.delete_prebuilds({workspace.pk: Reason.EXTRANEOUS}, now=NOON)
    factories.finish_all_jobs(now=NOON)

    assert see_all().organizations[template.organization_id].quota_used == 0


@pytest.mark.django_db(transaction=True, databases=["default", "snapshot"])
class TestStatements:
    def test_without_any_pool_two_statements_are_enough(self, django_assert_num_queries, snapshot):
        factories.make_template(presets=(PresetSpec(name="Small"),))

        with django_assert_num_queries(2, connection=snapshot):
            assert observation.take_snapshot(Policy(), now=factories.NOON) == Snapshot()

    def test_thirty_pools_cost_as_many_statements_as_one(self, django_assert_num_queries, snapshot):
        factories.make_ready_prebuilds(make_preset(desired_instances=1), 1, now=NOON)
        with CaptureQueriesContext(snapshot) as one:
            assert len(observation.take_snapshot(Policy(), now=NOON).presets) == 1
        for number in range(29):
            preset = make_preset(desired_instances=2, schedules=(("* 9 * * *", number),))
            factories.make_pending_prebuilds(preset, 1, now=NOON)
        factories.finish_all_jobs(now=NOON)

        with django_assert_num_queries(len(one.captured_queries), connection=snapshot):
            seen = observation.take_snapshot(Policy(), now=NOON)

        assert len(one.captured_queries) <= 6
        assert len(seen.presets) == 30
        assert all(len(one.running) == 1 for one in seen.presets)

    def test_nothing_is_read_on_the_connection_that_writes(self, django_assert_num_queries):
        make_preset(desired_instances=1)

        with django_assert_num_queries(0):
            observation.take_snapshot(Policy(), now=factories.NOON)


@pytest.fixture
def snapshot():
    return connections["snapshot"]
