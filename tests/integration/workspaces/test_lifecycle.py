"""What people may change about a workspace's times, and what they may not (semantics.md 16)."""

from datetime import timedelta
from importlib import import_module
from uuid import uuid4

import pytest
from django.db import connection, transaction

from templates_app.models import Template
from templates_app.services import PresetSpec
from tests.factories import (
    NOON,
    ask_for,
    finish_all_jobs,
    make_ready_prebuilds,
    make_template,
    make_user,
    make_workspace,
    preset_of,
)
from tests.integration.referee import assert_refused
from workspaces import locks
from workspaces.errors import (
    BuildInProgress,
    InvalidLifecycle,
    NoDeadline,
    PrebuildHasNoLifecycle,
    WorkspaceDeleted,
    WorkspaceDormant,
    WorkspaceNotRunning,
)
from workspaces.models import Workspace, WorkspaceBuild
from workspaces.services import lifecycle, workspaces

pytestmark = pytest.mark.django_db

HOUR, DAY = 3_600, 86_400
LATER = NOON + timedelta(minutes=1)
SCHEDULE = "CRON_TZ=Europe/Berlin 30 9 * * 1-5"
TEN_PAST = NOON + timedelta(minutes=10)


def running(**policy):
    workspace = make_workspace(template=make_template(fields=policy), now=NOON)
    finish_all_jobs(now=NOON)
    return fresh(workspace)


def fresh(workspace):
    return Workspace.objects.select_related("latest_build__job").get(pk=workspace.pk)


def a_prebuild(**policy):
    spec = PresetSpec(name="Small", desired_instances=1)
    template = make_template(presets=[spec], fields=policy)
    (prebuild,) = make_ready_prebuilds(preset_of(template), 1, now=NOON)
    return prebuild


CALLS = {
    "ttl": lambda pk: lifecycle.set_ttl(workspace_id=pk, ttl_seconds=HOUR, now=LATER),
    "no ttl": lambda pk: lifecycle.set_ttl(workspace_id=pk, ttl_seconds=None, now=LATER),
    "extend": lambda pk: lifecycle.extend_deadline(
        workspace_id=pk, deadline=NOON + timedelta(hours=9), now=LATER
    ),
    "autostart": lambda pk: lifecycle.set_autostart(workspace_id=pk, schedule=SCHEDULE, now=LATER),
    "dormant": lambda pk: lifecycle.set_dormancy(workspace_id=pk, dormant=True, now=LATER),
    "awake": lambda pk: lifecycle.set_dormancy(workspace_id=pk, dormant=False, now=LATER),
    "updates": lambda pk: lifecycle.set_automatic_updates(
        workspace_id=pk, automatic_updates="always", now=LATER
    ),
    "use": lambda pk: lifecycle.record_use(workspace_id=pk, now=LATER),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_prebuild_takes_no_part_in_any_of_it(call):
    prebuild = a_prebuild(default_ttl_seconds=HOUR)
    before = Workspace.objects.filter(pk=prebuild.pk).values().get()

    with pytest.raises(PrebuildHasNoLifecycle, match="begin with its claim"):
        call(prebuild.pk)

    assert Workspace.objects.filter(pk=prebuild.pk).values().get() == before


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_deleted_workspace_is_refused(call):
    workspace = running(default_ttl_seconds=HOUR)
    Workspace.objects.update(deleted_at=NOON)

    with pytest.raises(WorkspaceDeleted):
        call(workspace.pk)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_workspace_that_never_was_is_not_found(call):
    with pytest.raises(Workspace.DoesNotExist):
        call(uuid4())


class TestClaiming:
    LIFECYCLE = (
        "ttl_seconds",
        "autostart_schedule",
        "next_start_at",
        "automatic_updates",
        "last_used_at",
        "updated_at",
        "dormant_at",
        "deleting_at",
        "deleted_at",
        "organization_id",
        "owner_id",
        "template_id",
        "pool_preset_id",
    )
    POLICY = {
        "default_ttl_seconds": HOUR,
        "time_til_dormant_seconds": DAY,
        "time_til_dormant_autodelete_seconds": DAY,
    }

    @pytest.mark.parametrize(
        ("policy", "wishes"),
        [
            ({}, {}),
            (POLICY, {}),
            (POLICY, {"ttl_seconds": 2 * HOUR, "autostart_schedule": SCHEDULE}),
            ({"allow_user_autostart": False, "allow_user_autostop": False}, {}),
        ],
    )
    def test_a_claimed_workspace_gets_field_by_field_what_a_fresh_one_gets(self, policy, wishes):
        prebuild, owner = a_prebuild(**policy), make_user()

        self.claim(prebuild, owner, **wishes)
        built = workspaces.insert_workspace(
            owner=owner,
            template=prebuild.template,
            name="built",
            latest_build_id=None,
            now=LATER,
            **wishes,
        )

        claimed = Workspace.objects.filter(pk=prebuild.pk).values(*self.LIFECYCLE).get()
        assert claimed == Workspace.objects.filter(pk=built.pk).values(*self.LIFECYCLE).get()
        everything = {field.attname for field in Workspace._meta.concrete_fields}
        assert everything - set(self.LIFECYCLE) == {"id", "name", "created_at", "latest_build_id"}

    def claim(self, prebuild, owner, **wishes):
        with transaction.atomic():
            workspace = locks.lock_workspace(prebuild.pk)
            workspaces.transfer_ownership(workspace, owner=owner, name="mine", now=LATER, **wishes)

    def test_the_wishes_of_the_request_are_in_the_row(self):
        prebuild = a_prebuild()

        self.claim(prebuild, make_user(), ttl_seconds=2 * HOUR, autostart_schedule=SCHEDULE)

        prebuild.refresh_from_db()
        assert (prebuild.ttl_seconds, prebuild.autostart_schedule) == (2 * HOUR, SCHEDULE)
        assert prebuild.next_start_at == NOON + timedelta(hours=20, minutes=30)

    def test_a_wish_the_template_refuses_leaves_the_prebuild_where_it_was(self):
        prebuild = a_prebuild(allow_user_autostop=False)

        with pytest.raises(InvalidLifecycle, match="ttl_seconds"):
            self.claim(prebuild, make_user(), ttl_seconds=HOUR)

        prebuild.refresh_from_db()
        assert prebuild.is_prebuild


class TestTtl:
    def test_it_counts_from_the_next_start(self):
        workspace = running(default_ttl_seconds=HOUR)

        answer = lifecycle.set_ttl(workspace_id=workspace.pk, ttl_seconds=2 * HOUR, now=LATER)

        stored = fresh(workspace)
        assert answer.ttl_seconds == stored.ttl_seconds == 2 * HOUR
        assert stored.updated_at == LATER
        assert stored.latest_build.deadline == NOON + timedelta(hours=1)
        ask_for(workspace, "start", now=LATER)
        finish_all_jobs(now=LATER)
        assert fresh(workspace).latest_build.deadline == LATER + timedelta(hours=2)

    @pytest.mark.parametrize("nothing", [None, 0])
    def test_none_takes_the_deadline_of_what_runs(self, nothing):
        workspace = running(default_ttl_seconds=HOUR)

        lifecycle.set_ttl(workspace_id=workspace.pk, ttl_seconds=nothing, now=LATER)

        assert (fresh(workspace).ttl_seconds, fresh(workspace).latest_build.deadline) == (None,) * 2

    def test_a_bad_one_changes_nothing(self):
        workspace = running(default_ttl_seconds=HOUR)

        with pytest.raises(InvalidLifecycle, match="59 is out of range"):
            lifecycle.set_ttl(workspace_id=workspace.pk, ttl_seconds=59, now=LATER)

        assert fresh(workspace).ttl_seconds == HOUR

    def test_a_template_that_decides_by_itself_refuses_and_its_own_ttl_counts(self):
        workspace = running(default_ttl_seconds=HOUR)
        Template.objects.update(allow_user_autostop=False, default_ttl_seconds=3 * HOUR)

        with pytest.raises(InvalidLifecycle, match="decides about autostop by itself"):
            lifecycle.set_ttl(workspace_id=workspace.pk, ttl_seconds=HOUR, now=LATER)

        ask_for(workspace, "start", now=LATER)
        finish_all_jobs(now=LATER)
        assert fresh(workspace).latest_build.deadline == LATER + timedelta(hours=3)


class TestExtending:
    def extend(self, workspace, deadline, now=LATER):
        return lifecycle.extend_deadline(workspace_id=workspace.pk, deadline=deadline, now=now)

    @pytest.mark.parametrize("minutes", [2, 59, 600])
    def test_a_running_workspace_gets_the_new_deadline(self, minutes):
        workspace = running(default_ttl_seconds=HOUR)

        self.extend(workspace, NOON + timedelta(minutes=minutes))

        assert fresh(workspace).latest_build.deadline == NOON + timedelta(minutes=minutes)
        assert fresh(workspace).updated_at == LATER

    def test_one_that_has_passed_or_is_too_late_changes_nothing(self):
        workspace = running(default_ttl_seconds=HOUR)
        WorkspaceBuild.objects.update(max_deadline=NOON + timedelta(hours=2))

        with pytest.raises(InvalidLifecycle, match="has passed"):
            self.extend(workspace, LATER)
        with pytest.raises(InvalidLifecycle, match="is too late"):
            self.extend(workspace, NOON + timedelta(hours=3))

        assert fresh(workspace).latest_build.deadline == NOON + timedelta(hours=1)

    def test_a_workspace_that_runs_for_ever_has_nothing_to_extend(self):
        with pytest.raises(NoDeadline, match="until it is stopped by hand"):
            self.extend(running(), NOON + timedelta(hours=1))

    @pytest.mark.parametrize("transition", ["start", "stop"])
    def test_a_workspace_that_is_being_built_or_is_stopped_is_refused(self, transition):
        workspace = running(default_ttl_seconds=HOUR)
        ask_for(workspace, transition, now=NOON)
        if transition == "stop":
            finish_all_jobs(now=NOON)

        with pytest.raises(WorkspaceNotRunning, match="Start it"):
            self.extend(workspace, NOON + timedelta(hours=1))

    def test_a_failed_start_is_not_running(self):
        workspace = running(default_ttl_seconds=HOUR)
        ask_for(workspace, "start", now=NOON)
        finish_all_jobs(now=NOON, fail="boom")

        with pytest.raises(WorkspaceNotRunning):
            self.extend(workspace, NOON + timedelta(hours=1))


class TestDeadlines:
    @pytest.mark.parametrize("transition", ["start", "stop", "delete"])
    def test_the_next_build_ends_the_deadline_of_the_one_before(self, transition):
        workspace = running(default_ttl_seconds=HOUR)

        ask_for(workspace, transition, now=LATER)

        assert not WorkspaceBuild.objects.filter(deadline__isnull=False).exists()

    def test_the_migration_leaves_deadlines_to_the_latest_builds(self):
        migration = import_module("workspaces.migrations.0005_lifecycle")
        workspace = running(default_ttl_seconds=HOUR)
        ask_for(workspace, "start", now=LATER)
        WorkspaceBuild.objects.update(deadline=NOON)

        with connection.cursor() as cursor:
            cursor.execute(migration.FORGET_PAST_DEADLINES)

        assert WorkspaceBuild.objects.get(build_number=1).deadline is None
        assert WorkspaceBuild.objects.get(build_number=2).deadline == NOON


class TestAutostart:
    def set(self, workspace, schedule, now=LATER):
        return lifecycle.set_autostart(workspace_id=workspace.pk, schedule=schedule, now=now)

    def test_a_schedule_plans_the_next_start_and_an_empty_one_forgets_it(self):
        workspace = running()

        self.set(workspace, f" {SCHEDULE} ")

        stored = fresh(workspace)
        assert (stored.autostart_schedule, stored.updated_at) == (SCHEDULE, LATER)
        assert stored.next_start_at == NOON + timedelta(hours=20, minutes=30)

        self.set(workspace, "")

        stored = fresh(workspace)
        assert (stored.autostart_schedule, stored.next_start_at) == ("", None)

    def test_a_bad_schedule_changes_nothing(self):
        workspace = running()
        self.set(workspace, SCHEDULE)

        with pytest.raises(InvalidLifecycle, match="is no hour"):
            self.set(workspace, "0 nine * * *")

        assert fresh(workspace).autostart_schedule == SCHEDULE

    def test_a_template_may_forbid_it_but_not_its_end(self):
        workspace = running()
        self.set(workspace, SCHEDULE)
        Template.objects.update(allow_user_autostart=False)

        with pytest.raises(InvalidLifecycle, match="does not allow autostart"):
            self.set(workspace, SCHEDULE)
        self.set(workspace, "")

        assert fresh(workspace).next_start_at is None


class TestDormancy:
    def set(self, workspace, dormant, now=LATER):
        return lifecycle.set_dormancy(workspace_id=workspace.pk, dormant=dormant, now=now)

    def test_a_running_workspace_is_stopped_and_its_deletion_planned(self):
        workspace = running(time_til_dormant_autodelete_seconds=DAY)

        answer = self.set(workspace, True)

        stored = fresh(workspace)
        assert stored.dormant_at == stored.updated_at == LATER
        assert stored.deleting_at == LATER + timedelta(days=1)
        assert answer.latest_build == stored.latest_build
        build = stored.latest_build
        assert (build.transition, build.reason) == ("stop", "dormancy")
        assert (build.initiator, build.job.status) == (workspace.owner, "pending")
        assert stored.last_used_at == NOON

    def test_what_a_failed_start_left_behind_is_stopped_too(self):
        workspace = make_workspace(now=NOON)
        finish_all_jobs(now=NOON, fail="boom")

        self.set(workspace, True)

        assert fresh(workspace).latest_build.transition == "stop"

    def test_a_stopped_workspace_gets_no_build_and_without_a_policy_no_date(self):
        workspace = running()
        ask_for(workspace, "stop", now=NOON)
        finish_all_jobs(now=NOON)

        self.set(workspace, True)

        stored = fresh(workspace)
        assert (stored.dormant_at, stored.deleting_at) == (LATER, None)
        assert stored.latest_build.build_number == 2

    @pytest.mark.parametrize("transition", ["start", "stop"])
    def test_a_workspace_that_is_being_built_is_refused(self, transition):
        workspace = running()
        ask_for(workspace, transition, now=NOON)

        with pytest.raises(BuildInProgress):
            self.set(workspace, True)

        assert fresh(workspace).dormant_at is None

    def test_a_dormant_workspace_cannot_be_started_until_it_is_woken(self):
        workspace = running(time_til_dormant_autodelete_seconds=DAY)
        self.set(workspace, True)
        finish_all_jobs(now=LATER)

        with pytest.raises(WorkspaceDormant, match="Set it to not dormant first"):
            ask_for(workspace, "start", now=LATER)
        self.set(workspace, False, now=TEN_PAST)

        stored = fresh(workspace)
        assert stored.dormant_at is stored.deleting_at is None
        assert stored.last_used_at == TEN_PAST
        assert ask_for(workspace, "start", now=TEN_PAST).build_number == 3

    @pytest.mark.parametrize("transition", ["stop", "delete"])
    def test_a_dormant_workspace_may_be_stopped_and_deleted(self, transition):
        workspace = running()
        self.set(workspace, True)
        finish_all_jobs(now=LATER)

        assert ask_for(workspace, transition, now=LATER).transition == transition

    def test_saying_it_again_changes_nothing(self):
        workspace = running(time_til_dormant_autodelete_seconds=DAY)

        self.set(workspace, False, now=LATER)
        assert fresh(workspace).last_used_at == NOON
        self.set(workspace, True, now=LATER)
        self.set(workspace, True, now=TEN_PAST)

        assert fresh(workspace).dormant_at == LATER


class TestUse:
    def test_a_use_is_stamped(self):
        workspace = running()

        lifecycle.record_use(workspace_id=workspace.pk, now=LATER)

        assert fresh(workspace).last_used_at == LATER
        assert fresh(workspace).updated_at == NOON

    @pytest.mark.parametrize("transition", ["start", "stop"])
    def test_asking_for_a_build_is_a_use(self, transition):
        workspace = running()

        ask_for(workspace, transition, now=LATER)

        assert fresh(workspace).last_used_at == LATER

    def test_a_build_of_a_prebuild_is_none(self):
        prebuild = a_prebuild()

        ask_for(prebuild, "stop", now=LATER)

        assert fresh(prebuild).last_used_at is None


def test_automatic_updates_are_always_or_never():
    workspace = running()

    lifecycle.set_automatic_updates(
        workspace_id=workspace.pk, automatic_updates="always", now=LATER
    )
    with pytest.raises(InvalidLifecycle, match='"maybe" is no choice: use always or never'):
        lifecycle.set_automatic_updates(
            workspace_id=workspace.pk, automatic_updates="maybe", now=LATER
        )

    assert (fresh(workspace).automatic_updates, fresh(workspace).updated_at) == ("always", LATER)


IMPOSSIBLE = [
    ("workspace_start_planned_by_schedule", {"next_start_at": NOON}),
    ("workspace_undated_while_awake", {"deleting_at": NOON}),
]


@pytest.mark.parametrize(("constraint", "change"), IMPOSSIBLE)
def test_the_database_refuses_times_that_do_not_fit_together(constraint, change):
    running()

    assert_refused(constraint, lambda: Workspace.objects.update(**change))
